"""Pictures of numbers, as SVG with the same in words beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The limits of the columns in seconds, twice as long from one to the next.
_LIMITS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6)
_WIDTH, _HEIGHT, _GAP, _TEXT = 36, 80, 4, 14


@dataclass(frozen=True, slots=True)
class Bar:
    """One column: where it stands, how high it is, and what it means."""

    x: int
    y: float
    height: float
    label: str
    count: int
    title: str


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many steps took how long, in columns that a template draws."""

    bars: tuple[Bar, ...]
    words: str
    bar_width: int = _WIDTH - _GAP
    base: int = _HEIGHT + _TEXT

    @property
    def width(self) -> int:
        return _WIDTH * len(self.bars)

    @property
    def height(self) -> int:
        return self.base + _TEXT


def histogram(latencies: Sequence[float]) -> Histogram | None:
    """Return the distribution of sorted seconds; None where there are none."""
    if not latencies:
        return None
    counts = [sum(low <= each < high for each in latencies) for low, high in _columns()]
    first = next(index for index, count in enumerate(counts) if count)
    last = max(index for index, count in enumerate(counts) if count)
    most = max(counts)
    bars = []
    for place, index in enumerate(range(first, last + 1)):
        low, high = _columns()[index]
        height = _HEIGHT * counts[index] / most
        label = f"{low:g}" if index else "0"
        title = f"{counts[index]} steps: {low:g} s to {'more' if high == float('inf') else f'{high:g} s'}"
        bars.append(Bar(place * _WIDTH, _HEIGHT + _TEXT - height, height, label, counts[index], title))
    median, late = latencies[len(latencies) // 2], latencies[int(len(latencies) * 0.95)]
    words = (
        f"In {len(latencies)} steps something had to change. The slowest flow of a step took {median:.2f} s in the median, "
        f"{late:.2f} s at the 95th percentile, and {latencies[-1]:.2f} s at most."
    )
    return Histogram(tuple(bars), words)


def _columns() -> Sequence[tuple[float, float]]:
    return list(zip((0.0, *_LIMITS), (*_LIMITS, float("inf")), strict=True))
