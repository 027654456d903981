"""A clock that somebody sets: as `sitecustomize`, it has every Python of a run read the time of day wrong by the seconds in the file `shift` beside it.

It also has each say where it stands when it is asked to with SIGUSR1, for a run that hangs.
"""

import datetime as dt
import faulthandler
import signal
import time
from pathlib import Path
from typing import Any

_SHIFT = Path(__file__).with_name("shift")
_TIME = time.time


def _shift() -> float:
    try:
        return float(_SHIFT.read_text())
    except (OSError, ValueError):
        return 0.0


def _shifted_time() -> float:
    return _TIME() + _shift()


class _Shifted(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> Any:
        return dt.datetime.fromtimestamp(_shifted_time(), tz)


faulthandler.register(signal.SIGUSR1)
time.time = _shifted_time
dt.datetime = _Shifted  # type: ignore[misc]
