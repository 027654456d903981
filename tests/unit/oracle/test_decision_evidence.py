"""Every decision says who decided it: which policies select, and which rule, peer and port match, on which line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model.decision import Decision, DirectionDecision, Evidence

    Decide = Callable[..., Decision]

#: The spec begins on line 5 of its file, indented by two.
SPEC = """\
podSelector: {matchLabels: {pod: a}}
policyTypes: [Ingress, Egress]
ingress:
  - from:
      - podSelector: {matchLabels: {pod: b}}
      - namespaceSelector: {matchLabels: {ns: y}}
    ports:
      - {protocol: UDP, port: 80}
      - {port: 80, endPort: 81}
  - ports:
      - {port: http}
  - from:
      - ipBlock: {cidr: 10.0.3.0/24}
egress:
  - {}
"""


def side(decision: Decision, direction: Direction) -> DirectionDecision:
    (found,) = (each for each in decision.sides if each.direction is direction)
    return found


def told(evidence: Evidence) -> tuple[str, int | None, int | None, int | None, str]:
    return evidence.policy, evidence.rule, evidence.peer, evidence.port, str(evidence.location)


@pytest.mark.parametrize(
    ("flow", "expected"),
    [
        ("x/b -> x/a:80/UDP", [("x/p", 0, 0, 0, "x/p:8:7")]),
        ("x/b -> x/a:81/TCP", [("x/p", 0, 0, 1, "x/p:8:7")]),
        ("y/c -> x/a:80/UDP", [("x/p", 0, 1, 0, "x/p:8:7")]),
        ("y/c -> x/a:80/TCP", [("x/p", 0, 1, 1, "x/p:8:7"), ("x/p", 1, None, 0, "x/p:14:7")]),
        ("x/c -> x/a:80/TCP", [("x/p", 1, None, 0, "x/p:14:7")]),
        ("z/c -> x/a:83/UDP", [("x/p", 2, 0, None, "x/p:16:7")]),
        ("x/c -> x/a:80/UDP", []),
    ],
)
def test_matching_rules_are_named(flow: str, expected: list[tuple[object, ...]], decide: Decide) -> None:
    ingress = side(decide({"x/p": SPEC}, flow), Direction.INGRESS)
    assert [told(each) for each in ingress.matching] == expected
    assert ingress.allowed is bool(expected)


def test_an_empty_rule_matches_by_neither_peer_nor_port(decide: Decide) -> None:
    egress = side(decide({"x/p": SPEC}, "x/a -> ext:80/TCP"), Direction.EGRESS)
    assert [told(each) for each in egress.matching] == [("x/p", 0, None, None, "x/p:19:7")]


def test_selecting_policies_are_named_with_their_first_line(decide: Decide) -> None:
    specs = {"x/p": SPEC, "x/q": "{podSelector: {}}", "x/r": "{podSelector: {matchLabels: {pod: b}}}", "y/p": "{}"}
    ingress = side(decide(specs, "x/c -> x/a:80/UDP"), Direction.INGRESS)
    assert [told(each) for each in ingress.selecting] == [
        ("x/p", None, None, None, "x/p:1:1"),
        ("x/q", None, None, None, "x/q:1:1"),
    ]
    assert (ingress.pod, ingress.isolated, ingress.allowed, ingress.matching) == ("x/a", True, False, ())


def test_a_side_that_nobody_isolates(decide: Decide) -> None:
    egress = side(decide({"x/p": SPEC}, "x/b -> x/a:80/UDP"), Direction.EGRESS)
    assert (egress.pod, egress.isolated, egress.allowed, egress.selecting, egress.matching) == (
        "x/b",
        False,
        True,
        (),
        (),
    )


def test_rules_of_the_other_direction_are_no_evidence(decide: Decide) -> None:
    decision = decide({"x/p": "{policyTypes: [Ingress], ingress: [{}], egress: [{}]}"}, "x/a -> x/b:80/TCP")
    assert [(each.direction, len(each.matching)) for each in decision.sides] == [
        (Direction.EGRESS, 0),
        (Direction.INGRESS, 1),
    ]


@pytest.mark.parametrize(
    ("flow", "asked"),
    [
        ("x/a -> y/b:80/TCP", [(Direction.EGRESS, "x/a"), (Direction.INGRESS, "y/b")]),
        ("ext -> y/b:80/TCP", [(Direction.INGRESS, "y/b")]),
        ("x/a -> ext:80/TCP", [(Direction.EGRESS, "x/a")]),
    ],
)
def test_only_pods_have_a_say(flow: str, asked: list[tuple[Direction, str]], decide: Decide) -> None:
    assert [(each.direction, each.pod) for each in decide({}, flow).sides] == asked
