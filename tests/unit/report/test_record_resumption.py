"""Where a run was cut off: found at any byte, refused where it is damaged, and never taken for another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from report_lines import case, header

from conformance.errors import RecordError, UsageError
from conformance.model.record import FORMAT
from conformance.report.resumption import LeftOff, Nothing, left_off, refuse_another, seconds_since
from conformance.report.store import FILE, footer

OLDEST = Path(__file__).parent / "records" / "oldest.jsonl"
HEADER = header(cases=2)
CASES = (case(), case(id="M2XW", reason="§ \U0001f980"))


def written(*lines: Any) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


def test_what_was_cut_off_is_left_out(path: Path) -> None:
    whole = written(HEADER, CASES[0])
    rest = written(CASES[1], footer(CASES, 1.0))
    for at in range(len(rest)):
        path.write_bytes(whole + rest[:at])
        found = left_off(path.parent)
        assert isinstance(found, LeftOff)
        both = at >= len(written(CASES[1]))
        assert found.size == len(whole) + both * len(written(CASES[1]))
        assert found.found == len(whole) + at
        assert (found.record.cases, found.record.footer, found.has_all) == (CASES[: 1 + both], None, both)


def test_a_complete_record_has_its_footer(path: Path) -> None:
    path.write_bytes(written(HEADER, *CASES, footer(CASES, 1.0)))
    found = left_off(path.parent)
    assert isinstance(found, LeftOff)
    assert found.has_all
    assert found.record.footer is not None


def test_where_there_is_no_header_there_is_nothing(path: Path) -> None:
    assert left_off(path.parent) == Nothing(path, f"there is no {path}")
    path.write_bytes(b"")
    assert left_off(path.parent) == Nothing(path, f"{path} is empty")
    whole = written(HEADER)
    for at in range(1, len(whole)):
        path.write_bytes(whole[:at])
        assert left_off(path.parent) == Nothing(path, f"{path} was cut off in its first line")


@pytest.mark.parametrize(
    "first",
    [
        b"\0\0\0\n",
        b"\xff\n",
        b"[]\n",
        b"7\n",
        b'{"type": "case"}\n',
        b'{"type": "header"}\n',
        b'{"type": "header", "format": "something else"}\n',
        written({**HEADER, "started": "yesterday"}),
        written({**HEADER, "shard": 7}),
        written({name: value for name, value in HEADER.items() if name != "case_set"}),
    ],
)
def test_a_header_that_is_damaged_is_none_and_what_follows_it_is_worth_keeping(path: Path, first: bytes) -> None:
    path.write_bytes(first + written(*CASES))
    assert left_off(path.parent) == Nothing(path, f"the first line of {path} is damaged", keep=True)


def test_a_record_of_another_version_is_refused(path: Path) -> None:
    path.write_bytes(OLDEST.read_bytes())
    with pytest.raises(RecordError, match=f"is in the format .*run/v1, and this version of the suite writes {FORMAT}"):
        left_off(path.parent)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (written(CASES[0])[:-9] + b"\n" + written(CASES[1]), ":2: not a line of a record"),
        (b"\n" + written(CASES[0]), ":2: not a line of a record"),
        (written(CASES[0], HEADER), ":3: a header line among the cases"),
        (written(CASES[0], CASES[0]), rf":3: case {CASES[0]['id']} has a line already, line 2"),
        (written(CASES[0], footer(CASES[:1], 1.0)), ":3: the footer counts other lines than those that are there"),
        (written(*CASES, footer(CASES[:1], 1.0)), ":4: the footer counts other lines than those that are there"),
    ],
    ids=["cut", "empty", "header", "twice", "cases missing", "miscounted"],
)
def test_what_is_damaged_before_the_end_is_told_with_its_place_and_what_to_do(
    path: Path, lines: bytes, said: str
) -> None:
    path.write_bytes(written(HEADER) + lines)
    with pytest.raises(RecordError, match=said) as told:
        left_off(path.parent)
    assert told.value.message.startswith(str(path))
    assert "out of the file" in str(told.value.hint)


def test_a_record_that_cannot_be_read_is_told(path: Path) -> None:
    path.mkdir()
    with pytest.raises(RecordError, match="cannot read the record"):
        left_off(path.parent)


def test_what_is_the_same_is_gone_on_with(path: Path) -> None:
    refuse_another(path, HEADER, {name: value for name, value in HEADER.items() if name != "started"})
    elsewhere = {**HEADER["options"], "report": "elsewhere", "run": "other", "keep": "True"}
    refuse_another(path, HEADER, {"options": elsewhere})
    refuse_another(path, HEADER, {})


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"case_set": "0"}, ["case set: "]),
        ({"suite_version": "9"}, ["suite version: "]),
        ({"target": "other", "implementation": "x"}, ["target: ", "implementation: "]),
        ({"options": {**HEADER["options"], "timeout": ["settle=9", "hold=1"]}}, ["option timeout: none in the record, settle=9, hold=1 in this run"]),
        ({"environment": {}}, ["environment, "]),
        ({"unsupported": {"sctp": "why", "ipv6": "why"}}, ["unsupported features: "]),
        ({"about": {"project": "p"}}, ["about, project: none in the record, p in this run"]),
        ({"shard": {"number": 1, "count": 2, "cases": 1}}, ["shard: none in the record, 1/2, 1 cases in this run"]),
    ],
)  # fmt: skip
def test_everything_that_differs_is_told(path: Path, now: dict[str, Any], said: list[str]) -> None:
    record = header(unsupported={"sctp": "another why"}, environment={"kernel": "6"})
    with pytest.raises(UsageError, match="is the record of another run") as told:
        refuse_another(path, record, now)
    assert len(told.value.causes) == len(said)
    assert all(each.startswith(start) for each, start in zip(told.value.causes, said, strict=True)), told.value.causes


def test_a_run_takes_from_its_first_start_to_its_end() -> None:
    assert seconds_since(header(started="2026-01-01T00:00:00+00:00"), 5.0) > 3600
    assert seconds_since(header(started="2999-01-01T00:00:00+00:00"), 5.0) == 5.0
