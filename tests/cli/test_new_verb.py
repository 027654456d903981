"""`new`: a case file to be filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_what_it_writes_passes_check(command: Callable[..., object], tmp_path: Path) -> None:
    ended = command("new", "cases/area/mine.yaml", "--requirement", "A pod: MUST NOT # ever.")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "wrote cases/area/mine.yaml; fill it in, then: netpol-conformance check cases/area/mine.yaml\n"
    text = (tmp_path / "cases/area/mine.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../_schema/case.schema.json\n")
    assert 'requirement: "A pod: MUST NOT # ever."\n' in text
    assert command("check", "cases/area/mine.yaml").status == 0


def test_it_never_overwrites(command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("precious\n")
    ended = command("new", "mine.yaml")
    assert (ended.status, ended.err) == (64, "mine.yaml is there already [usage]\n")
    assert (tmp_path / "mine.yaml").read_text() == "precious\n"


@pytest.mark.parametrize("requirement", ["", "A pod must not."])
def test_a_requirement_that_is_none(requirement: str, command: Callable[..., object], tmp_path: Path) -> None:
    ended = command("new", "mine.yaml", "--requirement", requirement)
    assert ended.status == 64
    assert ended.err.endswith("hint: write one sentence with MUST or MUST NOT, about the implementation\n")
    assert not (tmp_path / "mine.yaml").exists()
