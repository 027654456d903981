"""What a parsed row means, and how default, rows against it and rows that take back are put together."""

from __future__ import annotations

import pytest

from conformance.casefile.rows import row
from conformance.model.case import Expectation
from conformance.model.flow import Flow

FLOWS = [
    "x/a -> y/b:80/TCP",
    "x/a -> y/b:81/UDP",
    "x/b -> x/a:80/TCP",
    "ext -> x/a:80/TCP",
    "x/a -> ext:80/TCP",
    "y/a -> web.x.svc:8080/TCP",
    "y/a -> web.y.svc:8080/TCP",
    "y/a -> db.x.svc:8080/TCP",
]


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("* -> *", FLOWS),
        ("x/a -> y/b", FLOWS[:2]),
        ("x/a -> y/b:80/TCP", FLOWS[:1]),
        ("x/a -> y/b:80", FLOWS[:1]),
        ("x/a -> y/b:*/UDP", FLOWS[1:2]),
        ("x/a -> y/b:80-81", FLOWS[:2]),
        ("x/a -> y/b:79,81", FLOWS[1:2]),
        ("x/* -> *", [*FLOWS[:3], FLOWS[4]]),
        ("*/a -> y/*", FLOWS[:2]),
        ("*/* -> */*", FLOWS[:3]),
        ("x/a, x/b -> */a, */b", FLOWS[:3]),
        ("ext -> *", FLOWS[3:4]),
        ("* -> ext", FLOWS[4:5]),
        ("!ext -> x/a", FLOWS[2:3]),
        ("!x/*, ext -> *", FLOWS[5:]),
        ("x/a -> !y/b", FLOWS[4:5]),
        ("!x/b -> !y/b:80", FLOWS[3:5]),
        ("* -> web.x.svc", FLOWS[5:6]),
        ("* -> *.x.svc", [FLOWS[5], FLOWS[7]]),
        ("* -> web.*.svc", FLOWS[5:7]),
        ("* -> *.*.svc", FLOWS[5:]),
        ("* -> *.svc", FLOWS[5:]),
        ("* -> !web.*.svc:8080", FLOWS[7:]),
        ("x -> *", []),
        ("* -> y", []),
        ("web/x -> *", []),
    ],
)
def test_what_a_row_matches(text: str, matched: list[str]) -> None:
    read = row(text)
    assert [flow for flow in FLOWS if read.matches(Flow.parse(flow))] == matched


@pytest.mark.parametrize(
    ("default", "allow", "deny", "allowed"),
    [
        pytest.param(True, [], [], FLOWS, id="all"),
        pytest.param(False, [], [], [], id="none"),
        pytest.param(True, [], ["* -> *"], [], id="all are taken"),
        pytest.param(True, [], ["x/* -> *"], [FLOWS[3], *FLOWS[5:]], id="some are taken"),
        pytest.param(
            True, ["x/a -> *:80/TCP"], ["x/* -> *"], [FLOWS[0], *FLOWS[3:]], id="and some of those given back"
        ),
        pytest.param(True, ["x/a -> *"], [], FLOWS, id="what is not taken cannot be given back"),
        pytest.param(False, ["x/* -> *"], ["x/a -> *:80"], FLOWS[1:3], id="the other way round"),
        pytest.param(False, [], ["x/a -> *"], [], id="nothing to take back"),
    ],
)
def test_an_expectation_goes_from_coarse_to_fine(
    default: bool, allow: list[str], deny: list[str], allowed: list[str]
) -> None:
    expectation = Expectation(default, tuple(map(row, allow)), tuple(map(row, deny)))
    assert [flow for flow in FLOWS if expectation.allows(Flow.parse(flow))] == allowed
