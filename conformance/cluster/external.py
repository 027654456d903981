"""The endpoint outside the cluster: a command that runs the agent somewhere else, with its stdin and stdout as the stream."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, NoReturn, cast

from conformance.cluster.manifests import server_arguments
from conformance.cluster.naming import CONTEXT_LABEL, MANAGED_BY, MANAGED_BY_LABEL, RUN_LABEL, shortened
from conformance.errors import ProbeFailed
from conformance.runner.routes import identity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.cluster.naming import Names
    from conformance.model.world import Endpoint

#: Programs whose `run` makes a container: it gets a name and labels, so that it can be found again.
ENGINES = frozenset({"docker", "podman", "nerdctl"})
_TAIL = 2000
_CHUNK = 1 << 16
#: How long the command is given to end by itself once its stdin is closed, which ends the agent.
_ENDING = 5.0
#: How long a command that broke off is given to say why.
_LAST_WORDS = 1.0


@dataclass(frozen=True, slots=True)
class External:
    """How one endpoint's agent is started, and how a person reaches the same machine while it runs."""

    command: tuple[str, ...]
    beside: tuple[str, ...] = ()


def external(
    prefix: Sequence[str], endpoint: Endpoint, names: Names, context: str, agent: str, towards: str
) -> External:
    """Return the command of one endpoint's agent. `towards` is an address of the cluster, by which it finds its own."""
    arguments = ["endpoint", "--identity", identity(names.unique, endpoint), "--towards", towards]
    python = ("python3", "-u", "-c", agent, *arguments, *server_arguments(endpoint.servers))
    engine, run, *rest = (*prefix, "", "")
    if os.path.basename(engine) not in ENGINES or run != "run":  # noqa: PTH119 -- a word of a command, not a path of ours
        return External((*prefix, *python))
    name = shortened(f"netpol-{names.unique}-{endpoint.name}")
    labels = {MANAGED_BY_LABEL: MANAGED_BY, RUN_LABEL: names.run, CONTEXT_LABEL: context}
    options = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    return External(
        (engine, run, "--name", name, *options, *(word for word in rest if word), *python), (engine, "exec", name)
    )


class PipeStream:
    """A running command as a stream. It lives in a session of its own, so that Ctrl-C does not end it before its arena."""

    def __init__(self, command: Sequence[str], where: str) -> None:
        self._where = where
        self._buffer = b""
        self._ended = ""
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 -- open as long as the process lives
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=self._complaints, start_new_session=True, bufsize=0
            )
        except OSError as error:
            self._complaints.close()
            raise ProbeFailed(f"{where}: cannot start {command[0]}: {error.strerror}") from error
        self._stdin = cast("IO[bytes]", self._process.stdin)
        self._stdout = cast("IO[bytes]", self._process.stdout)

    def send(self, line: str) -> None:
        if self._ended:
            raise ProbeFailed(self._ended)
        data = memoryview(line.encode() + b"\n")
        try:
            while data:
                data = data[self._stdin.write(data) :]
        except OSError as error:
            self._end(f"the stream broke: {error}")

    def receive(self, timeout: float) -> str:
        self.wait(timeout)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace")

    def wait(self, timeout: float) -> None:
        """Wait until a line is there to be received."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            if self._ended:
                raise ProbeFailed(self._ended)
            if not select.select([self._stdout], [], [], max(deadline - time.monotonic(), 0.0))[0]:
                self._end(f"no answer within {timeout:g} s")
            chunk = os.read(self._stdout.fileno(), _CHUNK)
            if not chunk:
                self._end("its command ended")
            self._buffer += chunk

    def close(self) -> None:
        """End the command: by closing its stdin, which ends the agent; if that does not help, less politely."""
        if self._stdin.closed:
            return
        self._ended = self._ended or f"{self._where}: the stream is closed"
        with suppress(OSError):
            self._stdin.close()
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            with suppress(subprocess.TimeoutExpired, ProcessLookupError, PermissionError):
                if number is not None:
                    os.killpg(self._process.pid, number)
                self._process.wait(_ENDING)
                break
        self._stdout.close()
        self._complaints.close()

    def _end(self, why: str) -> NoReturn:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_LAST_WORDS)
        self._complaints.seek(max(0, self._complaints.seek(0, os.SEEK_END) - _TAIL))
        complaints = self._complaints.read().decode("utf-8", "replace").split()
        self._ended = f"{self._where}: {why}" + (f"; it wrote: {' '.join(complaints)}" if complaints else "")
        self.close()
        raise ProbeFailed(self._ended)
