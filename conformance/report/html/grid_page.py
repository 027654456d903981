"""The page of a grid: what each run came to, how that went over time, and every case by every run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.report import history
from conformance.report.html.rendering import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.report.grid import Grid
    from conformance.report.history import HistoryLine

_MEANS = {
    "pass": "passes",
    "fail": "fails",
    "error": "could not be judged",
    "waived": "fails, as is known",
    "unsupported": "not supported there",
    "skipped": "left out",
    "notrun": "not run",
    "no data": "no data: the run was cut off",
}
_MOST_NIGHTS = 60
_WIDTH, _HEIGHT, _EDGE = 90, 18, 2


@dataclass(frozen=True, slots=True)
class Trend:
    """A line over time: how much of what could be judged passed, from the least to the most of it."""

    points: str
    last: str
    words: str
    width: int = _WIDTH
    height: int = _HEIGHT


def grid_page(grid: Grid, lines: Iterable[HistoryLine]) -> str:
    """Return the page; `lines` is the history, with this grid in it."""
    tiers = grid.tiers
    trends = history.trends(lines, tiers[0])
    return render(
        "grid.html",
        legs=grid.legs,
        cases=grid.cases,
        tiers=tiers,
        suite_version=grid.legs[0].record.header["suite_version"],
        means=_MEANS,
        verdicts_of=lambda case_id: [leg.verdict(case_id) for leg in grid.legs],
        trends={
            leg.slug: _trend(trends.get((leg.record.header["implementation"], leg.record.header["mode"]), ()))
            for leg in grid.legs
        },
    )


def _trend(nights: Sequence[tuple[str, float]]) -> Trend | None:
    if not nights:
        return None
    shares = [share for _, share in nights[-_MOST_NIGHTS:]]
    low, high = min(shares), max(shares)
    steps = max(len(shares) - 1, 1)
    points = [
        (_EDGE + (_WIDTH - 2 * _EDGE) * place / steps, _height(share, low, high)) for place, share in enumerate(shares)
    ]
    if len(points) == 1:
        points.append((_WIDTH - _EDGE, points[0][1]))
    last = _percent(shares[-1])
    return Trend(
        " ".join(f"{x:.1f},{y:.1f}" for x, y in points),
        last,
        f"{len(shares)} run{'s' if len(shares) > 1 else ''}: {_percent(low)} to {_percent(high)} passed, {last} in the last",
    )


def _height(share: float, low: float, high: float) -> float:
    """Place a share between the edges; where all are alike, in the middle."""
    room = _HEIGHT - 2 * _EDGE
    return _EDGE + room * (1 - (share - low) / (high - low)) if high > low else _HEIGHT / 2


def _percent(share: float) -> str:
    """Write a share; only what is whole is 100 %."""
    return "100 %" if share == 1 else f"{int(share * 1000) / 10:.1f} %"
