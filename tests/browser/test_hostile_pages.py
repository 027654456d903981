"""Pages of a record that holds HTML, Markdown and control characters in every text, in a real browser: nothing of it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hostile_record import hostile
from markdown_it import MarkdownIt

from conformance.casefile.manifest_text import manifest_text
from conformance.report.conformance_report import readme
from conformance.report.grid import grid
from conformance.report.html.run_page import run_page
from conformance.report.markdown import markdown
from conformance.report.site import site

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: What HOSTILE would have made where anything of it was not only shown.
MADE = "[onerror], [onload], [onmouseover], img[src='x'], svg[onload], a[href^='javascript'], a[href*='evil']:not([href^='https://example.org/spec']), h1:text-is('title')"

OPEN_EVERYTHING = """() => {
  document.querySelectorAll("#list button[aria-expanded=false]").forEach(each => each.click());
  document.querySelectorAll("details").forEach(each => { each.open = true });
  document.querySelectorAll("*").forEach(each => each.dispatchEvent(new Event("mouseover")));
}"""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("hostile")
    record = hostile(made)
    renderer = MarkdownIt("commonmark", {"html": True}).enable("table")
    pages = {
        "run.html": run_page(record, manifest_text),
        "markdown.html": renderer.render(markdown(record, manifest_text)),
        "readme.html": renderer.render(readme(record)),
        **site(grid({'"><b>one': record}), [], manifest_text),
    }
    for path, text in pages.items():
        (made / path).parent.mkdir(parents=True, exist_ok=True)
        (made / path).write_text(text, encoding="utf-8")
    return made


@pytest.mark.parametrize("name", ["run.html", "index.html", "markdown.html", "readme.html"])
def test_nothing_that_a_record_holds_runs_or_becomes_a_part_of_the_page(
    name: str, open_page: Callable[..., Any], folder: Path
) -> None:
    page = open_page(folder / name).page
    page.evaluate(OPEN_EVERYTHING)
    assert page.evaluate("window.broken") is None
    assert [each.evaluate("each => each.outerHTML") for each in page.locator(MADE).all()] == []
    assert "onerror" in page.locator("body").inner_text()  # it is shown
