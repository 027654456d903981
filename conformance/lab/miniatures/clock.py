"""Time that passes only while something waits for it."""

from __future__ import annotations


class VirtualClock:
    """A `Clock` for miniatures and tests."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
