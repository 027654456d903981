"""Pages in a real browser, from files, with everything that it complains about written down."""

from __future__ import annotations

import importlib.util
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request

CHROMIUM = os.environ.get("NETPOL_TEST_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    lacking = []
    if importlib.util.find_spec("playwright") is None:
        lacking.append("pip install playwright")
    if CHROMIUM is None:
        lacking.append("no chromium on the PATH, and NETPOL_TEST_CHROMIUM names none")
    for item in items if lacking else ():
        if _HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="; ".join(lacking)))


@dataclass
class Watched:
    """A page, what its console says that is no mere information, and what it asks the network for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def request(self, request: Request) -> None:
        if not request.url.startswith("file:"):
            self.requests.append(request.url)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 -- not every environment has it

    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[Path], Watched]]:
    """Open a file; at the end, nothing may have been complained of or loaded from anywhere."""
    opened: list[Watched] = []

    def opens(file: Path, fragment: str = "", scheme: str = "light") -> Watched:
        page = browser.new_page(color_scheme=scheme, viewport={"width": 1280, "height": 900})  # type: ignore[arg-type]
        watched = Watched(page)
        page.on("console", watched.console)
        page.on("pageerror", lambda error: watched.complaints.append(str(error)))
        page.on("request", watched.request)
        page.goto(f"file://{file}{fragment}")
        opened.append(watched)
        return watched

    yield opens
    complaints = [each for watched in opened for each in (*watched.complaints, *watched.requests)]
    for watched in opened:
        watched.page.close()
    assert complaints == []
