"""`show`: a case, complete, for a person who reads nothing else."""

from __future__ import annotations

import subprocess
import sys
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
    assert pages.count("row of table:  XG22, ") == 4
    assert "${" not in pages


def test_capitals_of_an_id_do_not_matter(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good)
    assert command("show", "a.yaml", "k7qd").out.startswith("K7QD ")
    assert command("show", "xg22-EGRESS-ns-block").out.startswith("XG22-egress-ns-block ")
    assert "xg22 is a table of 32 cases" in command("show", "xg22").err


def test_a_reader_that_stops_reading_gets_no_traceback(good: str, tmp_path: Path) -> None:
    """As with `show … | head`."""
    (tmp_path / "a.yaml").write_text(good)
    call = [sys.executable, "-m", "conformance.cli", "show", "a.yaml"]
    with subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as ended:
        ended.stdout.close()
        assert ended.stderr.read() == ""


def test_an_id_that_no_case_has(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good)
    ended = command("show", "a.yaml", "K7QE")
    assert (ended.status, ended.out) == (64, "")
    assert "no case has the id K7QE; did you mean K7QD?" in ended.err
    assert "XG22-ingress-own-all-block" in command("show", "XG22").err
    assert "no such file" in command("show", "./b.yaml").err
