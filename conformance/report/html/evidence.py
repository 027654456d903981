"""What a page shows of a case once it is opened, as data for the page's script: it draws, and decides nothing."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from conformance.report.findings import ends, grouped, places, reasons, times
from conformance.report.policies import deciding_manifests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model.record import CaseLine, ChangeLine, FindingLine, StepLine
    from conformance.report.policies import AsText

#: How a cell is drawn that is not as it must be, by the verdict on it.
_SEEN = {"leak": ".", "break": "X", "unstable": "~", "unknown": "?"}


def evidence(line: CaseLine, as_yaml: AsText) -> dict[str, Any]:
    """Return what is shown of one case; `as_yaml` writes a manifest."""
    return {
        "id": line["id"],
        "verdict": line["verdict"],
        "requirement": line["requirement"],
        "spec": line["spec"],
        "path": line["path"],
        "hint": line["hint"],
        "waiver": line["waiver"],
        "notes": line["notes"],
        "setup": [_change(each, as_yaml) for each in line["setup"]],
        "steps": [
            {
                **_step(step, as_yaml),
                "deciding": [as_yaml(each).rstrip() for each in deciding_manifests(line, number)],
            }
            for number, step in enumerate(line["steps"])
        ],
    }


def _change(line: ChangeLine, as_yaml: AsText) -> dict[str, str]:
    return {"what": line["what"], "yaml": as_yaml(line["policy"]).rstrip() if line["policy"] is not None else ""}


def _step(step: StepLine, as_yaml: AsText) -> dict[str, Any]:
    return {
        "name": step["name"],
        "changes": [_change(each, as_yaml) for each in step["changes"]],
        "sources": step["matrix"]["sources"],
        "destinations": step["matrix"]["destinations"],
        "grids": _grids(step),
        "findings": [
            {"what": group.sentence, "flows": list(places(members)), "must": group.must, "because": reasons(members)}
            for group, members in grouped(step["findings"]).items()
        ],
        "numbers": _numbers(step),
        "commands": step["commands"],
    }


def _grids(step: StepLine) -> list[dict[str, Any]]:
    """Return the grids of a step, those of ports that are alike as one: what must be seen, and what was seen where that differs."""
    findings: dict[str, list[FindingLine]] = defaultdict(list)
    for finding in step["findings"]:
        findings[ends(finding["flow"])[2]].append(finding)
    alike: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = defaultdict(list)
    for port, rows in step["matrix"]["expected"].items():
        alike[tuple(rows), tuple(_observed(step, rows, findings[port]))].append(port)
    return [
        {"ports": ports, "expected": list(expected), "observed": list(observed) if observed != expected else None}
        for (expected, observed), ports in alike.items()
    ]


def _observed(step: StepLine, expected: Sequence[str], findings: Sequence[FindingLine]) -> list[str]:
    if not findings:
        return list(expected)
    sources, destinations = step["matrix"]["sources"], step["matrix"]["destinations"]
    grid = [list(row) for row in expected]
    for finding in findings:
        source, destination, _ = ends(finding["flow"])
        grid[sources.index(source)][destinations.index(destination)] = _SEEN[finding["verdict"]]
    return ["".join(row) for row in grid]


def _numbers(step: StepLine) -> str:
    said = [f"{step['cells']} flows, read {times(step['readings'])} in {step['seconds']:.1f} s"]
    if step["latency_slowest"] is not None:
        said.append(
            f"changes showed after {step['latency_median']:.2f} s (median), {step['latency_slowest']:.2f} s (slowest)"
        )
    if step["findings"]:
        least, *_, most = sorted(2 * [finding["attempts"] for finding in step["findings"]])
        said.append(f"what differs was read {f'{least} to ' if least < most else ''}{times(most)}")
    return "; ".join(said)
