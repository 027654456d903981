"""Cases side by side, with pytest-xdist."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest
from plugin_project import LEAKY, REFUSING

from conformance.errors import UsageError

if TYPE_CHECKING:
    from plugin_project import Project


def test_two_workers_give_the_same_verdicts_and_one_record(project: Project) -> None:
    for number in range(4):
        project.case(f"more/{number}.yaml", f"M{number:03}")
    project.target(LEAKY, REFUSING)
    alone = project.verdicts()
    lines = project.record()
    result = project.run_alone("-n2", "--netpol-report=report")
    assert result.ret == 1
    together = project.record()
    assert {line["id"]: line["verdict"] for line in together[1:-1]} == alone
    assert [line["type"] for line in together] == ["header", *["case"] * 7, "footer"]
    for key in ("case_set", "cases", "target", "implementation"):
        assert together[0][key] == lines[0][key]
    assert together[-1]["verdicts"] == lines[-1]["verdicts"] == {"error": 1, "fail": 5, "pass": 1}
    result.stdout.fnmatch_lines(["*6 failed, 1 passed*"])


@pytest.mark.parametrize(("options", "workers"), [(["--netpol-target=netns"], 6), (["--netpol-target="], 2)])
def test_auto_is_what_the_named_target_bears_and_else_none_of_our_business(
    project: Project, monkeypatch: pytest.MonkeyPatch, options: list[str], workers: int
) -> None:
    project.target()
    monkeypatch.setenv("PYTEST_XDIST_AUTO_NUM_WORKERS", "2")
    project.pytester.makepyfile(
        sitecustomize="import os\nos.cpu_count = lambda: 3\n"  # of the machine, for the named target
    )
    monkeypatch.setenv("PYTHONPATH", str(project.path))
    result = project.run_alone("-nauto", *options)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"created: {workers}/{workers} workers*"])


def test_every_worker_has_arenas_of_its_own_and_leaves_none(project: Project) -> None:
    project.target()
    result = project.run_alone("-n2")
    assert result.ret == 0
    opened = sorted(line for line in project.trace() if line.startswith("arena opened"))
    assert opened == ["arena opened gw0-1", "arena opened gw1-1"]
    assert project.trace().count("arena closed") == 2
    assert project.trace().count("target closed") == 2


def test_a_target_that_cannot_be_had_ends_the_run_with_words(project: Project) -> None:
    project.target("""
def open_arena(self, world, name):
    raise TargetUnavailable("no nodes", hint="start some")

Target.open_arena = open_arena
""")
    result = project.run_alone("-n2")
    output = result.stdout.str() + result.stderr.str()
    assert result.ret == 69
    assert "no nodes" in output
    assert "hint: start some" in output
    assert "INTERNALERROR" not in output


def test_a_worker_that_dies_accuses_nobody(project: Project) -> None:
    project.target("""
class Arena(Arena):
    def change(self, changes):
        if applied(changes, "y"):
            os._exit(9)
        super().change(changes)

Target.Arena = Arena
""")
    result = project.run_alone("-n2", "--netpol-report=report")
    assert result.ret == 70
    lines = project.record()
    assert {line["id"]: line["verdict"] for line in lines if line["type"] == "case"} == {"XXXX": "pass", "ZZZZ": "pass"}
    assert lines[-1]["type"] != "footer"


def test_a_doubled_id_is_refused(project: Project) -> None:
    project.case("sub/again.yaml", "XXXX")
    result = project.run_alone("-n2")
    output = result.stdout.str() + result.stderr.str()
    assert "XXXX is already the id of" in output
    assert "INTERNALERROR" not in output
    assert result.ret == UsageError.exit_status


def test_a_bad_case_file_accuses_nobody(project: Project) -> None:
    project.write("x.yaml", "apiVersion: netpol-conformance/v1\n")
    result = project.run_alone("-n2")
    assert "x.yaml:1:1: id: missing" in result.stdout.str()
    assert result.ret not in {0, 1}


def test_workers_have_the_time_to_remove_what_they_made(project: Project) -> None:
    """Those of pytest-xdist alone have 10 s, here cut short, before they are killed in the middle of it."""
    project.target("""
import time
import xdist.workermanage

xdist.workermanage.NodeManager.EXIT_TIMEOUT = 0.1

class Arena(Arena):
    def change(self, changes):
        trace("changing")
        time.sleep(60)

    def close(self):
        time.sleep(1)
        super().close()

Target.Arena = Arena
""")
    with project.start("-n2", "-q") as controller:
        while project.trace().count("changing") < 2:
            assert controller.poll() is None
        controller.send_signal(signal.SIGINT)
        controller.wait(20)
    assert project.trace().count("arena closed") == 2
    assert project.trace().count("target closed") == 2


def test_workers_end_when_the_process_that_started_them_is_killed(project: Project) -> None:
    project.target("""
import signal, time

def told(*_):
    trace("told to end")
    os._exit(0)

class Arena(Arena):
    def change(self, changes):
        signal.signal(signal.SIGTERM, told)
        trace("changing " + str(os.getppid()))
        time.sleep(60)

Target.Arena = Arena
""")
    with project.start("-n2", "-q") as controller:
        while sum(line.startswith("changing") for line in project.trace()) < 2:
            assert controller.poll() is None
        controller.kill()
    deadline = time.monotonic() + 20
    while project.trace().count("told to end") < 2:
        assert time.monotonic() < deadline, project.trace()
