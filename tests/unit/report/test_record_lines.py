"""From results to lines."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from report_lines import WHY

from conformance.model.case import (
    ApplyPolicy,
    Case,
    CreateNamespace,
    DeletePolicy,
    Expectation,
    LabelPod,
    Step,
    Tier,
)
from conformance.model.decision import Decision, DirectionDecision, Evidence
from conformance.model.flow import Flow
from conformance.model.matrix import Cell, CellVerdict, Observation, Observed
from conformance.model.policy import Direction, LabelSelector, NetworkPolicy
from conformance.model.source import Location
from conformance.model.verdict import CaseResult, StepResult, Verdict
from conformance.model.world import IPFamily, Namespace, Protocol
from conformance.report.lines import case_line

if TYPE_CHECKING:
    from conformance.model.case import Action

CASE = Case(
    "K7QD",
    "A pod MUST.",
    "https://example.org/spec",
    Tier.EXTENDED,
    (Step("denied"),),
    features=frozenset({"sctp", "egress", "ingress"}),
    location=Location("cases/deny.yaml", 1),
)
FLOW = Flow("y/b", "x/a", 80, Protocol.TCP)


def test_a_case_without_steps() -> None:
    result = CaseResult(CASE, Verdict.ERROR, reason="no pods", hint="--image", seconds=1.23456, notes=("a", "b"))
    assert case_line(result) == {
        "type": "case",
        "id": "K7QD",
        "path": "cases/deny.yaml",
        "requirement": "A pod MUST.",
        "spec": "https://example.org/spec",
        "tier": "extended",
        "features": ["egress", "ingress", "sctp"],
        "verdict": "error",
        "reason": "no pods",
        "hint": "--image",
        "waiver": "",
        "notes": ["a", "b"],
        "seconds": 1.235,
        "setup": [],
        "steps": [],
    }


@pytest.mark.parametrize("declared", [True, False])
def test_a_step_with_a_finding(declared: bool) -> None:
    at = Location("cases/deny.yaml", 14, 9)
    selecting = Evidence("x/deny", Direction.INGRESS, location=at)
    matching = Evidence("x/deny", Direction.INGRESS, 0, 1, None, at)
    decision = Decision(
        FLOW, declared, (DirectionDecision(Direction.INGRESS, "x/a", True, declared, (selecting,), (matching,)),)
    )
    seen = Observation(Observed.REJECTED, 0.25, "Connection refused")
    cell = Cell(FLOW, declared, decision, seen, CellVerdict.UNSTABLE, attempts=9, why=(WHY,))
    steps = (
        StepResult("open", {FLOW: True}, (), 2, 0.5, (), ()),
        StepResult("denied", {FLOW: declared}, (cell,), 12, 3.14159, (0.1, 0.30001, 0.2), ("kubectl", "kubectl")),
    )
    lines = case_line(CaseResult(CASE, Verdict.WAIVED, steps, waiver="known"))
    assert lines["waiver"] == "known"
    assert lines["steps"][0] == {
        "name": "open",
        "changes": [],
        "matrix": {"sources": ["y/b"], "destinations": ["x/a"], "expected": {"80/TCP": ["."]}},
        "cells": 1,
        "readings": 2,
        "seconds": 0.5,
        "latency_median": None,
        "latency_slowest": None,
        "barrier": None,
        "findings": [],
        "commands": [],
    }
    assert lines["steps"][1] == {
        "name": "denied",
        "changes": [],
        "matrix": {"sources": ["y/b"], "destinations": ["x/a"], "expected": {"80/TCP": ["." if declared else "X"]}},
        "cells": 1,
        "readings": 12,
        "seconds": 3.142,
        "latency_median": 0.2,
        "latency_slowest": 0.3,
        "barrier": None,
        "commands": ["kubectl", "kubectl"],
        "findings": [
            {
                "flow": "y/b -> x/a:80/TCP",
                "verdict": "unstable",
                "expected": "allowed" if declared else "blocked",
                "observed": "rejected",
                "detail": "Connection refused",
                "seconds": 0.25,
                "attempts": 9,
                "why": [WHY],
                "evidence": [
                    {
                        "policy": "x/deny",
                        "direction": "Ingress",
                        "rule": None,
                        "peer": None,
                        "port": None,
                        "at": "cases/deny.yaml:14:9",
                    },
                    {
                        "policy": "x/deny",
                        "direction": "Ingress",
                        "rule": 0,
                        "peer": 1,
                        "port": None,
                        "at": "cases/deny.yaml:14:9",
                    },
                ],
            }
        ],
    }


def test_a_case_that_is_of_no_file() -> None:
    case = Case("K7QD", "A pod MUST.", "https://example.org/spec", Tier.CORE, ())
    assert case_line(CaseResult(case, Verdict.PASS))["path"] == ""


def test_steps_tell_what_was_changed_since_the_reading_before_and_what_must_be_seen() -> None:
    manifest = {"kind": "NetworkPolicy", "metadata": {"name": "deny", "namespace": "x"}}
    deny = NetworkPolicy("x", "deny", LabelSelector(), frozenset({Direction.INGRESS}), manifest=manifest)
    anything = Expectation(default=True)
    actions: tuple[tuple[Action, ...], ...] = (
        (ApplyPolicy(deny),),
        (LabelPod("x/a", {"colour": "green"}),),
        (ApplyPolicy(deny), DeletePolicy("x/deny")),
    )
    reads = (None, anything, anything)
    case = replace(
        CASE,
        setup=(CreateNamespace(Namespace("w", {"team": "w"})),),
        steps=tuple(Step(f"step {number}", *each) for number, each in enumerate(zip(actions, reads, strict=True))),
    )
    outside = replace(FLOW, source="outside-1")
    service = replace(FLOW, destination="web.x.svc", family=IPFamily.IPV6)
    expected = {outside: False, FLOW: False, replace(FLOW, source="x/a", destination="y/b"): True, service: True}
    line = case_line(CaseResult(case, Verdict.PASS, (StepResult("step 1", expected), StepResult("step 2", expected))))
    assert [each["what"] for each in line["setup"]] == ["create namespace w: team=w"]
    assert [[each["what"] for each in step["changes"]] for step in line["steps"]] == [
        ["create policy x/deny", "label pod x/a: set colour=green"],
        ["replace the whole of policy x/deny by", "delete policy x/deny"],
    ]
    assert [each["policy"] for each in line["steps"][0]["changes"]] == [manifest, None]
    assert line["steps"][1]["matrix"] == {
        "sources": ["y/b", "x/a", "outside-1"],
        "destinations": ["y/b", "x/a", "web.x.svc"],
        "expected": {"80/TCP": [" X ", ".  ", " X "], "80/TCP over IPv6": ["  .", "   ", "   "]},
    }
    assert line["steps"][1]["cells"] == 4
