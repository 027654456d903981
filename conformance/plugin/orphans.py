"""A worker of pytest-xdist whose controller was killed: it is told to end, so that it removes what it made and makes nothing more."""

from __future__ import annotations

import os
import signal
import threading
import time

_PAUSE = 0.5


def end_with(controller: int) -> None:
    """Send this process SIGTERM once its parent is no longer the controller."""
    threading.Thread(target=_watch, args=(controller,), daemon=True).start()


def _watch(controller: int) -> None:
    while os.getppid() == controller:
        time.sleep(_PAUSE)
    os.kill(os.getpid(), signal.SIGTERM)
