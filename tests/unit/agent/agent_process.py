"""The real agent as a process."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import conformance

if TYPE_CHECKING:
    from collections.abc import Sequence

AGENT = Path(conformance.__file__).with_name("agent.py")
PATIENCE = 60.0  # for a machine that has much else to do; nothing waits so long where all is well


class Agent:
    """One agent and the lines that it is sent and says."""

    def __init__(self, *arguments: str, python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [python, str(AGENT), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self._buffer = b""
        self._words: list[str] = []

    @property
    def stdin(self) -> Any:
        return self.process.stdin

    def send(self, message: object) -> None:
        self.write(json.dumps(message).encode() + b"\n")

    def write(self, data: bytes) -> None:
        self.stdin.write(data)
        self.stdin.flush()

    def line(self) -> dict[str, Any]:
        """Return the next line that the agent says; an AssertionError with its last words where it says none."""
        stdout: Any = self.process.stdout
        deadline = time.monotonic() + PATIENCE
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([stdout], [], [], deadline - time.monotonic())
            chunk = os.read(stdout.fileno(), 1 << 16) if ready else b""
            if not chunk:
                raise AssertionError(f"the agent says nothing more: {self.last_words()}")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer

    def probe(self, *jobs: Sequence[Any], timeout: float = 10.0, number: int = 1) -> list[list[Any]]:
        """Have one batch probed; an agent in mode `probe` says hello first."""
        self.send({"id": number, "timeout": timeout, "jobs": jobs})
        answer = self.line()
        while answer.get("id") != number:
            answer = self.line()
        results: list[list[Any]] = answer["results"]
        return results

    def end(self) -> int:
        """Wait until the agent ends by itself."""
        return self.process.wait(PATIENCE)

    def last_words(self) -> str:
        """End it, and return what it complained about."""
        if not self._words:
            self.process.kill()
            self.process.wait()
            self._words.append(self.process.stderr.read().decode())  # type: ignore[union-attr]
        return self._words[0]

    def stop(self) -> None:
        self.last_words()
        for pipe in (self.process.stdout, self.process.stderr):
            pipe.close()  # type: ignore[union-attr]
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()


def free_port(protocol: str) -> int:
    """Return a port that nothing has bound, below those that this machine and the agent give to clients."""
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    for port in range(10000 + os.getpid() % 5000, 20000):
        with socket.socket(socket.AF_INET6, kind) as sock, contextlib.suppress(OSError):
            sock.bind(("::", port))
            if port not in _given:
                _given.add(port)
                return port
    raise AssertionError("no free port")


_given: set[int] = set()


def wait_for_server(started: Agent, port: int, protocol: str) -> None:
    """Ask until the server answers, as one who waits for a pod would."""
    kind = socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert started.process.poll() is None, started.last_words()
        with socket.socket(socket.AF_INET, kind) as sock, contextlib.suppress(OSError):
            sock.settimeout(1.0)
            sock.connect(("127.0.0.1", port))
            sock.send(b"hello\n")
            if sock.recv(100):
                return
    raise AssertionError(f"nothing listens on {port}/{protocol}")
