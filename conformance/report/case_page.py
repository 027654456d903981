"""One case, complete, for a person who reads nothing else. What must be seen is told from the case's own rows."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model.address import refs
from conformance.model.case import ApplyPolicy, CreatePod, CreateService
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.state import State
from conformance.report.action_text import action_text, actions, port_names
from conformance.report.declared_grid import WIDTH, declared, grid_text, ports_text
from conformance.report.world_text import world_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from conformance.model.case import Action, Case, Expectation, Row, Step
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import IPFamily, Service, World
    from conformance.report.declared_grid import Grid

    Grids = Mapping[IPFamily | None, Grid]
    AsText = Callable[[Mapping[str, Any]], str]


def case_page(case: Case, as_yaml: AsText) -> str:
    """Return the page of a case; `as_yaml` writes a manifest."""
    return "\n".join(_page(case, as_yaml))


def _page(case: Case, as_yaml: AsText) -> Iterator[str]:
    yield from _head(case)
    usual = default_world()
    state = State(usual)
    for action in case.setup:
        state = state.after(action)
    names = port_names(case)
    yield ""
    yield "WORLD, before the first step: no policy, and everything connects"
    for line in world_text(state.world, usual, names, external=case.external):
        yield from _wrapped(line, "  ", "      ")
    served = ports_text((server.port, server.protocol) for pod in usual.pods.values() for server in pod.servers)
    tried = f"{ports_text(case.probe)}{', and all ports of a Service' if _services(case) else ''}{_over(case.families)}"
    yield from _wrapped(f"Every pod serves {served}. Tried here: {tried}.", "  ")
    before: Grids | None = None
    for number, step in enumerate(case.steps, 1):
        yield ""
        yield from _wrapped(f"STEP {number} of {len(case.steps)}: {step.name}", "", "  ")
        for action in step.actions:
            lines = _action(action, state, names, as_yaml)
            state = state.after(action)
            yield from lines
        yield from _wrapped(f"policies in force: {', '.join(sorted(state.policies)) or 'none'}", "  ", "    ")
        if step.expect is None:
            yield "  nothing is read after this step"
            continue
        yield from _must(step, step.expect)
        grids = _grids(case, state.world, step.expect)
        yield from (f"    {line}".rstrip() for line in _grids_text(grids, before))
        before = grids
    yield ""
    yield from _notes(case)


def _grids(case: Case, world: World, expect: Expectation) -> Grids:
    """Return the grid of each family over which flows are tried; None stands for the cluster's first one."""
    tried = flows(world, case.probe, external=case.external)
    families = case.families or (None,)
    return {family: declared([replace(flow, family=family) for flow in tried], expect) for family in families}


def _grids_text(grids: Grids, before: Grids | None) -> Iterator[str]:
    """Yield the grids, and those of several families that are alike only once."""
    pairs = {family: (grid, before[family] if before else None) for family, grid in grids.items()}
    first, *others = pairs.values()
    if all(pair == first for pair in others):
        if title := _over([family for family in grids if family]):
            yield f"{title.strip()}:"
        yield from grid_text(*first)
        return
    for family, pair in pairs.items():
        yield f"over {family}:"
        yield from grid_text(*pair)


def _over(families: Sequence[IPFamily]) -> str:
    return f" over {' and over '.join(families)}" if families else ""


def _head(case: Case) -> Iterator[str]:
    yield f"{case.id}  ({case.tier}; {', '.join(sorted(case.features))})"
    if case.location:
        yield f"{case.location.file}:{case.location.line}"
    yield from _wrapped(case.requirement, "requirement:   ", " " * 15)
    yield f"specification: {case.spec}"
    if case.is_row:
        table, _, row = case.id.partition("-")
        yield from _wrapped(
            f"{table}, which says how its expectations were worked out; row {row}", "row of table:  ", " " * 15
        )


def _policies(case: Case) -> Sequence[NetworkPolicy]:
    return [action.policy for action in actions(case) if isinstance(action, ApplyPolicy)]


def _services(case: Case) -> Sequence[Service]:
    return [action.service for action in actions(case) if isinstance(action, CreateService)]


def _action(action: Action, state: State, names: frozenset[str], as_yaml: AsText) -> Sequence[str]:
    what = action_text(action, state, names)
    if isinstance(action, ApplyPolicy):
        return [f"  {what}:", *(f"    {line}" for line in as_yaml(action.policy.manifest).rstrip().splitlines())]
    return list(_wrapped(what, "  ", "    "))


def _must(step: Step, expect: Expectation) -> Iterator[str]:
    default, other = ("passes", "is blocked") if expect.default else ("is blocked", "passes")
    against, back = (expect.deny, expect.allow) if expect.default else (expect.allow, expect.deny)
    still = "still pass" if expect.default else "are blocked all the same"
    yield f"  must be seen: everything that is tried {default}{', except:' if against else ''}"
    for row in against:
        yield from _wrapped(f"{_row(row)} {other}", "    ", "      ")
    if back:
        yield f"  but of these {still}:"
    for row in back:
        yield from _wrapped(f"{_row(row)} {default}", "    ", "      ")
    for action in step.actions:
        if isinstance(action, CreatePod) and action.pod.from_start:
            told = f"of what {action.pod.ref} tries from its first instruction on, nothing that is blocked may ever have got through"
            yield from _wrapped(f"{told}, and all that passes must have been answered", "  ", "    ")
    if step.hold:
        yield f"  and it must stay so for {step.hold:g} seconds"
    if step.one_sided:
        yield from _wrapped(f"that it is the same for all flows is meant: {step.one_sided}", "  ", "    ")


def _row(row: Row) -> str:
    ports = ""
    if row.ports is not None and row.protocols is not None:
        ports = ports_text((port, protocol) for port in row.ports for protocol in row.protocols)
    elif row.ports is not None:
        ports = f"{', '.join(map(str, sorted(row.ports)))} of every protocol"
    elif row.protocols is not None:
        ports = f"every port of {', '.join(sorted(row.protocols))}"
    source = _refs(row.sources, negated=row.sources_negated)
    destination = _refs(row.destinations, negated=row.destinations_negated)
    return f"{row.text}: from {source} to {destination}, {ports or 'every port that is tried'}{_over((row.family,) if row.family else ())},"


def _refs(patterns: Sequence[str], *, negated: bool) -> str:
    *others, last = (_ref(pattern) for pattern in patterns)
    text = f"{', '.join(others)} and {last}" if others else last
    return f"everything but {text}" if negated else text


def _ref(pattern: str) -> str:
    namespace, slash, name = pattern.partition("/")
    if pattern == "*":
        return "everything"
    if slash and "*" in {namespace, name}:
        if namespace == name:
            return "every pod"
        return f"every pod of {namespace}" if name == "*" else f"every pod {name}"
    if pattern == "*.svc":
        return "every Service"
    if pattern.endswith(".svc") and "*" in pattern:
        name, namespace, _ = pattern.split(".")
        return f"every Service of {namespace}" if name == "*" else f"every Service {name}"
    return pattern


def _notes(case: Case) -> Iterator[str]:
    itself = "itself, or to a Service whose backend it is" if _services(case) else "itself"
    left_open = f"The specification leaves open what passes from a pod to {itself}."
    notes = [
        "A flow passes if a new connection is made (UDP: a datagram is sent) and the right server answers.",
        f"all: every port that is tried passes; -: none does; .: not tried. {left_open}",
    ]
    if len(case.steps) > 1:
        notes.append("Steps build on each other: what one has changed stays until another changes it.")
    notes.append("What must be seen must be seen once the step's changes have taken effect, and must stay so.")
    named = sorted({f"{ref} over {over}" if over else ref for policy in _policies(case) for ref, over in refs(policy)})
    if named:
        shown = ", ".join(f"$({ref})" for ref in named)
        notes.append(
            f"{shown}: the address that this pod or endpoint has at the time of the run, as /32 (IPv6: /128) where "
            "no size follows; /16, say, is the network of that size around it, and /0 all addresses."
        )
    for note in notes:
        yield from _wrapped(note, "", "  ")


def _wrapped(text: str, first: str, rest: str | None = None) -> Iterator[str]:
    yield from textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=first if rest is None else rest, break_on_hyphens=False,
        break_long_words=False,
    )  # fmt: skip
