"""A record with one case of each verdict, and with everything in its texts that a renderer could trip over."""

from __future__ import annotations

from typing import Any

from report_lines import case, finding, header, step

from conformance.model.record import ChangeLine, Footer, MatrixLine, Record

NASTY = '<b>*bold*</b> | `code` & "quotes" </script> _x_ ]]> \u2028'
MANIFEST: dict[str, Any] = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "deny", "namespace": "x", "annotations": {"note": NASTY}},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
}
MATRIX = MatrixLine(
    sources=["x/a", "x/b", "outside-1"],
    destinations=["x/a", "x/b"],
    expected={"80/TCP": [" .", "X ", "X."], "81/TCP": [" .", "X ", "X."], "80/UDP over IPv6": [" X", "X ", ".."]},
)
FINDINGS = [
    finding("x/b -> x/a:80/TCP"),
    finding("outside-1 -> x/a:80/TCP"),
    finding("x/a -> x/b:80/TCP", verdict="break", expected="allowed", observed="dropped", attempts=9, why=["x/b may"]),
    finding("x/a -> x/b:81/TCP", verdict="unknown", observed="failed", detail=f"exec: {NASTY}"),
    finding("x/a -> x/b:80/UDP over IPv6", verdict="unstable"),
]
STEP = step(
    name=f"denied {NASTY}",
    changes=[
        ChangeLine(what="create policy x/deny", policy=MANIFEST),
        ChangeLine(what="label pod x/a: set a=b", policy=None),
    ],
    matrix=MATRIX,
    cells=14,
    findings=FINDINGS,
    commands=["kubectl apply -f - <<'EOF'", "kubectl exec -n x a -- true"],
    latency_median=0.25,
    latency_slowest=0.5,
)
GOOD_STEP = step(
    matrix=MATRIX, cells=14, readings=3, seconds=1.5, latency_median=0.1, latency_slowest=0.12, barrier=0.2
)


def sample(**changes: Any) -> Record:
    """Return the record; `changes` are to its header."""
    cases = (
        case(id="AAA2", steps=[GOOD_STEP]),
        case(id="BBB2", verdict="fail", requirement=f"A pod MUST NOT {NASTY}.", notes=["seen twice"], steps=[GOOD_STEP, STEP]),
        case(id="CCC2", verdict="error", tier="extended", reason="no pods: \x00\x1b[31mred", hint="look at the nodes"),
        case(id="DDD2", verdict="waived", waiver="known since 2.3", features=["egress"], steps=[STEP]),
        case(id="EEE2-row-one", verdict="unsupported", tier="extended", reason="sctp: the kernel has none", path="cases/ports/sctp.yaml"),
        case(id="FFF2", tier="extended", features=["egress", "end-port"], path="cases/ports/range.yaml", steps=[GOOD_STEP]),
    )  # fmt: skip
    footer = Footer(
        type="footer",
        verdicts={"error": 1, "fail": 1, "pass": 2, "unsupported": 1, "waived": 1},
        seconds=61.5,
        ended="2026-11-23T19:01:02+00:00",
    )
    options = {
        "target": "kubernetes",
        "context": "prod",
        "waivers": "my waivers.yaml",
        "disruptive": "True",
        "unsupported": ["end-port", "ipv6"],
        "m": "core and not row",
    }
    head = header(cases=len(cases), options=options, about={"organization": "example", "contact": "@a @b"}, **changes)
    return Record(head, cases, footer)
