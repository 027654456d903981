"""Whatever a label, a pod's answer or an API server's says, a report only shows it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from hostile_record import hostile
from markdown_it import MarkdownIt
from sample_record import sample

from conformance.casefile.manifest_text import manifest_text
from conformance.errors import ActionFailed
from conformance.plain import one_line, plain
from conformance.report.badge import badge
from conformance.report.conformance_report import readme
from conformance.report.diff import diff
from conformance.report.diff_text import diff_markdown, diff_text
from conformance.report.grid import grid
from conformance.report.html.run_page import run_page
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.site import site
from conformance.report.terminal import run_text

if TYPE_CHECKING:
    from conformance.model.record import Record

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return hostile(tmp_path_factory.mktemp("hostile"))


def test_the_record_is_hostile_where_it_can_be(record: Record) -> None:
    assert "\x1b" in record.cases[1]["steps"][1]["findings"][3]["detail"]
    assert "onerror" in record.cases[1]["steps"][1]["findings"][1]["flow"]
    assert "evil" in record.cases[1]["spec"]


def everything(record: Record) -> dict[str, str]:
    compared = diff(sample(), record)
    pages = {
        path: text for path, text in site(grid({"<b>": record}), [], manifest_text).items() if isinstance(text, str)
    }
    return {
        "terminal": run_text(record),
        "markdown": markdown(record, manifest_text),
        "readme": readme(record),
        "page": run_page(record, manifest_text),
        "junit": junit(record),
        "badge": str(badge(record)),
        "diff": diff_text(compared),
        "diff as markdown": diff_markdown(compared),
        **{path: text for path, text in pages.items() if path.endswith(".html")},
    }


def test_no_report_holds_anything_that_a_terminal_obeys(record: Record) -> None:
    assert {name: found[0] for name, text in everything(record).items() if (found := OBEYED.search(text))} == {}


def test_no_line_of_a_text_is_a_command_to_a_workflow(record: Record) -> None:
    texts = everything(record)
    for name in ("terminal", "diff", "markdown", "readme"):
        assert [line for line in texts[name].splitlines() if line.lstrip().startswith("::")] == [], name


def test_junit_is_xml_with_one_element_for_each_case(record: Record) -> None:
    assert len(ET.fromstring(junit(record)).findall(".//testcase")) == len(record.cases)


@pytest.mark.parametrize("name", ["markdown", "readme", "diff as markdown"])
def test_markdown_has_no_element_that_we_did_not_write(name: str, record: Record) -> None:
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = [each for one in parser.parse(everything(record)[name]) for each in (one, *(one.children or ()))]
    assert [each for each in tokens if each.type == "image"] == []
    assert [each.attrs for each in tokens if each.type == "link_open"] == []
    html = " ".join(each.content for each in tokens if each.type in {"html_inline", "html_block"})
    written = {"details", "summary", "b", "br", "code"}
    assert {each.lower() for each in re.findall(r"</?([a-zA-Z]+)", html)} <= written
    titles = [after.content for one, after in pairwise(tokens) if one.type == "heading_open"]
    assert [each for each in titles if each == "title"] == []


def test_an_error_that_quotes_somebody_is_plain() -> None:
    error = ActionFailed("policy x/p was not accepted", causes=["denied by \x1b[2Jhook"], hint="\u202e")
    assert str(error).splitlines() == [
        "policy x/p was not accepted [action-failed]",
        r"  because: denied by \x1b[2Jhook",
        r"  hint: \u202e",
    ]


def test_what_people_write_stays_as_it_is() -> None:
    assert plain("naïve — 日本語 ✓\tx\n") == "naïve — 日本語 ✓\tx\n"
    assert one_line("a\nb\r") == r"a\nb\r"
