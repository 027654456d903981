"""A file of waivers: what it may say, and everything that may be wrong with it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.waivers import load_waivers
from conformance.errors import CaseFileError
from conformance.model.waiver import Waiver

if TYPE_CHECKING:
    from pathlib import Path


def test_waivers_and_their_cases(tmp_path: Path) -> None:
    file = tmp_path / "waivers.yaml"
    file.write_text(
        "waivers:\n"
        "  - {cases: [K7QD, T4BX-*-block], reason: known, link: 'https://example.com/1', until: '2027-03-31'}\n"
        "  - {cases: [A2B4], reason: later, link: evidence.md, until: '2028-01-01'}\n"
    )
    first, second = load_waivers(file)
    assert first == Waiver(("K7QD", "T4BX-*-block"), "known", "https://example.com/1", date(2027, 3, 31))
    assert second == Waiver(("A2B4",), "later", "evidence.md", date(2028, 1, 1))
    assert [first.applies_to(case) for case in ("K7QD", "K7QE", "T4BX-in-block", "T4BX-in-blocks")] == [
        True,
        False,
        True,
        False,
    ]
    assert [first.is_over(day) for day in (date(2027, 3, 31), date(2027, 4, 1))] == [False, True]
    assert str(first) == "known (https://example.com/1, until 2027-03-31)"


@pytest.mark.parametrize("text", ["", "waivers:\n", "waivers: []\n"])
def test_no_waivers(text: str, tmp_path: Path) -> None:
    file = tmp_path / "waivers.yaml"
    file.write_text(text)
    assert load_waivers(file) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("waivers: [{reason: r, LINK}]", ["1:11: waivers[0].cases: missing: a waiver names cases"]),
        ("waivers: [{cases: [AAAA], LINK}]", ["1:11: waivers[0].reason: missing: a waiver says why"]),
        ("waivers: [{cases: [AAAA], reason: ' ', LINK}]", ["1:35: waivers[0].reason: missing: a waiver says why"]),
        ("waivers: [{cases: [1234], reason: r, LINK}]", ["1:20: waivers[0].cases[0]: expected text, found a number: 1234; quote it"]),
        ("waivers: [{cases: [AAAA], reason: r, link: 5, until: '2027-03-31'}]", ["1:44: waivers[0].link: expected text, found a number: 5"]),
        ("waivers: [{cases: [AAAA], reason: r, link: l}]", ["1:11: waivers[0].until: missing: a waiver says until which day it holds"]),
        ("waivers: [{cases: [AAAA], reason: r, link: l, until: soon}]", ["1:54: waivers[0].until: expected a day such as 2027-03-31, found 'soon'"]),
        ("waivers: [{cases: [AAAA], reason: r, link: l, until: 2027-03-31}]", ["1:54: waivers[0].until: '2027-03-31' means different things to different YAML readers: quote it, or write it plainly"]),
        ("waivers: [{cases: [AAAA], reson: r, LINK}]", ["1:11: waivers[0].reason: missing: a waiver says why", "1:27: waivers[0].reson: unknown field, expected one of cases, reason, link, until; did you mean reason?"]),
        ("waivers: [{cases: [AAAA], reason: r, LINK}, {cases: [AAAA], reason: s, LINK}]", ["1:78: waivers[1].cases[0]: AAAA is waived already"]),
        ("waiver: []", ["1:1: waiver: unknown field, expected one of waivers; did you mean waivers?"]),
        ("waivers: {AAAA: r}", ["1:10: waivers: expected a list, found a mapping: {'AAAA': 'r'}"]),
        ("waivers: [AAAA]", ["1:11: waivers[0]: expected a mapping, found text: 'AAAA'"]),
        ("- AAAA", ["1:1: expected a mapping, found a list: ['AAAA']"]),
        ("waivers: [", ["2:1: not YAML: "]),
        ("waivers: [{cases: [AAAA], reason: r, reason: s, LINK}]", ["1:38: waivers[0].reason: duplicate key; the first is on line 1"]),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, said: list[str], tmp_path: Path) -> None:
    file = tmp_path / "waivers.yaml"
    file.write_text(text.replace("LINK", "link: l, until: '2027-03-31'") + "\n")
    with pytest.raises(CaseFileError) as caught:
        load_waivers(file)
    assert len(caught.value.problems) == len(said), caught.value.problems
    assert [
        each.removeprefix(f"{file}:")[: len(one)] for each, one in zip(caught.value.problems, said, strict=True)
    ] == said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CaseFileError) as caught:
        load_waivers(tmp_path / "none.yaml")
    assert "cannot be read" in str(caught.value)
