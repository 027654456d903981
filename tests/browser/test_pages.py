"""The page of a run and the page of a grid, as their readers use them: filter, links, keyboard, light and dark."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sample_record import sample

from conformance.casefile.manifest_text import manifest_text
from conformance.report.grid import grid
from conformance.report.html.run_page import run_page
from conformance.report.site import site

if TYPE_CHECKING:
    from collections.abc import Callable

#: The script of axe-core, as its npm package has it.
AXE = os.environ.get("NETPOL_TEST_AXE", "")


@pytest.fixture(scope="session")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "run.html"
    file.write_text(run_page(sample(), manifest_text), encoding="utf-8")
    return file


@pytest.fixture(scope="session")
def grid_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    records = {"one": sample(), "two": sample(implementation="cilium", implementation_version="1.19.0")}
    for path, text in site(grid(records), [], manifest_text).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder / "index.html"


def shown(page: Any) -> list[str]:
    return [row.get_attribute("id") for row in page.locator("#list > tbody > tr[id]:visible").all()]


def test_a_case_opens_its_evidence_and_closes_it(open_page: Callable[..., Any], run_file: Path) -> None:
    page = open_page(run_file).page
    button = page.get_by_role("button", name="BBB2", exact=True)
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    evidence = page.locator("tr.evidence")
    assert "LEAK: must be blocked, but passed" in evidence.inner_text()
    assert "x/a is isolated for ingress by x/deny (deny.yaml:14:9)" in evidence.inner_text()
    assert "kind: NetworkPolicy" in evidence.inner_text()
    assert evidence.locator("td.differs").count() == 2 * 5  # in what must be seen, and in what was
    button.click()
    assert evidence.count() == 0


def test_from_what_is_wrong_one_click_leads_to_the_flow_the_rule_and_the_line(
    open_page: Callable[..., Any], run_file: Path
) -> None:
    page = open_page(run_file).page
    page.locator(".wrong a").first.click()
    text = page.locator("tr.evidence").inner_text()
    assert "x/b, outside-1 -> x/a:80/TCP" in text
    assert "deny.yaml:14:9" in text


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ("fail", ["BBB2"]),
        ("feature:egress", ["DDD2", "FFF2"]),
        ("feature:egress waived", ["DDD2"]),
        ("eee2", ["EEE2-row-one"]),
        ("tier:extended cases/ports", ["FFF2", "EEE2-row-one"]),
        ("nothing-like-that", []),
    ],
)
def test_the_filter_shows_cases_that_have_all_words(
    open_page: Callable[..., Any], run_file: Path, words: str, ids: list[str]
) -> None:
    page = open_page(run_file).page
    page.get_by_label("Find").fill(words)
    assert shown(page) == ids
    assert page.locator("#found").inner_text() == f"{len(ids)} of 6 cases"


def test_everything_can_be_done_with_the_keyboard(open_page: Callable[..., Any], run_file: Path) -> None:
    page = open_page(run_file).page
    page.keyboard.press("/")
    page.keyboard.type("bbb2")
    assert shown(page) == ["BBB2"]
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("tr.evidence").count() == 1
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert len(shown(page)) == 6


def test_a_total_filters_the_cases(open_page: Callable[..., Any], run_file: Path) -> None:
    page = open_page(run_file).page
    page.get_by_role("button", name="extended", exact=True).click()
    assert shown(page) == ["CCC2", "FFF2", "EEE2-row-one"]


def test_an_address_with_a_case_opens_it_even_where_it_is_filtered_out(
    open_page: Callable[..., Any], run_file: Path
) -> None:
    page = open_page(run_file, "#FFF2").page
    assert page.locator("tr.evidence").count() == 1
    page.get_by_label("Find").fill("fail")
    page.evaluate("location.hash = 'AAA2'")
    page.wait_for_selector("#AAA2 + tr.evidence")


def test_a_verdict_of_the_grid_leads_to_its_evidence(open_page: Callable[..., Any], grid_file: Path) -> None:
    page = open_page(grid_file).page
    page.get_by_label("Find").fill("fail")
    assert shown(page) == ["BBB2"]
    page.locator("#BBB2 a[href^='runs/cilium-1.19.0']").click()
    page.wait_for_selector("#BBB2 + tr.evidence")
    assert "cilium" in page.locator("h1").inner_text()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("file", ["run_file", "grid_file"])
def test_nothing_serious_keeps_anybody_from_reading_it(
    open_page: Callable[..., Any], request: pytest.FixtureRequest, file: str, scheme: str
) -> None:
    if not AXE:
        pytest.skip("NETPOL_TEST_AXE names no axe.min.js")
    page = open_page(request.getfixturevalue(file), "#BBB2", scheme).page
    page.evaluate(Path(AXE).read_text(encoding="utf-8"))
    violations = page.evaluate("axe.run().then((results) => results.violations)")
    serious = [each for each in violations if each["impact"] in {"serious", "critical"}]
    assert serious == [], json.dumps(serious, indent=1)
