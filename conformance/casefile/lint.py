"""What is well formed and still no good case: it shows one side only, repeats another, or says more than it needs.

Told by `check`; a run does not care.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from conformance.casefile.source import Problem
from conformance.model.case import ApplyPolicy, Tier
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.source import Location
from conformance.model.state import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.model.case import Case
    from conformance.model.policy import NetworkPolicy

_MUST = re.compile(r"\bMUST\b")
_METADATA = {"name", "namespace"}


def lint(cases: Iterable[Case]) -> tuple[Problem, ...]:
    """Return what should be better about cases; each problem stands at the case or the step that has it."""
    first: dict[Any, Case] = {}
    problems: list[Problem] = []
    for case in cases:
        problems += _sentence(case)
        problems += _metadata(case)
        shown = tuple(_shown(case, problems))
        other = first.setdefault(shown, case)
        if other is not case:
            problems.append(Problem(_place(case), "", f"{case.id} shows the same as {other.id}: {_place(other)}"))
    return tuple(problems)


def _sentence(case: Case) -> Iterator[Problem]:
    if case.tier is not Tier.OBSERVED and not _MUST.search(case.requirement):
        yield Problem(_place(case), "requirement", "what is judged has a MUST or a MUST NOT; else the tier is observed")


def _metadata(case: Case) -> Iterator[Problem]:
    for step in case.steps:
        for policy in (each.policy for each in step.actions if isinstance(each, ApplyPolicy)):
            if more := sorted(policy.manifest["metadata"].keys() - _METADATA):
                text = f"policy {policy.ref}: {', '.join(more)} of its metadata changes nothing"
                yield Problem(policy.location or _place(case), "", text)


def _shown(case: Case, problems: list[Problem]) -> Iterator[Any]:
    """Yield how each reading of a case comes about and what it shows, so that two cases can be compared.

    Steps that show one side only are problems.
    """
    state = State(default_world())
    for action in case.setup:
        state = state.after(action)
    for step in case.steps:
        for action in step.actions:
            state = state.after(action)
        if step.expect is None:
            continue
        tried = flows(state.world, case.probe, external=case.external)
        passing = frozenset(flow for flow in tried if step.expect.allows(flow))
        if state.policies and not step.one_sided and len(passing) in {0, len(tried)}:
            what, who = ("passes", "enforces nothing") if passing else ("is blocked", "blocks everything")
            text = f"every flow of step {step.name!r} {what}, so a cluster that {who} would do: show the other side too, or say why not in `oneSided`"
            problems.append(Problem(step.location or _place(case), "", text))
        yield (
            tuple(type(action).__name__ for action in step.actions),
            passing,
            len(tried),
            frozenset(map(_content, state.policies.values())),
            repr((state.world.namespaces, state.world.pods, state.world.services)),
        )


def _content(policy: NetworkPolicy) -> str:
    """Return what a policy says, without its name."""
    return json.dumps([policy.namespace, policy.manifest.get("spec")], sort_keys=True)


def _place(case: Case) -> Location:
    return case.location or Location(case.id, 1)
