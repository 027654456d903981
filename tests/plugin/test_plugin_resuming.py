"""A run that was cut off, and gone on with: the record is in the end as if nothing had happened."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from plugin_project import LEAKY, REFUSING

from conformance.errors import RecordError
from conformance.report.resumption import LeftOff, Nothing, left_off
from conformance.report.store import Continuation, Writer, read

if TYPE_CHECKING:
    from pathlib import Path

    from plugin_project import Project

_TIMES = {"started", "ended", "seconds", "latency_median", "latency_slowest", "barrier"}
RESUME = "--netpol-resume=report"

#: A target that waits for ever with the second case, unless there is a file `go`.
STUCK = """
import time

class Arena(Arena):
    def change(self, changes):
        trace(",".join(policy.namespace for policy in applied(changes)))
        while applied(changes, "x") and not Path("go").exists():
            time.sleep(0.05)
        super().change(changes)

Target.Arena = Arena
"""


def but_for_times(record: Any) -> Any:
    match record:
        case dict():
            return {name: but_for_times(each) for name, each in record.items() if name not in _TIMES}
        case list():
            return [but_for_times(each) for each in record]
    return record


def in_order(record: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Workers write lines in the order in which cases end."""
    return [record[0], *sorted(record[1:-1], key=lambda line: line["path"]), record[-1]]


def ids(record: list[dict[str, Any]]) -> list[str]:
    return [line["id"] for line in record if line["type"] == "case"]


@pytest.fixture
def whole(project: Project) -> bytes:
    """The record of a run that was not cut off."""
    project.run("--netpol-report=report")
    return file(project).read_bytes()


def file(project: Project) -> Path:
    return project.path / "report" / "run.jsonl"


def run(project: Project, workers: str, *arguments: str) -> pytest.RunResult:
    """Run in this process, which is quicker, where there are no workers."""
    return project.run(*arguments) if workers == "-n0" else project.run_alone(workers, *arguments)


def ends_of_lines(record: bytes) -> list[int]:
    return [at + 1 for at, byte in enumerate(record) if byte == ord("\n")]


# At every byte.


def test_a_record_that_is_cut_at_any_byte_is_gone_on_with_where_its_last_whole_line_ends(project: Project) -> None:
    project.run("--netpol-report=report", "x.yaml", "y.yaml")
    path, whole = file(project), file(project).read_bytes()
    ends = ends_of_lines(whole)
    record = read(path)
    assert record.footer is not None
    for at in range(len(whole)):
        path.write_bytes(whole[:at])
        found = left_off(path.parent)
        before = max((end for end in ends if end <= at), default=0)
        if isinstance(found, Nothing):
            assert before == 0
            writer: Writer = Writer(path.parent, record.header)
        else:
            assert (found.size, found.found) == (before, at)
            assert found.record.cases == record.cases[: len(found.record.cases)]
            writer = Continuation(path, size=found.size, found=found.found)
            assert path.read_bytes() == whole[:at]
        done = found.record.cases if isinstance(found, LeftOff) else ()
        for line in record.cases[len(done) :]:
            writer.case(line)
        writer.finish(record.footer)
        assert path.read_bytes() == whole, at


@pytest.mark.parametrize("where", range(10))
def test_a_run_that_is_resumed_leaves_the_record_of_one_that_was_not_cut_off(
    project: Project, whole: bytes, where: int
) -> None:
    header, *cases, footer = ends_of_lines(whole)
    cuts = [0, 100, header - 1, header, header + 1, cases[0], cases[1] + 700, cases[2] - 1, cases[2], footer - 1]
    uninterrupted = project.record()
    file(project).write_bytes(whole[: cuts[where]])
    over = sum(end <= cuts[where] for end in cases)
    result = project.run(RESUME)
    assert result.ret == 0
    outcomes = {"passed": 3 - over, "deselected": over}
    result.assert_outcomes(**outcomes)
    assert but_for_times(project.record()) == but_for_times(uninterrupted)
    if cuts[where] >= header:
        result.stdout.fnmatch_lines(
            [
                f"resuming: *run.jsonl, begun *, has {'all' if over == 3 else f'{over} of 3'} cases",
                f"resumed: {over} of 3 cases were taken over from the record",
                "record: report/run.jsonl",
            ]
        )
    else:
        result.stdout.fnmatch_lines(["nothing to resume: *run.jsonl *, and all cases are run", "resumed: no case*"])


def test_times_are_those_of_the_whole_run(project: Project, whole: bytes) -> None:
    header, *_ = whole.splitlines(keepends=True)
    begun = {**json.loads(header), "started": "2026-01-01T00:00:00+00:00"}
    file(project).write_text(json.dumps(begun) + "\n", encoding="utf-8")
    project.run(RESUME)
    head, *_, foot = project.record()
    assert head == begun
    assert foot["seconds"] > 24 * 3600


def test_where_there_is_no_record_all_cases_are_run(project: Project, whole: bytes) -> None:
    file(project).unlink()
    file(project).parent.rmdir()
    result = project.run(RESUME)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["nothing to resume: there is no *report/run.jsonl, and all cases are run"])
    assert [line["type"] for line in project.record()] == [json.loads(line)["type"] for line in whole.splitlines()]


def test_a_record_whose_header_is_damaged_is_kept_beside_the_new_one(project: Project, whole: bytes) -> None:
    damaged = b"\0" + whole[1:]
    file(project).write_bytes(damaged)
    result = project.run(RESUME)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["nothing to resume: the first line of * is damaged; what there is of it is kept *"])
    assert len(project.record()) == 5
    assert (project.path / "report" / "run.damaged.jsonl").read_bytes() == damaged


def test_a_line_that_is_damaged_in_the_middle_is_told_with_its_place(project: Project, whole: bytes) -> None:
    header, first, *rest = whole.splitlines(keepends=True)
    damaged = b"".join([header, first[:50] + b"\n", *rest[:1]])
    file(project).write_bytes(damaged)
    result = project.run(RESUME)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *report/run.jsonl:2: not a line of a record *bad-record*", "  hint: take that*"]
    )
    assert file(project).read_bytes() == damaged


# Workers, shards, and what was cut off twice.


def test_workers_run_only_what_is_missing(project: Project) -> None:
    for number in range(3):
        project.case(f"more/{number}.yaml", f"M{number:03}")
    project.target(LEAKY)
    project.run("--netpol-report=report")
    uninterrupted, whole = project.record(), file(project).read_bytes()
    file(project).write_bytes(whole[: ends_of_lines(whole)[3] + 10])
    over = ids(project.record_of_whole_lines())
    result = project.run_alone("-n2", RESUME, "-v")
    assert result.ret == 1
    ran = {name for name in ids(uninterrupted) if any(f"::{name}" in line for line in result.outlines)}
    assert ran == set(ids(uninterrupted)) - set(over)
    assert in_order(but_for_times(project.record())) == in_order(but_for_times(uninterrupted))
    assert ids(project.record())[:3] == over
    result.stdout.fnmatch_lines(["resumed: 3 of 6 cases were taken over from the record"])


@pytest.mark.parametrize(("workers", "lines"), [("-n0", 2), ("-n0", 3), ("-n0", 4), ("-n2", 2), ("-n2", 3)])
def test_a_shard_is_resumed_as_a_shard(project: Project, workers: str, lines: int) -> None:
    project.target()
    project.run("--netpol-report=report", "--netpol-shard=1/2")
    uninterrupted, whole = project.record(), file(project).read_bytes()
    assert len(uninterrupted) == 4
    file(project).write_bytes(whole[: ends_of_lines(whole)[lines - 1]])
    result = run(project, workers, RESUME, "--netpol-shard=1/2")
    assert result.ret == 0
    assert "has none of" not in result.stdout.str()
    assert in_order(but_for_times(project.record())) == in_order(but_for_times(uninterrupted))


def test_a_shard_does_not_go_on_with_another_one(project: Project) -> None:
    project.run("--netpol-report=report", "--netpol-shard=1/2")
    whole = file(project).read_bytes()
    result = project.run(RESUME, "--netpol-shard=2/2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["  because: shard: 1/2, 2 cases in the record, 2/2, 1 cases in this run"])
    assert file(project).read_bytes() == whole


@pytest.mark.parametrize(
    ("workers", "ends"),
    [("-n0", (signal.SIGKILL, signal.SIGINT, signal.SIGKILL)), ("-n2", (signal.SIGKILL, signal.SIGINT))],
    ids=["-n0", "-n2"],
)
def test_a_run_that_is_killed_again_and_again_is_resumed(
    project: Project, workers: str, ends: tuple[signal.Signals, ...]
) -> None:
    project.target(STUCK)
    project.write("go", "")
    project.run("--netpol-report=report")
    uninterrupted = project.record()
    (project.path / "go").unlink()
    file(project).unlink()
    before: list[dict[str, Any]] = []
    for number, end in enumerate(ends):
        (project.path / "trace.txt").unlink(missing_ok=True)
        with project.start(workers, RESUME if number else "--netpol-report=report") as process:
            while "x" not in project.trace():
                assert process.poll() is None
            process.send_signal(end)
            process.wait(60)
        left = project.record_of_whole_lines()
        assert left[: len(before)] == before
        assert "XXXX" not in ids(left)
        before = left
    project.write("go", "")
    assert run(project, workers, RESUME).ret == 0
    record = project.record()
    assert record[: len(before)] == before
    assert in_order(but_for_times(record)) == in_order(but_for_times(uninterrupted))


def test_a_record_that_is_still_written_is_left_alone(project: Project, whole: bytes) -> None:
    record = read(file(project))
    writer = Writer(file(project).parent, record.header)
    before = file(project).read_bytes()
    result = project.run(RESUME)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *report/run.jsonl is still being written by another run *bad-record*"])
    writer.close()
    assert file(project).read_bytes() == before
    assert before == whole[: len(before)]


def test_a_record_that_changes_meanwhile_is_left_alone(project: Project, whole: bytes) -> None:
    found = left_off(file(project).parent)
    assert isinstance(found, LeftOff)
    file(project).write_bytes(whole[:-1])
    with pytest.raises(RecordError, match="has changed since it was read"):
        Continuation(found.path, size=found.size, found=found.found)
    assert file(project).read_bytes() == whole[:-1]


# Exit statuses, and records that are complete.


@pytest.mark.parametrize(
    ("wrong", "status"), [((LEAKY, REFUSING), 1), ((REFUSING,), 70), ((), 0)], ids=["fail", "error", "pass"]
)
@pytest.mark.parametrize(("workers", "lines"), [("-n0", 4), ("-n0", 5), ("-n0", 6), ("-n2", 4), ("-n2", 5)])
def test_verdicts_that_were_taken_over_count_for_the_exit_status(
    project: Project, wrong: tuple[str, ...], status: int, workers: str, lines: int
) -> None:
    project.target(*wrong)
    project.case("z.yaml", "AAAA", namespace="z")
    assert project.run("--netpol-report=report").ret == status
    uninterrupted, whole = project.record(), file(project).read_bytes()
    assert ids(uninterrupted)[-1] == "AAAA"
    file(project).write_bytes(whole[: ends_of_lines(whole)[lines - 1]])
    result = run(project, workers, RESUME)
    assert result.ret == status
    assert but_for_times(project.record()) == but_for_times(uninterrupted)
    if status == 1:
        result.stdout.fnmatch_lines(["  of these: XXXX (fail), YYYY (error); netpol-conformance report report *"])


def test_a_strict_run_counts_waivers_of_cases_that_were_taken_over(project: Project) -> None:
    project.write(
        "waivers.yaml",
        "waivers: [{cases: [XXXX, ZZZZ], reason: known, link: 'https://example.org', until: '2999-01-01'}]\n",
    )
    options = ("--netpol-waivers=waivers.yaml", "--netpol-strict")
    assert project.run("--netpol-report=report", *options).ret == 1
    whole = file(project).read_bytes()
    for cut in (len(whole), ends_of_lines(whole)[3], ends_of_lines(whole)[2]):
        file(project).write_bytes(whole[:cut])
        assert project.run(RESUME, *options).ret == 1


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_of_a_complete_record_nothing_is_run_or_written(project: Project, workers: str) -> None:
    project.target()
    project.run("--netpol-report=report")
    whole = file(project).read_bytes()
    (project.path / "trace.txt").unlink()
    file(project).chmod(0o400)
    result = run(project, workers, RESUME)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        ["resumed: the record was complete, and no case was run: all 3 were taken over", "record: report/run.jsonl"]
    )
    assert file(project).read_bytes() == whole
    assert project.trace() == []


def test_looking_at_what_would_be_run_changes_nothing(project: Project, whole: bytes) -> None:
    for cut in (ends_of_lines(whole)[2] + 5, ends_of_lines(whole)[3]):
        file(project).write_bytes(whole[:cut])
        project.run(RESUME, "--collect-only")
        assert file(project).read_bytes() == whole[:cut]


def test_tests_that_are_no_cases_run_again(project: Project, whole: bytes) -> None:
    project.write("test_plain.py", "def test_it(): pass\n")
    file(project).write_bytes(whole[:-5])
    project.run(RESUME).assert_outcomes(passed=1, deselected=3)
    assert project.record()[-1]["type"] == "footer"


# What does not belong together.


@pytest.mark.parametrize(
    ("workers", "arguments", "said"),
    [
        ("-n0", ["--netpol-timeout=settle=9"], "option timeout: none in the record, settle=9 in this run"),
        ("-n0", ["--netpol-mode=eBPF"], "mode: default in the record, eBPF in this run"),
        ("-n0", ["x.yaml"], "cases: 3 in the record, 1 in this run"),
        ("-n2", ["x.yaml"], "cases: 3 in the record, 1 in this run"),
        ("-n0", ["--netpol-shard=1/1"], "shard: none in the record, 1/1, 3 cases in this run"),
        ("-n0", ["-m", "core"], "option m: none in the record, core in this run"),
    ],
    ids=["timeout", "mode", "cases", "cases with workers", "shard", "marker"],
)
def test_a_record_of_another_run_is_refused_with_all_that_differs(
    project: Project, workers: str, arguments: list[str], said: str
) -> None:
    project.target()
    project.run("--netpol-report=report")
    (project.path / "trace.txt").unlink()
    lines = file(project).read_bytes().splitlines(keepends=True)
    for cut in [b"".join(lines[:number]) for number in ((2, 4, 5) if workers == "-n0" else (4,))]:
        file(project).write_bytes(cut)
        result = run(project, workers, RESUME, *arguments)
        output = result.stdout.str() + result.stderr.str()
        assert result.ret in {pytest.ExitCode.USAGE_ERROR, 64}
        assert "report/run.jsonl is the record of another run [usage]" in output
        assert said in output
        assert "hint: go on with the cases, the options and the target" in output
        assert "INTERNALERROR" not in output
        assert file(project).read_bytes() == cut
        assert project.trace() == []


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_record_of_another_implementation_is_refused_before_any_case_runs(project: Project, workers: str) -> None:
    project.target()
    project.run("--netpol-report=report")
    whole = file(project).read_bytes()
    cut = whole[: ends_of_lines(whole)[1] + 9]
    file(project).write_bytes(cut)
    project.target("""
from dataclasses import replace

class Arena(Arena):
    def change(self, changes):
        trace("changing")
        super().change(changes)

Target.Arena = Arena
Target.describe = lambda self: replace(PerfectTarget.describe(self), version="v2")
""")
    result = project.run_alone(workers, RESUME)
    output = result.stdout.str() + result.stderr.str()
    assert result.ret == 64
    assert "implementation version: " in output
    assert "v2 in this run" in output
    assert file(project).read_bytes() == cut
    assert "changing" not in project.trace()


def test_a_case_that_was_changed_is_another_one(project: Project, whole: bytes) -> None:
    file(project).write_bytes(whole[: ends_of_lines(whole)[1]])
    project.write("x.yaml", (project.path / "x.yaml").read_text(encoding="utf-8").replace("closed", "shut"))
    result = project.run(RESUME)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["  because: case set: * in the record, * in this run"])


def test_a_case_file_that_cannot_be_read_is_told_rather_than_that_cases_are_missing(
    project: Project, whole: bytes
) -> None:
    file(project).write_bytes(whole[: ends_of_lines(whole)[1]])
    project.write("x.yaml", "apiVersion: netpol-conformance/v1\n")
    for workers in ("-n0", "-n2"):
        result = project.run_alone(workers, RESUME)
        assert "x.yaml:1:1: id: missing" in result.stdout.str()
        assert result.ret not in {0, 1}
        assert file(project).read_bytes() == whole[: ends_of_lines(whole)[1]]


def test_lines_of_cases_that_nobody_has_are_told(project: Project, whole: bytes) -> None:
    file(project).write_bytes(whole[: ends_of_lines(whole)[1]].replace(b'"id": "ZZZZ"', b'"id": "QQQQ"'))
    result = project.run(RESUME)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *run.jsonl has lines of cases that the run does not have*", "*QQQQ"])


@pytest.mark.parametrize("report", ["other", "-"])
def test_a_run_that_is_resumed_has_its_record_nowhere_else(project: Project, whole: bytes, report: str) -> None:
    result = project.run(RESUME, f"--netpol-report={report}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: a run that resumes report goes on with the record there*in {report} *usage*"])
    assert not (project.path / "other").exists()
    assert file(project).read_bytes() == whole
    project.run(RESUME, f"--netpol-report={project.path}/sub/../report").assert_outcomes(deselected=3)
