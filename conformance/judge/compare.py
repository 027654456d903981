"""Compare, cell by cell, what was declared with what was computed and what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.matrix import CellVerdict, Observed
from conformance.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model.case import Expectation
    from conformance.model.decision import Decision
    from conformance.model.flow import Flow
    from conformance.model.matrix import Cell, Observation


def disagreements(expectation: Expectation, decisions: Mapping[Flow, Decision]) -> tuple[Decision, ...]:
    """Return the decisions that differ from what a person declared: there the suite is wrong, whoever is right."""
    return tuple(each for each in decisions.values() if each.allowed is not expectation.allows(each.flow))


def judge(expected: bool, observation: Observation) -> CellVerdict:
    """Judge one observation. Whether a policy drops or rejects is not defined, so both are "blocked"."""
    match observation.observed:
        case Observed.FAILED:
            return CellVerdict.UNKNOWN
        case Observed.ALLOWED:
            return CellVerdict.AGREE if expected else CellVerdict.LEAK
        case Observed.MISDELIVERED:
            # Somebody answered, so nothing is known of a block; but who must be reached was not.
            return CellVerdict.BREAK if expected else CellVerdict.UNKNOWN
        case _:
            return CellVerdict.BREAK if expected else CellVerdict.AGREE


def confirm(expected: bool, observations: Sequence[Observation]) -> CellVerdict:
    """Judge a cell that did not settle from its last readings: an accusation needs all of them to say the same."""
    verdicts = {judge(expected, each) for each in observations}
    if len(verdicts) == 1:
        verdict = verdicts.pop()
        return CellVerdict.UNSTABLE if verdict is CellVerdict.AGREE else verdict
    return CellVerdict.UNKNOWN if CellVerdict.UNKNOWN in verdicts else CellVerdict.UNSTABLE


def case_verdict(findings: Iterable[Cell]) -> Verdict:
    """A case fails by what is certain; where nothing is certain but something could not be measured it is an error."""
    verdicts = {cell.verdict for cell in findings}
    if verdicts & {CellVerdict.LEAK, CellVerdict.BREAK, CellVerdict.UNSTABLE}:
        return Verdict.FAIL
    return Verdict.ERROR if CellVerdict.UNKNOWN in verdicts else Verdict.PASS
