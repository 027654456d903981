"""Cases that disturb the whole target: run when asked for, and never beside another."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from conformance.plugin import options, turns
from conformance.plugin.turns import turn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest
    from plugin_project import Project

RESTART = """\
apiVersion: netpol-conformance/v1
kind: Case
id: RRRR
requirement: A pod MUST stay closed while the implementation restarts.
spec: https://example.org/spec
tier: extended
features: [ingress, disruptive]
probe: [80/TCP]
steps:
  - name: closed
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
    expect: {default: allow, deny: ["* -> x/a"]}
  - name: still closed
    restart: implementation
    expect: {default: allow, deny: ["* -> x/a"]}
"""

#: A target that says what each worker does, and whose restart gives others a second to do something.
WATCHED = """
import time

class Arena(Arena):
    def change(self, changes):
        if applied(changes):
            trace("changed")
        super().change(changes)

    def restart_implementation(self):
        trace("restart begins")
        lines = len(Path("trace.txt").read_text().splitlines())
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline and len(Path("trace.txt").read_text().splitlines()) == lines:
            pass
        super().restart_implementation()
        trace("restart ends")

Target.Arena = Arena
"""


def test_a_miniature_runs_them_unasked(project: Project) -> None:
    project.write("r.yaml", RESTART)
    assert project.verdicts("r.yaml") == {"RRRR": "pass"}


def test_no_case_runs_beside_one(project: Project) -> None:
    for number in range(12):
        project.case(f"{number:02}.yaml", f"M{number:03}")
    project.write("05r.yaml", RESTART)
    project.target(WATCHED)
    result = project.run_alone("-n2")
    assert result.ret == 0
    trace = project.trace()
    begun = trace.index("restart begins")
    assert trace[begun + 1] == "restart ends", trace
    assert trace.count("changed") > 12


def test_the_folder_of_the_locks_is_removed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary = project.path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    project.target()
    assert project.run_alone("-n2").ret == 0
    assert list(temporary.glob("netpol-conformance-*")) == []


def test_who_waits_to_be_alone_is_not_kept_waiting_by_those_who_come_later(tmp_path: Path) -> None:
    order: list[str] = []

    def have(name: str, *, alone: bool) -> None:
        with turn(tmp_path, alone=alone):
            order.append(name)

    with turn(tmp_path, alone=False):
        with turn(tmp_path, alone=False):
            order.append("beside")
        waiting = threading.Thread(target=have, args=("alone",), kwargs={"alone": True})
        waiting.start()
        _until(lambda: _is_shut(tmp_path / "door"))
        later = threading.Thread(target=have, args=("later",), kwargs={"alone": False})
        later.start()
        order.append("first")
    waiting.join(30)
    later.join(30)
    assert order == ["beside", "first", "alone", "later"]


def test_the_turn_of_a_worker_that_dies_is_over(tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from conformance.plugin.turns import turn
with turn(Path({str(tmp_path)!r}), alone=True):
    print("has it", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"has it\n"
        assert _is_shut(tmp_path / "turn")
        worker.kill()
    with turns.turn(tmp_path, alone=True):
        pass


def test_the_option_reaches_the_target_from_both_places(project: Project) -> None:
    asked = project.pytester.parseconfigure("--netpol-disruptive", "--netpol-workload=deployment")
    assert options.target_options(asked).disruptive
    assert options.target_options(asked).workload == "deployment"
    project.pytester.makeini("[pytest]\naddopts = -p no:syrupy -p no:hypothesispytest\nnetpol_disruptive = true\n")
    written = options.target_options(project.pytester.parseconfigure())
    assert (written.disruptive, written.workload) == (True, "pod")


def test_a_workload_that_is_none_is_refused(project: Project) -> None:
    result = project.run("--netpol-workload=statefulset")
    result.stderr.fnmatch_lines(["*no workload is called 'statefulset'*", "*they are pod and deployment*"])


def _is_shut(file: Path) -> bool:
    with file.open("ab") as door:
        try:
            fcntl.flock(door, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        pass
