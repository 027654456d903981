"""Many runs in one page: what can be compared, what is refused, and the files of the site."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from report_lines import case, header
from sample_record import sample

from conformance.casefile.manifest_text import manifest_text
from conformance.errors import RecordError
from conformance.model.record import Record
from conformance.report import history
from conformance.report.grid import NO_DATA, grid, without_broken
from conformance.report.site import site


def run(implementation: str, *verdicts: str, **changes: Any) -> Record:
    cases = tuple(case(id=f"AAA{number}", verdict=verdict) for number, verdict in enumerate(verdicts, 2))
    fields = {"implementation": implementation, "implementation_version": "v1", "cases": 3, **changes}
    return Record(header(**fields), cases, sample().footer)


GOOD = run("good", "pass", "pass", "unsupported")
BAD = run("bad", "pass", "fail", "waived")
CUT = replace(run("cut", "pass"), footer=None)


def test_what_is_missing_is_no_data_and_no_failure() -> None:
    legs = {leg.title: leg for leg in grid({"g": GOOD, "c": CUT, "b": BAD}).legs}
    assert list(legs) == ["bad v1", "cut v1", "good v1"]
    assert [legs["bad v1"].verdict(name) for name in ("AAA2", "AAA3", "AAA4")] == ["pass", "fail", "waived"]
    assert [legs["cut v1"].verdict(name) for name in ("AAA2", "AAA3", "AAA4")] == ["pass", NO_DATA, NO_DATA]


@pytest.mark.parametrize(
    ("other", "problem"),
    [
        (run("bad", "pass", case_set="fedcba9876543210"), "case set: 0123456789abcdef in one, fedcba9876543210 in two"),
        (run("bad", "pass", suite_version="9"), "suite version: 1.2.3 in one, 9 in two"),
        (run("bad", "pass", cases=4), "cases: 3 in one, 4 in two"),
        (run("good", "pass"), "good v1 is there 2 times: one, two"),
        (run("bad", "error", "error"), "two: every case errored"),
        (run("bad"), "two: every case errored"),
        (run("bad", "pass", shard={"number": 1, "count": 2, "cases": 1}), "two is shard 1/2 of a run"),
    ],
)
def test_what_cannot_be_compared_is_refused(other: Record, problem: str) -> None:
    with pytest.raises(RecordError) as refused:
        grid({"one": GOOD, "two": other})
    assert problem in str(refused.value)


def test_modes_of_one_implementation_stand_side_by_side() -> None:
    both = grid({"one": GOOD, "two": run("good", "fail", mode="eBPF")})
    assert [(leg.title, leg.slug) for leg in both.legs] == [("good v1", "good-v1"), ("good v1 (eBPF)", "good-v1-ebpf")]


def test_modes_that_would_be_the_same_address_are_not() -> None:
    both = grid({"one": run("good", "pass", mode="eBPF"), "two": run("good", "fail", mode="ebpf")})
    first, second = (leg.slug for leg in both.legs)
    assert first != second
    assert first.startswith("good-v1-ebpf-")


def test_an_address_is_no_longer_than_a_file_s_name_may_be() -> None:
    (leg,) = grid({"one": run("good", "pass", mode="x" * 5000)}).legs
    assert len(leg.slug) < 120


def test_a_site_has_pages_badges_reports_and_data() -> None:
    files = site(grid({"g": GOOD, "b": BAD}), [], manifest_text)
    assert sorted(files) == [
        "api/v1/cases.json",
        "api/v1/runs.json",
        "badges/bad-v1-core.json",
        "badges/good-v1-core.json",
        "history.jsonl",
        "index.html",
        "runs/bad-v1.html",
        "runs/bad-v1.yaml",
        "runs/good-v1.html",
        "runs/good-v1.yaml",
    ]
    assert [each["verdicts"] for each in json.loads(files["api/v1/cases.json"])] == [
        {"bad-v1": "pass", "good-v1": "pass"},
        {"bad-v1": "fail", "good-v1": "pass"},
        {"bad-v1": "waived", "good-v1": "unsupported"},
    ]
    runs = json.loads(files["api/v1/runs.json"])
    assert all(each["page"] in files and each["report"] in files for each in runs)
    assert yaml.safe_load(files["runs/bad-v1.yaml"])["kind"] == "ConformanceReport"
    for slug in ("bad-v1", "good-v1"):
        assert f'href="runs/{slug}.html#AAA3"' in files["index.html"]


def test_history_grows_night_by_night_and_a_night_told_twice_counts_once() -> None:
    first = history.lines_of(grid({"g": GOOD, "b": BAD}))
    again = history.joined(first, first)
    assert again == sorted(first, key=lambda line: line["implementation"])
    later = replace(BAD, header={**BAD.header, "started": "2026-11-24T19:00:00+00:00"}, cases=GOOD.cases)
    files = site(grid({"g": GOOD, "b": later}), history.read(history.write(first), "history.jsonl"), manifest_text)
    lines = history.read(files["history.jsonl"], "history.jsonl")
    assert len(lines) == 3
    assert history.trends(lines, "core")["bad", "default"] == [
        ("2026-11-23T19:00:00+00:00", 1 / 3),
        ("2026-11-24T19:00:00+00:00", 1.0),
    ]
    assert "2 runs: 33.3 % to 100 % passed, 100 % in the last" in files["index.html"]


@pytest.mark.parametrize("line", ["{}", "no json", '["a"]'])
def test_what_is_no_history_is_told_with_its_line(line: str) -> None:
    good = history.write(history.lines_of(grid({"g": GOOD})))
    with pytest.raises(RecordError) as refused:
        history.read(good + line + "\n", "old.jsonl")
    assert "old.jsonl:2" in str(refused.value)


def test_legs_in_which_everything_errored_can_be_left_out() -> None:
    kept, left_out = without_broken({"good": GOOD, "broken": run("bad", "error", "error")})
    assert list(kept) == ["good"]
    assert left_out == ["broken: every case errored, which says nothing about bad v1"]
    with pytest.raises(RecordError, match="there is none"):
        grid({})
