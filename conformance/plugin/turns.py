"""Whose turn it is where several workers share a target: any number at a time, or one alone.

The locks are the kernel's, on files that all workers know, so that those of a worker that dies are free again.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait for a turn and have it; `folder` is the same for all workers.

    Who wants to be alone waits with the door shut: otherwise others, one after another, could keep it waiting for ever.
    """
    with (folder / "turn").open("ab") as held:
        with (folder / "door").open("ab") as door:
            fcntl.flock(door, fcntl.LOCK_EX)
            fcntl.flock(held, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
