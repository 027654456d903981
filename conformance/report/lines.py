"""From a case's result to its line of the record."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from conformance.model.record import CaseLine, EvidenceLine, FindingLine, StepLine

if TYPE_CHECKING:
    from conformance.model.decision import Decision
    from conformance.model.matrix import Cell
    from conformance.model.verdict import CaseResult, StepResult


def case_line(result: CaseResult) -> CaseLine:
    case = result.case
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
        steps=[_step(step) for step in result.steps],
    )


def _step(step: StepResult) -> StepLine:
    return StepLine(
        name=step.name,
        cells=step.cells,
        readings=step.readings,
        seconds=round(step.seconds, 3),
        latency_median=round(statistics.median(step.latencies), 4) if step.latencies else None,
        latency_slowest=round(max(step.latencies), 4) if step.latencies else None,
        barrier=round(step.barrier, 4) if step.barrier is not None else None,
        findings=[_finding(cell) for cell in step.findings],
        commands=list(step.commands),
    )


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
