"""What must be seen of a random case: rows that say of each flow what the evaluator says."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conformance.casefile.load import load_text
from conformance.casefile.manifest_text import manifest_text
from conformance.model.declared import declared_steps
from conformance.oracle.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.model.case import Case
    from conformance.model.flow import Flow

    Raw = dict[str, Any]

_UNKNOWN = {"default": "allow"}


def case_of(raw: Raw) -> Case:
    """Return the case that raw data describes; CaseFileError where it is none."""
    (case,) = load_text(manifest_text(raw), "fuzz.yaml")
    return case


def with_expectations(raw: Raw) -> Raw:
    """Return raw data whose steps all say what must be seen; CaseFileError where it is no case."""
    steps = [{**step, "expect": _UNKNOWN} for step in raw["steps"]]
    case = case_of({**raw, "steps": steps})
    expected = []
    for step, declared in zip(steps, declared_steps(case), strict=True):
        decisions = evaluate(declared.state, declared.tried)
        blocked = [flow for flow in declared.tried if not decisions[flow].allowed]
        expect: Raw = {"default": "allow", **({"deny": list(_rows(blocked, declared.tried))} if blocked else {})}
        one_sided = not blocked or len(blocked) == len(declared.tried)
        why = {"oneSided": "the policies were drawn at random"} if one_sided else {}
        expected.append({**step, "expect": expect, **why})
    return {**raw, "steps": expected}


def _rows(blocked: Iterable[Flow], tried: Iterable[Flow]) -> Iterator[str]:
    """Yield rows for flows: one for all sources whose flows to a pod are alike, and without ports where it is all that were tried."""
    every = sorted({_port(flow) for flow in tried})
    others: dict[str, set[str]] = defaultdict(set)
    for flow in tried:
        others[flow.destination].add(flow.source)
    ports: dict[tuple[str, str], list[str]] = defaultdict(list)
    for flow in blocked:
        ports[flow.destination, flow.source].append(_port(flow))
    sources: dict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for (destination, source), found in ports.items():
        sources[destination, tuple(found)].append(source)
    for (destination, alike), names in sources.items():
        pair = f"{'*' if set(names) == others[destination] else ', '.join(names)} -> {destination}"
        yield from [pair] if sorted(alike) == every else [f"{pair}:{port}" for port in alike]


def _port(flow: Flow) -> str:
    return f"{flow.port}/{flow.protocol}"
