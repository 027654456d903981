"""What is made of a record: snapshots of every form, and what must hold of each."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml
from report_lines import case, header
from sample_record import NASTY, sample

from conformance.casefile.manifest_text import manifest_text
from conformance.model.record import Record
from conformance.report.badge import badge
from conformance.report.conformance_report import command, conformance_report, readme
from conformance.report.html.run_page import run_page
from conformance.report.junit import junit
from conformance.report.markdown import markdown
from conformance.report.terminal import run_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from syrupy.assertion import SnapshotAssertion

SCHEMA = json.loads(files("conformance.report").joinpath("conformance.schema.json").read_text(encoding="utf-8"))
EMPTY = Record(header(cases=3), (), None)
ALL_PASS = Record(header(cases=2), (case(), case(id="M2XW", tier="extended")), sample().footer)


def summary_page(record: Record) -> str:
    return markdown(record, manifest_text)


def html_page(record: Record) -> str:
    return run_page(record, manifest_text)


def yaml_report(record: Record) -> str:
    return manifest_text(conformance_report(record))


def badge_text(record: Record) -> str:
    return json.dumps([badge(record), badge(record, "extended")], indent=1)


RENDERERS = [run_text, summary_page, junit, yaml_report, readme, badge_text, html_page]


@pytest.mark.parametrize("render", RENDERERS)
def test_it_looks_as_it_did(render: Callable[[Record], str], snapshot: SnapshotAssertion) -> None:
    assert render(sample()) == snapshot


@pytest.mark.parametrize("render", RENDERERS)
@pytest.mark.parametrize("record", [EMPTY, ALL_PASS, replace(sample(), footer=None)], ids=["empty", "good", "cut off"])
def test_it_renders_whatever_a_run_left(render: Callable[[Record], str], record: Record) -> None:
    assert render(record)


@pytest.mark.parametrize("record", [EMPTY, ALL_PASS, sample(), replace(sample(), footer=None)])
def test_a_report_is_sorted_and_fits_its_schema(record: Record) -> None:
    report = yaml.safe_load(yaml_report(record))
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report == conformance_report(record)
    assert list(report) == sorted(report)


def test_a_report_tells_what_failed_and_what_is_supported() -> None:
    (profile,) = conformance_report(sample())["profiles"]
    assert profile["core"] == {
        "failedTests": ["BBB2", "DDD2"],
        "knownDeviations": [{"case": "DDD2", "reason": "known since 2.3"}],
        "result": "failure",
        "statistics": {"Failed": 2, "Passed": 1, "Skipped": 0},
    }
    assert profile["extended"]["result"] == "partial"
    assert profile["extended"]["skippedTests"] == ["CCC2"]
    assert profile["extended"]["supportedFeatures"] == ["egress", "end-port", "ingress"]
    assert profile["summary"] == "Core: 1 pass, 1 fail as is known, 1 fail. Extended: 1 pass, 1 were not judged."


@pytest.mark.parametrize(
    ("verdicts", "result"),
    [
        (["pass", "pass"], "success"),
        (["pass", "unsupported"], "success"),
        (["pass", "waived"], "partial"),
        (["pass", "error"], "partial"),
        (["pass", "notrun"], "partial"),
        (["waived", "fail", "error"], "failure"),
    ],
)
def test_only_what_is_whole_is_a_success(verdicts: list[str], result: str) -> None:
    cases = tuple(case(id=f"AAA{number}", verdict=verdict) for number, verdict in enumerate(verdicts, 2))
    whole = Record(header(cases=2), cases, sample().footer)
    assert conformance_report(whole)["profiles"][0]["core"]["result"] == result
    if result == "success":
        assert conformance_report(replace(whole, footer=None))["profiles"][0]["core"]["result"] == "partial"


def test_the_command_of_a_run_is_given_without_where_it_was_made() -> None:
    assert command(sample().header["options"]) == (
        "netpol-conformance run --target kubernetes --waivers 'my waivers.yaml' --disruptive"
        " --unsupported end-port --unsupported ipv6 -m 'core and not row' --context CONTEXT --report RECORD"
    )


@pytest.mark.parametrize(
    ("verdicts", "message", "color"),
    [
        (["pass", "pass", "unsupported"], "all 2 pass", "brightgreen"),
        (["pass", "waived"], "1 of 2 pass", "yellowgreen"),
        (["pass", "fail", "waived"], "1 of 3 pass", "red"),
        (["pass", "error"], "not judged", "lightgrey"),
        (["unsupported"], "not judged", "lightgrey"),
        (["pass", "notrun"], "incomplete", "lightgrey"),
    ],
)
def test_a_badge_promises_nothing_that_was_not_seen(verdicts: list[str], message: str, color: str) -> None:
    cases = tuple(case(id=f"AAA{number}", verdict=verdict) for number, verdict in enumerate(verdicts, 2))
    whole = Record(header(cases=len(cases)), cases, sample().footer)
    assert (badge(whole)["message"], badge(whole)["color"]) == (message, color)
    assert badge(replace(whole, footer=None))["message"] == "incomplete"


def test_what_anybody_could_pick_is_no_result_of_the_suite() -> None:
    cases = (case(id="AAA2"),)
    for changes in ({"own_cases": 1}, {"options": {"k": "AAA2"}}):
        picked = Record(header(cases=1, **changes), cases, sample().footer)
        assert badge(picked)["message"] == "not the suite's cases"
        assert conformance_report(picked)["profiles"][0]["core"]["result"] == "partial"
    nothing = Record(header(cases=1), (case(id="AAA2", verdict="unsupported"),), sample().footer)
    assert conformance_report(nothing)["profiles"][0]["core"]["result"] == "partial"


def test_markdown_stays_below_the_size_that_is_shown_and_names_what_has_no_room() -> None:
    wrong = [case(id=f"A{number:03}", verdict="fail", reason="x" * 3000) for number in range(900)]
    page = markdown(Record(header(cases=900), tuple(wrong), None), str, most=100_000)
    assert 70_000 < len(page.encode()) <= 100_000
    shown = page.count("<details>")
    assert re.search(rf"There is no room for {900 - shown} more: FAIL A0{shown}", page)


def test_in_markdown_no_text_of_a_record_is_markup() -> None:
    page = markdown(sample(), str)
    assert "<b>*bold" not in re.sub("^```(text|yaml)$.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    assert page.count("<details>") == page.count("</details>") == 2


def test_junit_counts_what_it_holds() -> None:
    root = ET.fromstring(junit(sample()))
    assert [root.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["6", "1", "1", "2"]
    assert [suite.get("name") for suite in root] == ["cases/ingress", "cases/ports"]
    failed = next(each for each in root.iter("testcase") if each.find("failure") is not None)
    properties = {each.get("name"): each.get("value") for each in failed.iter("property")}
    assert properties["id"] == "BBB2"
    assert properties["tier"] == "core"
    assert "because x/a is isolated" in (failed.findtext("failure") or "")


class _Page(HTMLParser):
    """Collects what a page holds, and whether its elements end in the order in which they began."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_is_whole_and_loads_nothing() -> None:
    page = _Page()
    page.feed(html_page(sample()))
    page.close()
    assert page.open == []
    assert not [value for name, value in page.attributes if name == "src"]
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_a_page_holds_the_evidence_of_each_case() -> None:
    found = _evidence(html_page(sample()))
    assert list(found) == ["AAA2", "BBB2", "CCC2", "DDD2", "FFF2", "EEE2-row-one"]
    good, bad = found["BBB2"]["steps"]
    assert [(each["ports"], each["observed"]) for each in good["grids"]] == [
        (["80/TCP", "81/TCP"], None),
        (["80/UDP over IPv6"], None),
    ]
    assert [(each["ports"], each["expected"], each["observed"]) for each in bad["grids"]] == [
        (["80/TCP"], [" .", "X ", "X."], [" X", ". ", ".."]),
        (["81/TCP"], [" .", "X ", "X."], [" ?", "X ", "X."]),
        (["80/UDP over IPv6"], [" X", "X ", ".."], [" ~", "X ", ".."]),
    ]
    assert yaml.safe_load(bad["changes"][0]["yaml"])["metadata"]["annotations"]["note"] == NASTY


def _evidence(page: str) -> dict[str, Any]:
    text = re.search(r'<script type="application/json" id="evidence">(.*?)</script>', page, re.DOTALL)
    assert text is not None
    found: dict[str, Any] = json.loads(text[1])
    return found
