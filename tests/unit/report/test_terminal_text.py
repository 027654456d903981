"""A record as text for people."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from report_lines import case, finding, header, step

from conformance.report.terminal import case_text, summary

if TYPE_CHECKING:
    from conformance.model.record import CaseLine

PODS = [f"{namespace}/{pod}" for namespace in "xyz" for pod in "abc"]
PORTS = [f"{port}/{protocol}" for port in (80, 81) for protocol in ("TCP", "UDP")]


def failing(*findings: Any, **changes: Any) -> CaseLine:
    return case(verdict="fail", steps=[step(findings=list(findings), **changes)])


def test_a_failing_case_is_told_as_a_person_would_tell_it() -> None:
    leaks = [finding(f"{pod} -> x/a:{port}") for pod in ("y/b", "z/a", "z/c") for port in PORTS]
    breaks = [
        finding(
            f"y/a -> x/a:{port}",
            verdict="break",
            expected="allowed",
            observed="rejected",
            detail="Connection refused",
            why=["x/deny ingress[0].from[0] (deny.yaml:17:11) lets it into x/a"],
        )
        for port in ("80/TCP", "81/UDP")
    ]
    commands = ["echo '{}' | kubectl apply -f -", "kubectl exec b -- python3 -c '...'"]
    line = case(
        verdict="fail",
        notes=["the next case gets fresh namespaces"],
        steps=[step(name="open", readings=2), step(findings=[*leaks, *breaks], commands=commands)],
    )
    told = """
        FAIL K7QD: 12 leak, 2 break of 288 flows in step 'denied'
        case:          cases/ingress/deny.yaml
        requirement:   A pod that a policy selects MUST NOT accept traffic that no policy allows.
        specification: https://example.org/spec
        note:          the next case gets fresh namespaces

        step 'denied': 14 of 288 flows are not as they must be (read 67 times in 30.8 s)
          LEAK: must be blocked, but passed
            y/b, z/a, z/c -> x/a:80,81/TCP,UDP
            must be blocked because x/a is isolated for ingress by x/deny (deny.yaml:14:9), and no ingress rule matches
          BREAK: must pass, but was refused (Connection refused)
            y/a -> x/a:80/TCP, 81/UDP
            must pass because x/deny ingress[0].from[0] (deny.yaml:17:11) lets it into x/a
          to see it by hand, in a run with --keep:
            echo '{}' | kubectl apply -f -
            kubectl exec b -- python3 -c '...'
    """
    assert case_text(line) == textwrap.dedent(told).strip()


def test_an_error_says_that_it_accuses_nobody() -> None:
    line = case(verdict="error", reason="no pods came up; image: not found", hint="name a mirror with --image")
    told = """
        ERROR K7QD: no pods came up; image: not found
        case:          cases/ingress/deny.yaml
        requirement:   A pod that a policy selects MUST NOT accept traffic that no policy allows.
        specification: https://example.org/spec
        hint:          name a mirror with --image
        note:          an error is of the suite or of the cluster: it says nothing about the implementation
    """
    assert case_text(line) == textwrap.dedent(told).strip()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "LEAK: must be blocked, but passed"),
        (
            {"verdict": "break", "expected": "allowed", "observed": "dropped", "detail": ""},
            "BREAK: must pass, but got no answer",
        ),
        (
            {"verdict": "break", "expected": "allowed", "observed": "misdelivered", "detail": "z/c#1 answered"},
            "BREAK: must pass, but was answered by somebody else (z/c#1 answered)",
        ),
        (
            {"verdict": "unstable", "expected": "allowed", "observed": "dropped"},
            "UNSTABLE: must pass, but at times got no answer",
        ),
        ({"verdict": "unstable"}, "UNSTABLE: must be blocked, but at times passed"),
        (
            {"verdict": "unknown", "observed": "failed", "detail": "the stream broke"},
            "UNKNOWN: must be blocked, but could not be measured (the stream broke)",
        ),
    ],
)
def test_every_finding_says_what_must_be_and_what_was(changes: dict[str, Any], text: str) -> None:
    assert f"  {text}" in case_text(failing(finding(**changes))).splitlines()


def test_the_first_line_alone_is_enough_to_know_what_is_wrong() -> None:
    def first(line: CaseLine) -> str:
        return case_text(line).partition("\n")[0]

    assert first(failing(finding())) == "FAIL K7QD: 1 leak of 288 flows in step 'denied'"
    assert first(case(verdict="error", reason="no pods")) == "ERROR K7QD: no pods"
    assert first(case(verdict="waived", waiver="known since 2019")) == "WAIVED K7QD: known since 2019"
    assert first(case()) == "PASS K7QD: pass"


def test_flows_that_differ_alike_are_one_line_whatever_their_order() -> None:
    flows = [f"{source} -> {destination}:{port}" for port in PORTS for source in PODS[3:] for destination in PODS[:3]]
    text = case_text(failing(*map(finding, flows)))
    assert "    y/a, y/b, y/c, z/a, z/b, z/c -> x/a, x/b, x/c on 80,81/TCP,UDP" in text.splitlines()


def test_flows_that_one_rule_decides_are_told_once_whoever_sends_them() -> None:
    rule = "x/p ingress[0].from[0] (p.yaml:9:5) lets it into x/a"
    decided = [{"policy": "x/p", "direction": "Ingress", "rule": 0, "peer": 0, "port": None, "at": "p.yaml:9:5"}]
    breaks = [
        finding(
            f"{source} -> x/a:80/TCP",
            verdict="break",
            expected="allowed",
            observed="dropped",
            why=[f"{source} is not isolated for egress: no policy selects it", rule],
            evidence=decided,
        )
        for source in PODS[3:]
    ]
    told = case_text(failing(*breaks)).splitlines()
    assert [line for line in told if "BREAK" in line] == ["  BREAK: must pass, but got no answer"]
    assert "    y/a, y/b, y/c, z/a, z/b, z/c -> x/a:80/TCP" in told
    because = [line for line in told if "because" in line]
    assert because[0] == f"    must pass because {rule}"
    assert len(because) == 3
    assert "    ... and 4 more such reasons" in told


def test_ports_that_differ_unevenly_are_listed() -> None:
    flows = [f"y/a -> x/a:{port}" for port in ("80/TCP", "81/TCP", "81/UDP")]
    assert "    y/a -> x/a:80/TCP, 81/TCP, 81/UDP" in case_text(failing(*map(finding, flows))).splitlines()


def test_each_family_has_lines_of_its_own() -> None:
    flows = [
        f"{source} -> x/a:{port} over {over}" for source in PODS[3:5] for port in PORTS for over in ("IPv6", "IPv4")
    ]
    text = case_text(failing(*map(finding, flows[:-1]))).splitlines()
    assert "    y/a, y/b -> x/a:80,81/TCP,UDP over IPv6" in text
    assert "    y/a -> x/a:80,81/TCP,UDP over IPv4" in text


def test_services_and_endpoints_are_written_as_in_a_case() -> None:
    flows = ["x/a -> web.y.svc:8080/TCP", "ext -> x/a:80/TCP"]
    lines = case_text(failing(*map(finding, flows))).splitlines()
    assert {"    x/a -> web.y.svc:8080/TCP", "    ext -> x/a:80/TCP"} <= set(lines)


def test_a_world_in_which_everything_is_broken_still_fits_a_screen() -> None:
    findings = [
        finding(
            f"{source} -> {destination}:{port}",
            verdict="break",
            expected="allowed",
            observed="dropped",
            why=[f"{source} is not isolated for egress: no policy selects it", f"{destination} is not isolated either"],
        )
        for source in PODS
        for destination in PODS
        for port in PORTS
        if source != destination
    ]
    lines = case_text(failing(*findings, commands=[f"kubectl {number}" for number in range(100)])).splitlines()
    assert len(lines) < 60
    assert all(len(line) < 200 for line in lines)
    assert "    ... and 88 more" in lines


def test_much_that_differs_in_many_ways_is_cut_and_said_so() -> None:
    findings = [finding(f"x/a -> y/p{number}:80/TCP", detail=f"reason {number}") for number in range(30)]
    lines = case_text(failing(*findings)).splitlines()
    assert "  ... and 18 more groups of flows: see the record" in lines
    assert len(lines) < 60


def test_a_step_that_agrees_is_not_told() -> None:
    assert "open" not in case_text(case(verdict="fail", steps=[step(name="open"), step(findings=[finding()])]))


# The sum of a run.


def test_the_sum_of_a_run() -> None:
    lines = [
        *[case() for _ in range(5)],
        case(verdict="fail", steps=[step(latency_slowest=4.0)]),
        case(verdict="waived", steps=[step(latency_slowest=0.5), step(latency_slowest=1.0)]),
        case(tier="extended", verdict="unsupported"),
        case(tier="extended", verdict="pass"),
    ]
    assert list(summary(header(cases=9), lines)) == [
        "NetworkPolicy conformance of calico v3.32.0 on kind",
        "  core         7 cases: 5 pass, 1 fail, 1 waived",
        "  extended     2 cases: 1 pass, 1 unsupported",
        "  changes took effect within 1.00 s (median step), 4.00 s (slowest)",
    ]


def test_the_sum_of_a_shard_counts_what_is_the_shards() -> None:
    head = header(cases=9, shard={"number": 2, "count": 4, "cases": 3})
    assert list(summary(head, [case(), case()]))[1:] == [
        "  shard 2/4: 3 of 9 cases",
        "  core         2 cases: 2 pass",
        "  1 of 3 cases were not run",
    ]


def test_the_sum_of_a_run_with_errors_accuses_nobody_of_them() -> None:
    lines = [case(), case(verdict="error")]
    assert list(summary(header(cases=2, implementation_version=""), lines)) == [
        "NetworkPolicy conformance of calico on kind",
        "  core         2 cases: 1 pass, 1 error",
        "  an error is of the suite or of the cluster: it says nothing about the implementation",
    ]


def test_the_sum_of_a_run_that_was_cut_off_says_what_is_missing() -> None:
    assert "  7 of 9 cases were not run" in list(summary(header(cases=9), [case(), case()]))
