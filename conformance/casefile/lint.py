"""What is well formed and still no good case: it shows one side only, repeats another, or says more than it needs.

Told by `check`; a run does not care.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conformance.casefile.source import Problem
from conformance.model.case import ApplyPolicy, Tier
from conformance.model.source import Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.model.case import Case
    from conformance.model.declared import DeclaredStep
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import World

_MUST = re.compile(r"\bMUST\b")
_ONE_SENTENCE = re.compile(r"[A-Z][^.!?\n]*(?:\.[A-Za-z0-9][^.!?\n]*)*\.")
_METADATA = {"name", "namespace"}


def lint(cases: Iterable[tuple[Case, Sequence[DeclaredStep]]]) -> tuple[Problem, ...]:
    """Return what should be better about cases, given with their steps; each problem stands at the case or the step that has it."""
    alike: dict[Any, list[tuple[Case, list[World]]]] = defaultdict(list)
    problems: list[Problem] = []
    for case, steps in cases:
        problems += _sentence(case)
        problems += _metadata(case)
        problems += (problem for step in steps for problem in _one_sided(case, step))
        worlds = [step.state.world for step in steps]
        others = alike[case.probe, case.external, case.families, tuple(map(_shown, steps))]
        if other := next((known for known, its in others if its == worlds), None):
            problems.append(Problem(_place(case), "", f"{case.id} shows the same as {other.id}: {_place(other)}"))
        others.append((case, worlds))
    return tuple(problems)


def _sentence(case: Case) -> Iterator[Problem]:
    if case.tier is not Tier.OBSERVED and not _MUST.search(case.requirement):
        yield Problem(_place(case), "requirement", "what is judged has a MUST or a MUST NOT; else the tier is observed")
    if not _ONE_SENTENCE.fullmatch(case.requirement):
        yield Problem(_place(case), "requirement", "one sentence: it begins with a capital and ends with a full stop")


def _metadata(case: Case) -> Iterator[Problem]:
    for step in case.steps:
        for policy in (each.policy for each in step.actions if isinstance(each, ApplyPolicy)):
            if more := sorted(policy.manifest["metadata"].keys() - _METADATA):
                text = f"policy {policy.ref}: {', '.join(more)} of its metadata changes nothing"
                yield Problem(policy.location or _place(case), "", text)


def _one_sided(case: Case, declared: DeclaredStep) -> Iterator[Problem]:
    sides = set(declared.allowed)
    if declared.state.policies and not declared.step.one_sided and len(sides) == 1:
        what, who = ("passes", "enforces nothing") if sides.pop() else ("is blocked", "blocks everything")
        text = f"every flow of step {declared.step.name!r} {what}, so a cluster that {who} would do: show the other side too, or say why not in `oneSided`"
        yield Problem(declared.step.location or _place(case), "", text)


def _shown(declared: DeclaredStep) -> Any:
    """Return how a reading comes about and what it shows, so that two can be compared; the world is compared besides."""
    return (
        tuple(type(action).__name__ for action in declared.step.actions),
        declared.allowed,
        frozenset(map(_content, declared.state.policies.values())),
    )


def _content(policy: NetworkPolicy) -> str:
    """Return what a policy says, without its name."""
    return json.dumps([policy.namespace, policy.manifest.get("spec")], sort_keys=True)


def _place(case: Case) -> Location:
    return case.location or Location(case.id, 1)
