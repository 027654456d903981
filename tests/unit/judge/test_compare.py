"""What becomes of a cell, and of a case, once it was seen."""

from __future__ import annotations

import pytest

from conformance.judge.compare import case_verdict, confirm, disagreements, early_observation, judge, judge_early
from conformance.model.decision import Decision
from conformance.model.flow import Flow
from conformance.model.matrix import Cell, CellVerdict, Early, Observation, Observed
from conformance.model.verdict import Verdict

ALLOWED, DROPPED, REJECTED, MISDELIVERED, FAILED = (Observation(each) for each in Observed)
AGREE, LEAK, BREAK, UNSTABLE, UNKNOWN = CellVerdict
OPEN, CLOSED = True, False
FLOW = Flow.parse("x/a -> y/b:80/TCP")


@pytest.mark.parametrize(
    ("expected", "seen", "verdict"),
    [
        (OPEN, ALLOWED, AGREE),
        (OPEN, DROPPED, BREAK),
        (OPEN, REJECTED, BREAK),
        (OPEN, MISDELIVERED, BREAK),
        (OPEN, FAILED, UNKNOWN),
        (CLOSED, ALLOWED, LEAK),
        (CLOSED, DROPPED, AGREE),
        (CLOSED, REJECTED, AGREE),
        (CLOSED, MISDELIVERED, UNKNOWN),
        (CLOSED, FAILED, UNKNOWN),
    ],
    ids=lambda value: getattr(value, "observed", None) or str(value),
)
def test_one_observation(expected: bool, seen: Observation, verdict: CellVerdict) -> None:
    assert judge(expected, seen) is verdict


@pytest.mark.parametrize(
    ("expected", "early", "deaf", "verdict"),
    [
        pytest.param(OPEN, Early(40, 0.2), False, AGREE, id="reached what it may"),
        pytest.param(OPEN, Early(40), True, UNKNOWN, id="never reached what it may: the log may be wrong"),
        pytest.param(CLOSED, Early(40, 0.2), False, LEAK, id="was open for a moment"),
        pytest.param(CLOSED, Early(40, 0.2), True, LEAK, id="was open, whatever else the log says"),
        pytest.param(CLOSED, Early(40), False, AGREE, id="never open"),
        pytest.param(CLOSED, Early(40), True, UNKNOWN, id="a deaf log proves nothing"),
        pytest.param(CLOSED, Early(0), False, UNKNOWN, id="nothing was tried"),
    ],
)
def test_what_a_pod_tried_from_its_start(expected: bool, early: Early, deaf: bool, verdict: CellVerdict) -> None:
    assert judge_early(expected, early, deaf=deaf) is verdict


def test_what_a_pod_tried_is_told_with_its_moment() -> None:
    assert early_observation(Early(7, 0.25)).detail == "answered 0.25 s after the pod's first instruction"
    assert early_observation(Early(7)).observed is Observed.FAILED


def test_every_observation_has_a_verdict() -> None:
    for observed in Observed:
        for expected in (OPEN, CLOSED):
            assert judge(expected, Observation(observed)) in CellVerdict


@pytest.mark.parametrize(
    ("expected", "readings", "verdict"),
    [
        pytest.param(CLOSED, [ALLOWED], LEAK, id="one leak"),
        pytest.param(CLOSED, [ALLOWED, ALLOWED, ALLOWED], LEAK, id="always a leak"),
        pytest.param(OPEN, [DROPPED, REJECTED], BREAK, id="blocked in two ways"),
        pytest.param(OPEN, [DROPPED, MISDELIVERED], BREAK, id="blocked, then answered by another"),
        pytest.param(CLOSED, [ALLOWED, DROPPED], UNSTABLE, id="a leak that ended"),
        pytest.param(CLOSED, [DROPPED, ALLOWED], UNSTABLE, id="a leak that began"),
        pytest.param(OPEN, [ALLOWED, ALLOWED], UNSTABLE, id="agreed in the end, although it was listed as not settled"),
        pytest.param(OPEN, [DROPPED, FAILED], UNKNOWN, id="no accusation where one reading could not be made"),
        pytest.param(CLOSED, [ALLOWED, MISDELIVERED], UNKNOWN, id="no accusation where another answered"),
        pytest.param(OPEN, [FAILED, FAILED], UNKNOWN, id="never measured"),
    ],
)
def test_an_accusation_needs_all_readings(expected: bool, readings: list[Observation], verdict: CellVerdict) -> None:
    assert confirm(expected, readings) is verdict


@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        ([], Verdict.PASS),
        ([LEAK], Verdict.FAIL),
        ([BREAK], Verdict.FAIL),
        ([UNSTABLE], Verdict.FAIL),
        ([UNKNOWN], Verdict.ERROR),
        ([UNKNOWN, UNKNOWN, LEAK], Verdict.FAIL),
        ([UNKNOWN, UNSTABLE], Verdict.FAIL),
    ],
    ids=str,
)
def test_a_case_fails_by_what_is_certain(cells: list[CellVerdict], verdict: Verdict) -> None:
    findings = [Cell(FLOW, OPEN, Decision(FLOW, OPEN), ALLOWED, each) for each in cells]
    assert case_verdict(findings) is verdict


@pytest.mark.parametrize(
    ("declared", "computed", "differs"),
    [(OPEN, OPEN, False), (CLOSED, CLOSED, False), (OPEN, CLOSED, True), (CLOSED, OPEN, True), (OPEN, None, True), (CLOSED, None, True)],
)  # fmt: skip
def test_declared_against_computed(declared: bool, computed: bool | None, differs: bool) -> None:
    """What the evaluator cannot decide must not be declared either way."""
    decision = Decision(FLOW, computed)
    assert disagreements({FLOW: declared}, {FLOW: decision}) == ((decision,) if differs else ())


def test_disagreements_are_per_flow() -> None:
    other = Flow.parse("x/b -> y/b:80/TCP")
    decisions = {FLOW: Decision(FLOW, OPEN), other: Decision(other, OPEN)}
    assert [each.flow for each in disagreements({FLOW: CLOSED, other: OPEN}, decisions)] == [FLOW]
