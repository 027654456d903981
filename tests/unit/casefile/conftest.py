"""Texts with a mark where something is wrong: `«` stands right before the place that must be reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from case_head import HEAD

from conformance.casefile.load import load_file
from conformance.errors import CaseFileError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conformance.model.case import Case

STEPS = """\
steps:
  - name: open
    expect: {default: allow}
"""


def places(marked: str) -> tuple[str, list[str]]:
    """Return the text without marks, and `line:column` of each."""
    found, clean = [], []
    for number, line in enumerate(marked.split("\n"), 1):
        pieces = line.split("«")
        found += [f"{number}:{len(''.join(pieces[: each + 1])) + 1}" for each in range(len(pieces) - 1)]
        clean.append("".join(pieces))
    return "\n".join(clean), found


@pytest.fixture
def unmarked() -> Callable[[str], tuple[str, list[str]]]:
    return places


@pytest.fixture
def whole() -> Callable[[str], str]:
    """Complete a case: the parts that are not given are well formed."""

    def completed(part: str = "", steps: str = "") -> str:
        body = part if not part or part.endswith("\n") else part + "\n"
        return HEAD + body + (steps or ("" if "steps:" in part else STEPS))

    return completed


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str], Case]:
    def loaded(text: str) -> Case:
        file = tmp_path / "case.yaml"
        file.write_text(text, encoding="utf-8")
        (case,) = load_file(file, "case.yaml")
        return case

    return loaded


@pytest.fixture
def refused(load: Callable[[str], Case]) -> Callable[..., None]:
    """See that a marked text has exactly these problems, each a path and a part of what is said, in the order of the marks."""

    def see(marked: str, *wanted: tuple[str, str]) -> None:
        text, where = places(marked)
        with pytest.raises(CaseFileError) as caught:
            load(text)
        expected = [f"case.yaml:{place}: {path}: " for place, (path, _) in zip(where, wanted, strict=True)]
        found = caught.value.problems
        assert [problem[: len(start)] for problem, start in zip(found, expected, strict=False)] == expected, found
        assert len(found) == len(expected), found
        for problem, (_, said) in zip(found, wanted, strict=True):
            assert said in problem

    return see
