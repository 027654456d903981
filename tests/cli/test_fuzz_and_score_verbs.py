"""The verbs `fuzz` and `score`: how good the cases are, and what they did not think of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Ended

    Command = Callable[..., Ended]


def test_a_finding_is_a_case_file_that_can_be_run(command: Command, tmp_path: Path) -> None:
    ended = command("fuzz", "--target", "mini:keeps-rules", "--seed", "1", "--output", "found")
    assert ended.status == 1
    assert "must be" in ended.out
    assert "to go on: --seed 1 --start" in ended.out
    (file,) = (tmp_path / "found").iterdir()
    assert command("check", str(file)).status == 0


def test_it_ends_after_as_many_samples_as_were_asked_for(command: Command, tmp_path: Path) -> None:
    ended = command("fuzz", "--target", "mini:perfect", "--seed", "1", "--count", "3")
    assert ended.status == 0
    assert ended.out.startswith("3 samples,")
    assert ended.out.rstrip().endswith("to go on: --seed 1 --start 4")
    assert not (tmp_path / "fuzz").exists()


def test_the_score_of_one_file(command: Command, good: str, tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(good)
    ended = command("score", "good.yaml", "--defect", "enforces-nothing*", "--format", "json", "-n", "1")
    assert ended.status == 1
    killed = {each["name"]: each["killedBy"] for each in json.loads(ended.out)["mutants"]}
    assert killed["enforces-nothing@ingress"] == ["K7QD"]
    assert killed["enforces-nothing@egress"] == []


def test_defects_are_named_with_what_they_do(command: Command) -> None:
    ended = command("score", "--list", "--defect", "M31")
    assert ended.status == 0
    assert all(line.startswith("M31") for line in ended.out.splitlines())
    assert "adds the rules of an edited policy to those that it had before" in ended.out


def test_a_defect_that_there_is_not(command: Command) -> None:
    ended = command("score", "--defect", "nope")
    assert (ended.status, "no defect is called nope" in ended.err) == (64, True)
