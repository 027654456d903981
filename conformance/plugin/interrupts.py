"""How a run ends before its time: by Ctrl-C, by SIGTERM, or since a worker's controller is gone. What was made is removed, and nothing more is made."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_PAUSE = 0.5
#: How long workers have to remove what they made, in seconds. Then pytest-xdist goes on, and kills what is left.
_LONGEST = 60.0
#: Files in the folder that workers share: a worker has something to remove, and the run ends.
_AT_WORK, _ENDED = "at-work", "ended"


@contextlib.contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the session as Ctrl-C does, so that what a cancelled job made is removed."""
    if threading.current_thread() is not threading.main_thread():  # signals belong to the main thread
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def end_with_the_controller(shared: Path) -> None:
    """Let this process, a worker, end once its controller is gone, or says in the folder that they share that the run ends.

    It may be told more than once, by the terminal too: what comes after the first does not keep it from removing what it made.
    """
    (shared / _AT_WORK).touch()
    if threading.current_thread() is threading.main_thread():
        _end_once()
    threading.Thread(target=_watch, args=(os.getppid(), shared / _ENDED), daemon=True).start()


def _end_once() -> None:
    told = False

    def interrupt(*_: object) -> None:
        nonlocal told
        if not told:
            told = True
            raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, interrupt)


def _watch(controller: int, ended: Path) -> None:
    while os.getppid() == controller and not ended.exists():
        time.sleep(_PAUSE)
    os.kill(os.getpid(), signal.SIGTERM)


def end(workers: Iterable[Any], shared: Path) -> None:
    """Tell the workers of pytest-xdist that the run ends, and wait until they have removed what they made: left alone, they are killed after 10 s."""
    if not (shared / _AT_WORK).exists():
        return
    (shared / _ENDED).touch()
    deadline = time.monotonic() + _LONGEST
    for each in workers:
        # A worker that has ended already closes its channel with an EOFError.
        with contextlib.suppress(each.channel.TimeoutError, each.channel.RemoteError, OSError, EOFError):
            each.channel.waitclose(max(0.0, deadline - time.monotonic()))
