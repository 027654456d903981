"""Tries all cases on all defects, in as many processes as there are processors.

A defect is killed by a case that sees it. The first cases that do so are then run on it as on any target: a kill is a verdict `fail`, with findings on the very
cells that were seen otherwise.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from conformance.lab.miniatures.perfect import PerfectTarget
from conformance.lab.miniatures.registry import DEFECTS
from conformance.lab.score.replay import RecordingTarget
from conformance.model.score import Mutant, Score, ScoredCase
from conformance.model.verdict import Verdict
from conformance.runner.session import Rules, Session

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance.lab.miniatures.defect import Defect
    from conformance.model.case import Case
    from conformance.model.flow import Flow

#: What is in force at once need not be waited for: the first reading that disagrees is confirmed, and that is it.
_RULES = Rules(timeouts={"settle": 0.0, "labels": 0.0, "behind": 0.0})
#: Cases are handed out in so many parts for each process, since some take much longer than others.
_PARTS = 16


@dataclass(frozen=True, slots=True)
class _Scored:
    """`doubted` are defects on which a real run of the case did not say what was seen."""

    case: ScoredCase
    perfect: bool
    doubted: tuple[str, ...] = ()


def score(
    cases: Sequence[Case],
    defects: Sequence[Defect] = tuple(DEFECTS.values()),
    *,
    processes: int = 0,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> Score:
    """Try every case on every defect; `progress` is told how many cases are done, of how many.

    In more than one process only defects of the registry can be tried.
    """
    began = time.monotonic()
    count = min(processes or os.cpu_count() or 1, len(cases)) or 1
    size = max(1, len(cases) // (count * _PARTS))
    parts = [list(cases[start : start + size]) for start in range(0, len(cases), size)]
    found: list[_Scored] = []
    with ProcessPoolExecutor(max_workers=count) as pool:
        of_the_registry = partial(_scored_elsewhere, names=[each.name for each in defects])
        scored = pool.map(of_the_registry, parts) if count > 1 else (_scored_part(part, defects) for part in parts)
        for part in scored:
            found += part
            progress(len(found), len(cases))
    return Score(
        mutants=tuple(Mutant(each.name, each.of, each.what) for each in defects),
        cases=tuple(each.case for each in found),
        imperfect=tuple(each.case.id for each in found if not each.perfect),
        doubted=tuple((each.case.id, name) for each in found for name in each.doubted),
        seconds=time.monotonic() - began,
    )


def _scored_elsewhere(cases: Sequence[Case], names: Sequence[str]) -> list[_Scored]:
    """Do a part in another process, which a defect itself cannot be sent to."""
    return _scored_part(cases, [DEFECTS[name] for name in names])


def _scored_part(cases: Sequence[Case], defects: Sequence[Defect]) -> list[_Scored]:
    confirmed: set[str] = set()
    return [_scored(case, defects, confirmed) for case in cases]


def _scored(case: Case, defects: Sequence[Defect], confirmed: set[str]) -> _Scored:
    target = RecordingTarget()
    verdict = Session(target, _RULES).run(case).verdict
    path = case.location.file if case.location else ""
    if verdict is not Verdict.PASS:
        shown = verdict is not Verdict.UNSUPPORTED
        return _Scored(ScoredCase(case.id, case.tier, path, (), shown=shown), perfect=not shown)
    kills, doubted = [], []
    for defect in defects:
        if seen := target.recording.differing(defect):
            kills.append(defect.name)
            if defect.name not in confirmed and not _confirms(case, defect, seen):
                doubted.append(defect.name)
            confirmed.add(defect.name)
    return _Scored(ScoredCase(case.id, case.tier, path, tuple(kills)), perfect=True, doubted=tuple(doubted))


def _confirms(case: Case, defect: Defect, seen: frozenset[Flow]) -> bool:
    """Run a case on a defect as on any target: it must fail, on the flows that were seen otherwise."""
    result = Session(PerfectTarget(defect.name, defect), _RULES).run(case)
    found = {cell.flow for step in result.steps for cell in step.findings}
    return result.verdict is Verdict.FAIL and seen <= found
