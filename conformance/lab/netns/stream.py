"""The line to one agent: a pipe to it, a pipe from it, and a place for its last words."""

from __future__ import annotations

import os
import select
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from conformance.errors import ProbeFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: How long an agent may take to read what it is sent.
SEND_TIMEOUT = 10.0
_LAST_WORDS = 2000


class PipeStream:
    """A `runner.probing.Stream` over pipes. `start` is given the agent's three standard streams, and starts it."""

    def __init__(self, start: Callable[[Sequence[int]], None]) -> None:
        self._buffer = b""
        self._open = True
        with ExitStack() as ours, ExitStack() as theirs:
            agent_in, self._out = _pipe(theirs, ours)
            self._in, agent_out = _pipe(ours, theirs)
            self._stderr = os.memfd_create("last words of an agent")
            ours.callback(os.close, self._stderr)
            os.set_blocking(self._out, False)
            start((agent_in, agent_out, self._stderr))
            self._files = ours.pop_all()

    def send(self, line: str) -> None:
        data = memoryview(line.encode() + b"\n")
        deadline = time.monotonic() + SEND_TIMEOUT
        while data:
            self._wait(self._out, select.POLLOUT, deadline, "does not read what it is sent")
            try:
                data = data[os.write(self._out, data) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ProbeFailed("the agent is gone", causes=self._last_words()) from error

    def receive(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            self._wait(self._in, select.POLLIN, deadline, f"did not answer within {timeout:g} s")
            chunk = os.read(self._in, 1 << 16)
            if not chunk:
                raise ProbeFailed("the agent is gone", causes=self._last_words())
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace")

    def close(self) -> None:
        if self._open:
            self._open = False
            self._files.close()

    def _wait(self, fd: int, event: int, deadline: float, complaint: str) -> None:
        if not self._open:
            raise ProbeFailed("the line to the agent is closed")
        poll = select.poll()
        poll.register(fd, event)
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise ProbeFailed(f"the agent {complaint}", causes=self._last_words())

    def _last_words(self) -> Sequence[str]:
        lines = os.pread(self._stderr, _LAST_WORDS, 0).decode(errors="replace").strip().splitlines()
        return lines[-1:]


def _pipe(reader: ExitStack, writer: ExitStack) -> tuple[int, int]:
    """Make a pipe, and have each end closed with what belongs to its owner."""
    ends = os.pipe()
    reader.callback(os.close, ends[0])
    writer.callback(os.close, ends[1])
    return ends
