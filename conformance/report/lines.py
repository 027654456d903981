"""From a case's result to its line of the record."""

from __future__ import annotations

import statistics
from itertools import zip_longest
from typing import TYPE_CHECKING

from conformance.model.case import ApplyPolicy
from conformance.model.default_world import default_world
from conformance.model.record import CaseLine, ChangeLine, EvidenceLine, FindingLine, MatrixLine, StepLine
from conformance.model.state import State
from conformance.report.action_text import action_text, port_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conformance.model.case import Action, Case
    from conformance.model.decision import Decision
    from conformance.model.flow import Flow
    from conformance.model.matrix import Cell
    from conformance.model.verdict import CaseResult, StepResult


def case_line(result: CaseResult) -> CaseLine:
    case = result.case
    setup, *changes = _changes(case)
    return CaseLine(
        type="case",
        id=case.id,
        path=case.location.file if case.location else "",
        requirement=case.requirement,
        spec=case.spec,
        tier=case.tier.value,
        features=sorted(case.features),
        verdict=result.verdict.value,
        reason=result.reason,
        hint=result.hint,
        waiver=result.waiver,
        notes=list(result.notes),
        seconds=round(result.seconds, 3),
        setup=setup,
        # A case may end before its last step, and a reading after the clean-up has no step of its own.
        steps=[_step(step, made or []) for step, made in zip_longest(result.steps, changes[: len(result.steps)])],
    )


def _changes(case: Case) -> Iterator[list[ChangeLine]]:
    """Yield what is changed before the first step, and then before each reading."""
    names, state = port_names(case), State(default_world())

    def changed(actions: Iterable[Action]) -> Iterator[ChangeLine]:
        nonlocal state
        for action in actions:
            policy = action.policy if isinstance(action, ApplyPolicy) else None
            yield ChangeLine(
                what=action_text(action, state, names), policy=dict(policy.manifest) if policy is not None else None
            )
            state = state.after(action)

    yield list(changed(case.setup))
    unread: list[ChangeLine] = []
    for step in case.steps:
        unread += changed(step.actions)
        if step.expect is not None:
            yield unread
            unread = []


def _step(step: StepResult, changes: list[ChangeLine]) -> StepLine:
    return StepLine(
        name=step.name,
        changes=changes,
        matrix=_matrix(step.expected),
        cells=step.cells,
        readings=step.readings,
        seconds=round(step.seconds, 3),
        latency_median=round(statistics.median(step.latencies), 4) if step.latencies else None,
        latency_slowest=round(max(step.latencies), 4) if step.latencies else None,
        barrier=round(step.barrier, 4) if step.barrier is not None else None,
        findings=[_finding(cell) for cell in step.findings],
        commands=list(step.commands),
    )


def _matrix(expected: Mapping[Flow, bool]) -> MatrixLine:
    sources = _places(flow.source for flow in expected)
    # A source is no destination of itself: the order of sources is the one that lacks nobody.
    reached = {flow.destination for flow in expected}
    destinations = _places([*(source for source in sources if source in reached), *(f.destination for f in expected)])
    grids: dict[str, list[list[str]]] = {}
    for flow, passes in expected.items():
        _, _, port = str(flow).rpartition(":")
        grid = grids.get(port) or grids.setdefault(port, [[" "] * len(destinations) for _ in sources])
        grid[sources[flow.source]][destinations[flow.destination]] = "." if passes else "X"
    return MatrixLine(
        sources=list(sources),
        destinations=list(destinations),
        expected={port: ["".join(row) for row in grid] for port, grid in grids.items()},
    )


def _places(names: Iterable[str]) -> Mapping[str, int]:
    """Give names their places in a grid, pods before all others, as they come."""
    found: Sequence[str] = sorted(dict.fromkeys(names), key=lambda name: "/" not in name)
    return {name: place for place, name in enumerate(found)}


def _finding(cell: Cell) -> FindingLine:
    return FindingLine(
        flow=str(cell.flow),
        verdict=cell.verdict.value,
        expected="allowed" if cell.declared else "blocked",
        observed=cell.observation.observed.value,
        detail=cell.observation.detail,
        seconds=cell.observation.seconds,
        attempts=cell.attempts,
        why=list(cell.why),
        evidence=_evidence(cell.decision),
    )


def _evidence(decision: Decision) -> list[EvidenceLine]:
    return [
        EvidenceLine(
            policy=each.policy,
            direction=each.direction.value,
            rule=each.rule,
            peer=each.peer,
            port=each.port,
            at=str(each.location or ""),
        )
        for side in decision.sides
        for each in (*side.selecting, *side.matching)
    ]
