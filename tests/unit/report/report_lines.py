"""Lines of a record, made of what a test cares about."""

from __future__ import annotations

from typing import Any

from conformance.model.record import CaseLine, EvidenceLine, FindingLine, Header, StepLine

WHY = "x/a is isolated for ingress by x/deny (deny.yaml:14:9), and no ingress rule matches"


def header(**changes: Any) -> Header:
    line: dict[str, Any] = {
        "type": "header",
        "format": "netpol-conformance/run/v3",
        "suite_version": "1.2.3",
        "case_set": "0123456789abcdef",
        "cases": 1,
        "own_cases": 0,
        "shard": None,
        "target": "kind",
        "implementation": "calico",
        "implementation_version": "v3.32.0",
        "mode": "default",
        "about": {},
        "environment": {"kubernetes": "v1.36.0"},
        "unsupported": {"sctp": "the kernel has none"},
        "options": {},
        "started": "2026-11-23T19:00:00+00:00",
    }
    return Header(**{**line, **changes})


def case(**changes: Any) -> CaseLine:
    line: dict[str, Any] = {
        "type": "case",
        "id": "K7QD",
        "path": "cases/ingress/deny.yaml",
        "requirement": "A pod that a policy selects MUST NOT accept traffic that no policy allows.",
        "spec": "https://example.org/spec",
        "tier": "core",
        "features": ["ingress"],
        "verdict": "pass",
        "reason": "",
        "hint": "",
        "waiver": "",
        "notes": [],
        "seconds": 1.5,
        "setup": [],
        "steps": [],
    }
    return CaseLine(**{**line, **changes})


def step(**changes: Any) -> StepLine:
    line: dict[str, Any] = {
        "name": "denied",
        "changes": [],
        "matrix": {"sources": [], "destinations": [], "expected": {}},
        "cells": 288,
        "readings": 67,
        "seconds": 30.75,
        "latency_median": None,
        "latency_slowest": None,
        "barrier": None,
        "findings": [],
        "commands": [],
    }
    return StepLine(**{**line, **changes})


def finding(flow: str = "y/b -> x/a:80/TCP", **changes: Any) -> FindingLine:
    line: dict[str, Any] = {
        "flow": flow,
        "verdict": "leak",
        "expected": "blocked",
        "observed": "allowed",
        "detail": "",
        "seconds": 0.001,
        "attempts": 67,
        "why": [WHY],
        "evidence": [
            EvidenceLine(policy="x/deny", direction="Ingress", rule=None, peer=None, port=None, at="deny.yaml:14:9")
        ],
    }
    return FindingLine(**{**line, **changes})
