"""Why, in sentences that name the policy, the rule and the line."""

from __future__ import annotations

import pytest

from conformance.judge.explain import explain
from conformance.model.decision import Decision, DirectionDecision, Evidence
from conformance.model.flow import Flow
from conformance.model.policy import Direction
from conformance.model.source import Location

FLOW = Flow.parse("x/a -> y/b:80/TCP")
IN, OUT = Direction.INGRESS, Direction.EGRESS


def side(direction: Direction, *matching: Evidence, policies: tuple[str, ...] = ()) -> DirectionDecision:
    pod = FLOW.source if direction is OUT else FLOW.destination
    selecting = tuple(Evidence(each, direction, location=Location("case.yaml", 9, 5)) for each in policies)
    return DirectionDecision(direction, pod, bool(policies), not policies or bool(matching), selecting, matching)


def rule(policy: str, direction: Direction, peer: int | None = None, port: int | None = None) -> Evidence:
    return Evidence(policy, direction, 1, peer, port, Location("case.yaml", 14, 11))


OPEN_OUT, OPEN_IN = side(OUT), side(IN)
CLOSED_OUT, CLOSED_IN = side(OUT, policies=("x/p",)), side(IN, policies=("y/q", "y/r"))


@pytest.mark.parametrize(
    ("sides", "sentences"),
    [
        pytest.param(
            (OPEN_OUT, OPEN_IN),
            (
                "x/a is not isolated for egress: no policy selects it",
                "y/b is not isolated for ingress: no policy selects it",
            ),
            id="nobody is isolated",
        ),
        pytest.param(
            (CLOSED_OUT, OPEN_IN),
            ("x/a is isolated for egress by x/p (case.yaml:9:5), and no egress rule matches",),
            id="only the side that blocks is told",
        ),
        pytest.param(
            (CLOSED_OUT, CLOSED_IN),
            (
                "x/a is isolated for egress by x/p (case.yaml:9:5), and no egress rule matches",
                "y/b is isolated for ingress by y/q (case.yaml:9:5), y/r (case.yaml:9:5), and no ingress rule matches",
            ),
            id="both sides block",
        ),
        pytest.param(
            (side(OUT, rule("x/p", OUT, peer=2, port=0), policies=("x/p",)), OPEN_IN),
            (
                "x/p egress[1].to[2] with ports[0] (case.yaml:14:11) lets it out of x/a",
                "y/b is not isolated for ingress: no policy selects it",
            ),
            id="peer and port",
        ),
        pytest.param(
            (side(IN, rule("y/q", IN, peer=0), rule("y/r", IN), policies=("y/q", "y/r")),),
            ("y/q ingress[1].from[0] (case.yaml:14:11) lets it into y/b",),
            id="one rule is enough",
        ),
        pytest.param(
            (side(IN, rule("y/q", IN), policies=("y/q",)),),
            ("y/q ingress[1] (case.yaml:14:11) lets it into y/b",),
            id="a rule without peers and ports",
        ),
    ],
)
def test_sentences(sides: tuple[DirectionDecision, ...], sentences: tuple[str, ...]) -> None:
    assert explain(Decision(FLOW, all(each.allowed for each in sides), sides)) == sentences


def test_what_is_not_decided_tells_the_sides_that_block() -> None:
    """A Service whose backends differ."""
    assert explain(Decision(FLOW, None, (OPEN_OUT, CLOSED_IN, OPEN_IN))) == explain(
        Decision(FLOW, allowed=False, sides=(CLOSED_IN,))
    )


def test_what_depends_on_a_rewritten_source_is_told() -> None:
    open_question = DirectionDecision(IN, "y/b", isolated=True, allowed=False, depending=(rule("y/q", IN),))
    assert explain(Decision(FLOW, None, (open_question,))) == (
        "y/b: whether y/q ingress[1] (case.yaml:14:11) matches depends on the source, which a node port may rewrite",
    )


def test_without_backends_there_is_nothing_to_tell() -> None:
    assert explain(Decision(FLOW, None)) == ()
