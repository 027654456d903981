"""Two runs compared: exactly what changed is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from report_lines import case, header
from sample_record import STEP, sample

from conformance.model.record import Record
from conformance.report.diff import diff
from conformance.report.diff_text import diff_json, diff_markdown, diff_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from syrupy.assertion import SnapshotAssertion

    from conformance.report.diff import Diff


def run(verdicts: Mapping[str, str], **changes: Any) -> Record:
    cases = tuple(
        case(id=name, verdict=verdict, steps=[STEP] if verdict == "fail" else []) for name, verdict in verdicts.items()
    )
    return Record(header(cases=len(cases), **changes), cases, sample().footer)


def compared(old: str, new: str) -> Diff:
    return diff(run({"AAA2": old}), run({"AAA2": new}))


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("pass", "fail", "regressions"),
        ("pass", "waived", "regressions"),
        ("waived", "fail", "regressions"),
        ("fail", "pass", "fixes"),
        ("fail", "waived", "fixes"),
        ("waived", "pass", "fixes"),
        ("pass", "error", "other"),
        ("error", "fail", "other"),
        ("unsupported", "fail", "other"),
        ("notrun", "pass", "other"),
    ],
)
def test_a_change_is_of_one_kind(old: str, new: str, kind: str) -> None:
    found = diff_json(compared(old, new))
    assert found[kind] == [{"id": "AAA2", "old": old, "new": new}]
    assert all(found[other] == [] for other in ("regressions", "fixes", "new", "gone", "other") if other != kind)


@pytest.mark.parametrize("verdict", ["pass", "fail", "error", "waived", "unsupported", "skipped", "notrun"])
def test_what_is_as_it_was_is_not_told(verdict: str) -> None:
    assert "AAA2" not in diff_text(compared(verdict, verdict))


def test_cases_that_only_one_run_has_are_new_or_gone() -> None:
    found = diff_json(diff(run({"AAA2": "pass", "BBB2": "fail"}), run({"AAA2": "pass", "CCC2": "fail"})))
    assert found["new"] == [{"id": "CCC2", "old": None, "new": "fail"}]
    assert found["gone"] == [{"id": "BBB2", "old": "fail", "new": None}]
    assert found["regressions"] == found["fixes"] == []


def test_runs_of_different_cases_say_so() -> None:
    other = diff(run({"AAA2": "pass"}), run({"AAA2": "pass"}, case_set="fedcba9876543210"))
    assert not other.aligned
    assert "different cases" in diff_text(other)
    assert "different cases" in diff_markdown(other)
    assert "different cases" not in diff_text(compared("pass", "fail"))


def test_it_looks_as_it_did(snapshot: SnapshotAssertion) -> None:
    old = run({"AAA2": "pass", "BBB2": "fail", "CCC2": "pass", "DDD2": "pass"})
    new = run({"AAA2": "fail", "BBB2": "pass", "CCC2": "error", "EEE2": "pass"}, implementation_version="v3.33.0")
    found = diff(old, new)
    assert diff_text(found) == snapshot
    assert diff_markdown(found) == snapshot
    assert json.dumps(diff_json(found), indent=1) == snapshot
