"""The record on disk: written, read back, cut off, and not a record at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from report_lines import case, finding, header, step

from conformance.errors import RecordError
from conformance.model.record import FORMAT, Record
from conformance.report.html.run_page import run_page
from conformance.report.markdown import markdown
from conformance.report.store import FILE, LogWriter, Writer, footer, read, write

#: Written on 23 November 2026 by the first version that had a command line.
OLDEST = Path(__file__).parent / "records" / "oldest.jsonl"
CASES = (case(), case(id="M2XW", verdict="fail", steps=[step(findings=[finding()])]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a whole record."""
    writer = Writer(tmp_path, header())
    for line in CASES:
        writer.case(line)
    writer.finish(footer(CASES, 12.3456))
    return tmp_path


def test_what_is_written_is_read_back(folder: Path) -> None:
    record = read(folder)
    assert (record.header, record.cases) == (header(), CASES)
    assert record.footer is not None
    assert (record.footer["verdicts"], record.footer["seconds"]) == ({"fail": 1, "pass": 1}, 12.346)
    assert read(folder / FILE) == record


def test_every_line_is_on_disk_once_it_is_written(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "deep" / "down", header())
    assert read(tmp_path / "deep" / "down") == Record(header(), (), None)
    writer.case(CASES[0])
    assert read(tmp_path / "deep" / "down") == Record(header(), CASES[:1], None)
    writer.close()


def test_lists_that_the_first_version_wrote_as_python_does_are_lists(tmp_path: Path) -> None:
    old = {**header(options={"timeout": "['settle=5', 'behind=5']"}), "format": "netpol-conformance/run/v1"}
    (tmp_path / FILE).write_text(json.dumps(old) + "\n", encoding="utf-8")
    assert read(tmp_path).header["options"] == {"timeout": ["settle=5", "behind=5"]}


def test_without_a_footer_the_run_was_cut_off(folder: Path) -> None:
    lines = (folder / FILE).read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / FILE).write_text("".join(lines[:-1]), encoding="utf-8")
    assert read(folder) == Record(header(), CASES, None)


def test_a_last_line_that_was_cut_off_anywhere_is_left_out(folder: Path) -> None:
    spelled = case(requirement="Ein Pod MUST \u00fcbrig bleiben \U0001f980.")
    writer = Writer(folder, header())
    writer.case(spelled)
    writer.close()
    whole = (folder / FILE).read_bytes()
    start = whole.index(b"\n") + 1
    for end in range(start, len(whole)):
        (folder / FILE).write_bytes(whole[:end])
        assert read(folder) == Record(header(), (), None)


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\n"])
def test_a_line_ends_only_where_it_was_ended(folder: Path, character: str) -> None:
    odd = case(reason=f"one{character}two")
    writer = Writer(folder, header())
    writer.case(odd)
    writer.finish(footer([odd], 1.0))
    assert read(folder).cases == (odd,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}\n",
        "[]\n",
        "1\n",
        "not json\n",
        json.dumps(CASES[0]) + "\n",
        json.dumps(header(format="netpol-conformance/run/v9")) + "\n",
        json.dumps(header()),
        json.dumps(header()) + "\nnot json\n",
        json.dumps(header()) + "\n[]\n",
        json.dumps(header()) + '\n{"type": "surprise"}\n',
        json.dumps(header()) + '\n{"type": 7}\n',
        json.dumps(header()) + "\n" + json.dumps(header()) + "\n",
        json.dumps(header()) + "\n" + json.dumps(footer([], 1.0)) + "\n" + json.dumps(CASES[0]) + "\n",
        "\n" + json.dumps(header()) + "\n",
        "\ufeff" + json.dumps(header()) + "\n",
    ],
)
def test_what_is_no_record_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(RecordError) as told:
        read(tmp_path)
    assert str(tmp_path / FILE) in told.value.message


def test_what_is_not_even_text_is_told(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\x80\x81\n")
    with pytest.raises(RecordError, match=r"run\.jsonl:1: not a line of a record"):
        read(tmp_path)


def test_where_there_is_nothing_the_hint_says_what_to_give(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(RecordError) as told:
            read(place)
        assert "--report" in str(told.value)


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(RecordError, match="cannot write the record"):
        Writer(tmp_path / "file", header())


def test_a_new_record_takes_the_place_of_an_old_one(folder: Path) -> None:
    Writer(folder, header(cases=7)).close()
    assert read(folder) == Record(header(cases=7), (), None)


def test_a_footer_counts_verdicts() -> None:
    assert footer([], 0.0)["verdicts"] == {}
    assert footer([case(), case(), case(verdict="error")], 0.0)["verdicts"] == {"error": 1, "pass": 2}


def test_a_record_is_written_to_a_file_or_into_a_folder(folder: Path) -> None:
    record = read(folder)
    (folder / "there").mkdir()
    for place, file in (("there", "there/run.jsonl"), ("new/all.jsonl", "new/all.jsonl"), ("all", "all")):
        assert write(folder / place, record) == folder / file
        assert (folder / file).read_bytes() == (folder / FILE).read_bytes()


def test_a_record_without_a_footer_is_written_without_one(folder: Path) -> None:
    cut = Record(header(), CASES, None)
    assert read(write(folder / "cut.jsonl", cut)) == cut


def test_a_record_can_be_found_again_among_other_text(tmp_path: Path) -> None:
    odd = case(reason="one\u2028two\n\U0001f980")
    said = ["collected 1 item", '  {"type": of something else']
    writer = LogWriter(said.append, header())
    writer.case(odd)
    said.append("some more")
    writer.finish(footer([odd], 1.0))
    writer.close()
    assert all(text.isascii() for text in said)
    found = [text + "\n" for text in said if text.startswith(LogWriter.BEGINNING)]
    (tmp_path / FILE).write_text("".join(found), encoding="utf-8")
    record = read(tmp_path)
    assert (record.header, record.cases, record.footer) == (header(), (odd,), footer([odd], 1.0))


def test_the_oldest_record_that_was_ever_written_is_read_as_one_of_now() -> None:
    record = read(OLDEST)
    assert len(record.cases) == record.header["cases"] == 15
    assert (record.header["format"], record.header["shard"], record.header["mode"]) == (FORMAT, None, "default")
    assert record.footer is not None
    assert run_page(record, str)
    assert "No case fails" in markdown(record, str)


def test_a_record_of_a_later_version_is_refused_with_what_can_be_read(tmp_path: Path) -> None:
    later = OLDEST.read_text(encoding="utf-8").replace("run/v1", "run/v9")
    (tmp_path / FILE).write_text(later, encoding="utf-8")
    with pytest.raises(
        RecordError, match="netpol-conformance/run/v1, netpol-conformance/run/v2 or netpol-conformance/run/v3"
    ):
        read(tmp_path)
