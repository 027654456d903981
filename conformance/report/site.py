"""The files of a published grid: the page of all runs, a page of each, badges, data for other programs, and the history."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from conformance.report import history
from conformance.report.badge import badge
from conformance.report.conformance_report import conformance_report
from conformance.report.html.grid_page import grid_page
from conformance.report.html.run_page import run_page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from conformance.model.record import CaseLine
    from conformance.report.grid import Grid, Leg
    from conformance.report.history import HistoryLine

HISTORY = "history.jsonl"
API = "api/v1"


def site(grid: Grid, earlier: Iterable[HistoryLine], as_yaml: Callable[[Mapping[str, Any]], str]) -> Mapping[str, str]:
    """Return the text of each file by its path; `earlier` is the history until now."""
    lines = history.joined(earlier, history.lines_of(grid))
    files = {"index.html": grid_page(grid, lines), HISTORY: history.write(lines)}
    for leg in grid.legs:
        files[f"runs/{leg.slug}.html"] = run_page(leg.record, as_yaml)
        files[f"runs/{leg.slug}.yaml"] = as_yaml(conformance_report(leg.record))
        for tier in grid.tiers:
            files[f"badges/{leg.slug}-{tier}.json"] = _json(badge(leg.record, tier))
    files[f"{API}/runs.json"] = _json([_run(leg) for leg in grid.legs])
    files[f"{API}/cases.json"] = _json([_case(grid, line) for line in grid.cases])
    return files


def _run(leg: Leg) -> dict[str, Any]:
    header = leg.record.header
    return {
        "slug": leg.slug,
        "title": leg.title,
        "implementation": header["implementation"],
        "version": header["implementation_version"],
        "mode": header["mode"],
        "environment": header["environment"],
        "suiteVersion": header["suite_version"],
        "caseSet": header["case_set"],
        "started": header["started"],
        "complete": leg.record.footer is not None,
        "page": f"runs/{leg.slug}.html",
        "report": f"runs/{leg.slug}.yaml",
    }


def _case(grid: Grid, line: CaseLine) -> dict[str, Any]:
    return {
        "id": line["id"],
        "requirement": line["requirement"],
        "spec": line["spec"],
        "tier": line["tier"],
        "features": line["features"],
        "verdicts": {leg.slug: leg.verdict(line["id"]) for leg in grid.legs},
    }


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"
