"""The verbs `report`, `diff` and `combine` over records of real runs of miniatures, good and wrong."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
import yaml

from conformance.casefile.load import load_file
from conformance.lab.miniatures.registry import make
from conformance.model.record import Header, Record
from conformance.report.lines import case_line
from conformance.report.store import footer, read, write
from conformance.runner.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Ended

    Command = Callable[..., Ended]

BOTH = """\
apiVersion: netpol-conformance/v1
kind: Case
id: A2B4
requirement: What any policy allows MUST pass.
spec: https://kubernetes.io/docs/concepts/services-networking/network-policies/
tier: core
features: [ingress]
steps:
  - name: both
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: b, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: c, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {pod: c}}}]}]}
    expect:
      default: allow
      deny: ["!x/b, x/c -> x/a"]
"""


@pytest.fixture
def records(tmp_path: Path, good: str) -> dict[str, Path]:
    """The same two cases on a perfect implementation and on one that knows only the last policy, which the second shows."""
    (tmp_path / "deny.yaml").write_text(good)
    (tmp_path / "both.yaml").write_text(BOTH)
    cases = [*load_file(tmp_path / "both.yaml", "both.yaml"), *load_file(tmp_path / "deny.yaml", "deny.yaml")]
    found = {}
    for name in ("perfect", "last-policy-wins"):
        target = make(name)
        session = Session(target)
        lines = tuple(case_line(session.run(case)) for case in cases)
        header = Header(
            type="header",
            format="netpol-conformance/run/v3",
            suite_version="1.2.3",
            case_set="0123456789abcdef",
            cases=len(lines),
            shard=None,
            target=f"mini:{name}",
            implementation=name,
            implementation_version="1",
            mode="default",
            about={},
            environment={},
            unsupported={},
            options={"target": f"mini:{name}"},
            started="2026-11-23T19:00:00+00:00",
        )
        found[name] = write(tmp_path / name / "run.jsonl", Record(header, lines, footer(lines, 1.0)))
    return found


def test_each_format_is_written_from_one_record(command: Command, records: dict[str, Path]) -> None:
    bad = str(records["last-policy-wins"])
    said = {
        name: command("report", bad, "--format", name)
        for name in ("terminal", "html", "markdown", "junit", "yaml", "readme", "badge")
    }
    assert {name: ended.status for name, ended in said.items()} == dict.fromkeys(said, 0)
    assert "FAIL A2B4" in said["terminal"].out
    assert "both.yaml:" in said["terminal"].out
    assert said["html"].out.startswith("<!doctype html>")
    assert "<b>FAIL A2B4</b>" in said["markdown"].out
    assert ET.fromstring(said["junit"].out).get("failures") == "1"
    assert yaml.safe_load(said["yaml"].out)["profiles"][0]["core"]["failedTests"] == ["A2B4"]
    assert "netpol-conformance run --target mini:last-policy-wins" in said["readme"].out
    assert json.loads(said["badge"].out)["message"] == "1 of 2 pass"


def test_a_report_goes_into_a_file(command: Command, records: dict[str, Path], tmp_path: Path) -> None:
    ended = command("report", str(records["perfect"].parent), "--format", "html", "--output", "deep/page.html")
    assert (ended.status, ended.out) == (0, "")
    assert (tmp_path / "deep" / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    "arguments", [["report", "nowhere"], ["diff", "nowhere", "nowhere"], ["combine", "nowhere", "--output", "o"]]
)
def test_what_is_no_record_is_told_in_words(command: Command, arguments: list[str]) -> None:
    ended = command(*arguments)
    assert ended.status == 65
    assert "no record at nowhere" in ended.err


def test_a_diff_names_exactly_the_cases_that_changed(command: Command, records: dict[str, Path]) -> None:
    good, bad = str(records["perfect"]), str(records["last-policy-wins"])
    worse = command("diff", good, bad, "--format", "json")
    assert [each["id"] for each in json.loads(worse.out)["regressions"]] == ["A2B4"]
    assert json.loads(worse.out)["fixes"] == []
    better = command("diff", bad, good)
    assert "1 fixes" in better.out
    assert "K7QD" not in better.out


@pytest.mark.parametrize(
    ("old", "new", "status"), [("perfect", "last-policy-wins", 1), ("last-policy-wins", "perfect", 0)]
)
def test_a_regression_fails_where_that_is_asked_for(
    command: Command, records: dict[str, Path], old: str, new: str, status: int
) -> None:
    arguments = ("diff", str(records[old]), str(records[new]))
    assert command(*arguments, "--fail-on", "regression").status == status
    assert command(*arguments).status == 0


def test_runs_are_combined_to_a_site_and_night_after_night_to_a_history(
    command: Command, records: dict[str, Path], tmp_path: Path
) -> None:
    both = [str(each) for each in records.values()]
    assert command("combine", *both, "--output", "site").status == 0
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert 'href="runs/last-policy-wins-1.html#A2B4"' in page
    assert (tmp_path / "site" / "runs" / "last-policy-wins-1.html").is_file()
    again = command("combine", *both, "--output", "next", "--history", "site/history.jsonl")
    assert again.status == 0
    assert len((tmp_path / "next" / "history.jsonl").read_text().splitlines()) == 2


def test_what_cannot_be_compared_is_told_in_words(command: Command, records: dict[str, Path], tmp_path: Path) -> None:
    record = read(records["perfect"])
    write(tmp_path / "other.jsonl", Record({**record.header, "case_set": "fedcba9876543210"}, record.cases, None))
    ended = command("combine", str(records["last-policy-wins"]), "other.jsonl", "--output", "site")
    assert ended.status == 65
    assert "case set" in ended.err
    assert not (tmp_path / "site").exists()
