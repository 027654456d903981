"""What one observation, and what several, say of a cell and of a case."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from conformance.judge.compare import case_verdict, confirm, judge
from conformance.judge.explain import explain
from conformance.model.decision import Decision, DirectionDecision, Evidence
from conformance.model.flow import Flow
from conformance.model.matrix import Cell, CellVerdict, Observation, Observed
from conformance.model.policy import Direction
from conformance.model.source import Location
from conformance.model.verdict import Verdict
from conformance.model.world import Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOW = Flow("x/a", "y/b", 80, Protocol.TCP)
AGREE, LEAK, BREAK, UNSTABLE, UNKNOWN = CellVerdict


def seen(*observed: Observed) -> Sequence[Observation]:
    return [Observation(each) for each in observed]


@pytest.mark.parametrize(
    ("observed", "must_pass", "must_be_blocked"),
    [
        (Observed.ALLOWED, AGREE, LEAK),
        (Observed.DROPPED, BREAK, AGREE),
        (Observed.REJECTED, BREAK, AGREE),
        (Observed.MISDELIVERED, BREAK, UNKNOWN),
        (Observed.FAILED, UNKNOWN, UNKNOWN),
    ],
)
def test_one_observation(observed: Observed, must_pass: CellVerdict, must_be_blocked: CellVerdict) -> None:
    assert judge(expected=True, observation=Observation(observed)) is must_pass
    assert judge(expected=False, observation=Observation(observed)) is must_be_blocked


@pytest.mark.parametrize("expected", [True, False])
def test_confirmation_accuses_only_where_all_say_the_same(expected: bool) -> None:
    for each in itertools.product(Observed, repeat=3):
        verdicts = [judge(expected, one) for one in seen(*each)]
        verdict = confirm(expected, seen(*each))
        if verdict in {LEAK, BREAK}:
            assert set(verdicts) == {verdict}
        if UNKNOWN in verdicts:
            assert verdict is UNKNOWN
        assert verdict is not AGREE


def test_drop_and_reject_are_the_same_block() -> None:
    assert confirm(expected=True, observations=seen(Observed.DROPPED, Observed.REJECTED, Observed.DROPPED)) is BREAK


@pytest.mark.parametrize(
    ("cells", "verdict"),
    [
        ([], Verdict.PASS),
        ([LEAK], Verdict.FAIL),
        ([BREAK], Verdict.FAIL),
        ([UNSTABLE], Verdict.FAIL),
        ([UNKNOWN], Verdict.ERROR),
        ([UNKNOWN, LEAK], Verdict.FAIL),
        ([UNKNOWN, UNKNOWN], Verdict.ERROR),
    ],
)
def test_a_case_fails_only_by_what_is_certain(cells: list[CellVerdict], verdict: Verdict) -> None:
    findings = [Cell(FLOW, True, Decision(FLOW, True), Observation(Observed.FAILED), each) for each in cells]
    assert case_verdict(findings) is verdict


def evidence(
    direction: Direction, rule: int | None = None, peer: int | None = None, port: int | None = None
) -> Evidence:
    return Evidence("y/web", direction, rule, peer, port, Location("case.yaml", 14, 9))


def side(direction: Direction, pod: str, *matching: Evidence, isolated: bool = True) -> DirectionDecision:
    selecting = (evidence(direction),) if isolated else ()
    return DirectionDecision(direction, pod, isolated, not isolated or bool(matching), selecting, matching)


def test_why_a_flow_must_be_blocked_names_the_policies_that_isolate() -> None:
    sides = (side(Direction.EGRESS, "x/a", isolated=False), side(Direction.INGRESS, "y/b"))
    assert explain(Decision(FLOW, False, sides)) == (
        "y/b is isolated for ingress by y/web (case.yaml:14:9), and no ingress rule matches",
    )


def test_why_a_flow_must_pass_names_what_lets_it_on_both_sides() -> None:
    matching = evidence(Direction.INGRESS, 0, 1, 2)
    sides = (side(Direction.EGRESS, "x/a", isolated=False), side(Direction.INGRESS, "y/b", matching))
    assert explain(Decision(FLOW, True, sides)) == (
        "x/a is not isolated for egress: no policy selects it",
        "y/b may: y/web ingress[0].from[1] with ports[2] (case.yaml:14:9) matches",
    )


def test_a_rule_that_lets_everything_is_named_without_peer_and_port() -> None:
    sides = (side(Direction.EGRESS, "x/a", evidence(Direction.EGRESS, 3)),)
    assert explain(Decision(FLOW, True, sides)) == ("x/a may: y/web egress[3] (case.yaml:14:9) matches",)
