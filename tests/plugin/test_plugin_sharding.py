"""A run split over machines: each runs its shard, and all say which run they are a part of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from conformance.errors import UsageError
from conformance.model.shard import Shard
from conformance.plugin.sharding import parse

if TYPE_CHECKING:
    from plugin_project import Project

ALL = {"XXXX": "pass", "YYYY": "pass", "ZZZZ": "pass"}


@pytest.mark.parametrize(
    ("text", "environment", "shard"),
    [
        ("1/4", {}, Shard(1, 4)),
        ("4/4", {"JOB_COMPLETION_INDEX": "0"}, Shard(4, 4)),
        ("1/1", {}, Shard(1, 1)),
        ("job/4", {"JOB_COMPLETION_INDEX": "0"}, Shard(1, 4)),
        ("job/4", {"JOB_COMPLETION_INDEX": "3"}, Shard(4, 4)),
    ],
)
def test_how_a_shard_is_written(text: str, environment: dict[str, str], shard: Shard) -> None:
    assert parse(text, environment) == shard


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("0/4", {}, "there is no shard 0/4"),
        ("5/4", {}, "there is no shard 5/4"),
        ("0/0", {}, "there is no shard 0/0"),
        ("1", {}, "'1' is no shard"),
        ("-1/4", {}, "'-1/4' is no shard"),
        ("1/4/5", {}, "'1/4/5' is no shard"),
        ("one/four", {}, "'one/four' is no shard"),
        ("job/4", {}, "job/4 takes the number from JOB_COMPLETION_INDEX, and that is not set"),
        ("job/4", {"JOB_COMPLETION_INDEX": "x"}, "and that is x"),
        ("job/4", {"JOB_COMPLETION_INDEX": "4"}, "there is no shard 5/4"),
    ],
)
def test_what_is_no_shard_is_told(text: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse(text, environment)


def test_shards_are_parts_of_one_run(project: Project) -> None:
    whole = {**project.verdicts()}
    head = project.record()[0]
    assert (head["shard"], whole) == (None, ALL)
    parts = [project.verdicts(f"--netpol-shard={number}/2") for number in (1, 2)]
    assert sorted(len(part) for part in parts) == [1, 2]
    assert {**parts[0], **parts[1]} == ALL
    of_last, *_, end = project.record()
    assert {key: of_last[key] for key in ("case_set", "cases")} == {key: head[key] for key in ("case_set", "cases")}
    assert of_last["shard"] == {"number": 2, "count": 2, "cases": len(parts[1])}
    assert (end["type"], sum(end["verdicts"].values())) == ("footer", len(parts[1]))


def test_what_is_chosen_is_split_after_it_was_chosen(project: Project) -> None:
    assert project.verdicts("--netpol-shard=1/2", "-m", "core") == {"XXXX": "pass"}
    assert project.verdicts("--netpol-shard=2/2", "-m", "core") == {"YYYY": "pass"}


def test_workers_of_a_shard_deal_alike(project: Project) -> None:
    project.target()
    result = project.run_alone("-n2", "--netpol-shard=1/2", "--netpol-report=report")
    assert result.ret == 0
    head, *lines, _ = project.record()
    assert head["shard"] == {"number": 1, "count": 2, "cases": 2}
    assert sorted(line["id"] for line in lines) == ["XXXX", "ZZZZ"]


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_a_shard_without_cases_is_no_failure(project: Project, workers: str) -> None:
    project.target()
    result = project.run_alone(workers, "--netpol-shard=4/4", "--netpol-report=report")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["shard 4/4 has none of the 3 cases: there is no record of it"])
    assert not (project.path / "report" / "run.jsonl").exists()
    assert project.trace() == []


def test_where_nothing_was_chosen_there_is_nothing_to_split(project: Project) -> None:
    assert project.run("--netpol-shard=4/4", "-k", "nothing").ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_plain_tests_run_in_every_shard(project: Project) -> None:
    project.write("test_plain.py", "def test_it(): pass\n")
    project.run("--netpol-shard=4/4").assert_outcomes(passed=1, deselected=3)


def test_a_wrong_shard_is_told_before_anything_runs(project: Project) -> None:
    result = project.run("--netpol-shard=3/2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: there is no shard 3/2 *usage*"])


def test_an_ini_file_can_name_a_shard(project: Project) -> None:
    project.pytester.makeini("[pytest]\nnetpol_target = mini:perfect\nnetpol_shard = 2/3\n")
    project.run().assert_outcomes(passed=1, deselected=2)


@pytest.mark.parametrize("arguments", [["-n0"], ["-n2"], ["-n0", "-v"], ["-n0", "-q"]], ids=" ".join)
def test_the_record_can_go_into_the_log(project: Project, arguments: list[str]) -> None:
    project.target()
    result = project.run_alone(*arguments, "--netpol-shard=1/1", "--netpol-report=-")
    assert result.ret == 0
    found = [json.loads(line) for line in result.outlines if line.startswith('{"type": ')]
    assert [line["type"] for line in found] == ["header", "case", "case", "case", "footer"]
    assert sorted(line["id"] for line in found[1:-1]) == sorted(ALL)
    result.stdout.fnmatch_lines(["record: the lines of this output that begin with {?type?: "])
    assert not (project.path / "-").exists()
