"""The time of this machine."""

from __future__ import annotations

import time


class SystemClock:
    """A `Clock` that runs by itself."""

    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
