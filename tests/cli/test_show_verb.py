"""`show`: a case, complete, for a person who reads nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_file(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good.replace("accept", "[bold]accept"))
    ended = command("show", "a.yaml")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("K7QD  (core; ingress)\na.yaml:3\n")
    assert "A pod MUST NOT [bold]accept what no policy allows." in ended.out
    assert "    x/b        -     .     all" in ended.out


def test_ids_in_a_file_and_in_the_suite(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good)
    assert command("show", "a.yaml", "K7QD").out.startswith("K7QD ")
    pages = command("show", "AD8Y", "XG22-ingress-own-*").out
    assert pages.startswith("AD8Y ")
    assert pages.count("row of table:  XG22. ") == 4
    assert "${" not in pages


def test_an_id_that_no_case_has(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good)
    ended = command("show", "a.yaml", "K7QE")
    assert (ended.status, ended.out) == (64, "")
    assert "no case has the id K7QE; did you mean K7QD?" in ended.err
    assert "XG22-ingress-own-all-block" in command("show", "XG22").err
    assert "no such file" in command("show", "./b.yaml").err
