"""`combine`: the records of a run's shards as one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Ended


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def shards(good: str, program: Callable[..., Ended], tmp_path: Path) -> list[str]:
    """Run two cases in two shards."""
    (tmp_path / "one.yaml").write_text(good)
    (tmp_path / "two.yaml").write_text(good.replace("K7QD", "A2B4"))
    for number in (1, 2):
        run = program(
            "run", "--target", "mini:perfect", "--shard", f"{number}/2", "--report", f"{number}", "one.yaml", "two.yaml"
        )
        assert run.status == 0, run.out
    return ["1", "2"]


def test_shards_become_a_run(shards: list[str], command: Callable[..., Ended], tmp_path: Path) -> None:
    ended = command("combine", *shards, "--output", "whole/all.jsonl")
    assert ended.status == 0, ended.err
    assert ended.out.splitlines() == [
        "NetworkPolicy conformance of mini-perfect 0.1.0 on mini:perfect",
        "  core         2 cases: 2 pass",
        "record: whole/all.jsonl",
    ]
    head, *cases, end = lines(tmp_path / "whole" / "all.jsonl")
    assert (head["cases"], head["shard"], head["options"]) == (2, None, {"target": "mini:perfect"})
    assert [each["id"] for each in cases] == ["K7QD", "A2B4"]
    assert end["verdicts"] == {"pass": 2}


def test_what_is_missing_is_told_and_nothing_is_written(
    shards: list[str], command: Callable[..., Ended], tmp_path: Path
) -> None:
    ended = command("combine", shards[0], "--output", "all.jsonl")
    assert ended.status == 65
    assert "because: the shards have 1 of 2 cases; those that are not there: 2/2" in ended.err
    assert not (tmp_path / "all.jsonl").exists()
    ended = command("combine", shards[0], "--partial", "--output", "all.jsonl")
    assert ended.status == 0
    assert "1 of 2 cases were not run" in ended.out
    assert lines(tmp_path / "all.jsonl")[-1]["type"] == "case"


def test_a_record_that_is_named_twice_is_told(shards: list[str], command: Callable[..., Ended]) -> None:
    ended = command("combine", *shards, "1/../2", "--output", "all.jsonl")
    assert ended.status == 64
    assert "named twice" in ended.err
