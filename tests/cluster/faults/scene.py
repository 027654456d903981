"""A run of the suite on a cluster, what it leaves there and in its record, and the ways to disturb it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from api_proxy import ApiProxy

RUN_LABEL = "netpol-conformance/run"
CLI = (sys.executable, "-m", "conformance.cli")
#: Seconds in which a run that is told to end has ended: workers have 60 s to remove what they made.
TO_END = 120.0


class NothingThere(Exception):
    """There is nothing yet, or no more, that this fault could befall."""


@dataclass
class Scene:
    """A run, from its start to the last time that it is resumed. `report` is a folder on a small disk of its own where `has_disk`."""

    context: str
    proxy: ApiProxy
    name: str
    random: random.Random
    report: Path
    has_disk: bool = False
    #: The names of the run, a new one whenever it is resumed: what a killed one left is still there under its name.
    runs: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    #: What puts things right again, each with the moment from which on it does.
    undo: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    #: Whether somebody has told the run to end.
    told_to_end: bool = False

    def kubectl(self, *arguments: str, check: bool = True, text: str | None = None) -> str:
        done = subprocess.run(
            ["kubectl", "--context", self.context, "--request-timeout=20s", *arguments],
            input=text, text=True, capture_output=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise NothingThere(done.stderr)
        return done.stdout

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *arguments, "-o", "json"))["items"]
        return found

    def on(self, node: str, command: str) -> str:
        done = subprocess.run(
            ["docker", "exec", node, "sh", "-c", command], text=True, capture_output=True, check=False
        )
        return done.stdout

    def a_pod(self) -> tuple[str, str, str]:
        """Return the namespace, the name and the node of some probe pod of the run."""
        pods = [
            each for each in self.items("pods", "-A", "-l", f"{RUN_LABEL}={self.run}") if each["spec"].get("nodeName")
        ]
        if not pods:
            raise NothingThere("no probe pods")
        chosen = self.random.choice(pods)
        return chosen["metadata"]["namespace"], chosen["metadata"]["name"], chosen["spec"]["nodeName"]

    def nodes(self, *, control_plane: bool) -> list[str]:
        role = "node-role.kubernetes.io/control-plane"
        return [
            each["metadata"]["name"]
            for each in self.items("nodes")
            if (role in each["metadata"]["labels"]) is control_plane
        ]

    def later(self, seconds: float, undo: Callable[[], object]) -> None:
        self.undo.append((time.monotonic() + seconds, undo))

    def put_right(self, *, everything: bool = False) -> None:
        """Put right whose time has come, or everything."""
        due = [each for each in self.undo if everything or each[0] <= time.monotonic()]
        for each in due:
            self.undo.remove(each)
            each[1]()

    def signal(self, number: signal.Signals) -> None:
        """Tell the process that the user started to end."""
        if self.process is None or self.process.poll() is not None:
            raise NothingThere("it has ended")
        self.told_to_end = True
        self.process.send_signal(number)

    def kill(self) -> None:
        """End all processes of the run at once, as a machine does that loses its power."""
        if self.process is None or self.process.poll() is not None:
            raise NothingThere("it has ended")
        self.told_to_end = True
        for pid in (self.process.pid, *children(self.process.pid)):
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)

    def ask_where_it_stands(self) -> None:
        """Have all processes of the run write their stacks into its output."""
        assert self.process is not None
        for pid in (self.process.pid, *children(self.process.pid)):
            with contextlib.suppress(OSError):
                if b"python" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGUSR1)
        time.sleep(2)

    @property
    def run(self) -> str:
        return self.runs[-1]

    def cleanup(self, run: str) -> str:
        """Remove what is left of one start, as its user would, and return what that said."""
        command = [*CLI, "cleanup", f"--context={self.context}", f"--run={run}"]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        return done.stdout + done.stderr

    def leftovers(self) -> tuple[str, ...]:
        selector = f"{RUN_LABEL} in ({','.join(self.runs)})"
        return tuple(self.kubectl("get", "namespaces", "-l", selector, "-o", "name", check=False).split())

    def start(self, options: Sequence[str], output: Path) -> None:
        """Start the run, or resume it where it has begun a record."""
        self.runs.append(f"{self.name}s{len(self.runs)}")
        option = "--resume" if self.lines() else "--report"
        command = [*CLI, "run", *options, "--target=kubernetes", "--context=faults", f"--run={self.run}"]
        command += [f"--kubeconfig={self.proxy.kubeconfig}", f"{option}={self.report}"]
        self.told_to_end = False
        shutil.copy(Path(__file__).with_name("shifted_clock.py"), self.clock_file.with_name("sitecustomize.py"))
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                command, stdout=file, stderr=file, env={**os.environ, "PYTHONPATH": str(self.clock_file.parent)}
            )

    @property
    def clock_file(self) -> Path:
        """By how many seconds the clock of the run is wrong, as `shifted_clock.py` reads it."""
        return self.proxy.kubeconfig.parent / "shift"

    def set_clock(self, seconds: float) -> None:
        self.clock_file.write_text(str(seconds))

    def lines(self, kind: str = "") -> list[dict[str, Any]]:
        """Return the whole lines of the record, or those of one type."""
        file = self.report / "run.jsonl"
        texts = file.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True) if file.exists() else []
        found = [json.loads(each) for each in texts if each.endswith("\n")]
        return [each for each in found if each["type"] == (kind or each["type"])]


def children(pid: int) -> set[int]:
    """Return all that a process has started, and what those have."""
    parents = {}
    for each in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it may have ended meanwhile
            parents[int(each.parent.name)] = int(each.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
