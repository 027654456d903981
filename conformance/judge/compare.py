"""Compare, cell by cell, what was declared with what was computed and what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.matrix import CellVerdict, Observation, Observed
from conformance.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model.decision import Decision
    from conformance.model.flow import Flow
    from conformance.model.matrix import Cell, Early


def disagreements(declared: Mapping[Flow, bool], decisions: Mapping[Flow, Decision]) -> tuple[Decision, ...]:
    """Return the decisions that differ from what a person declared: there the suite is wrong, whoever is right."""
    return tuple(decision for flow, decision in decisions.items() if decision.allowed is not declared[flow])


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


def judge_early(expected: bool, early: Early, *, deaf: bool) -> CellVerdict:
    """Judge what a pod has tried since its start; `deaf` where something that must pass never did, so that silence proves nothing.

    https://kubernetes.io/docs/concepts/services-networking/network-policies/#pod-lifecycle
    """
    if expected:
        return CellVerdict.UNKNOWN if early.passed is None else CellVerdict.AGREE
    if early.passed is not None:
        return CellVerdict.LEAK
    return CellVerdict.UNKNOWN if deaf or not early.tries else CellVerdict.AGREE


def early_observation(early: Early) -> Observation:
    """Return what a pod has tried since its start as an observation of the flow."""
    if early.passed is None:
        return Observation(Observed.FAILED, detail=f"none of {early.tries} tries since the pod's start was answered")
    return Observation(Observed.ALLOWED, early.passed, f"answered {early.passed:g} s after the pod's first instruction")


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
