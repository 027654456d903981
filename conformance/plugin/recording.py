"""Writes the record of a run and prints its sum, in the process that the user started."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import conformance
from conformance.casefile.load import digest
from conformance.model.record import FORMAT, CaseLine, Header
from conformance.model.verdict import Verdict
from conformance.plugin import options
from conformance.plugin.items import CaseItem
from conformance.report.store import Writer, footer, now
from conformance.report.terminal import summary

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORDS = {
    Verdict.PASS: ("passed", ".", "PASS"),
    Verdict.FAIL: ("failed", "F", "FAIL"),
    Verdict.ERROR: ("failed", "E", "ERROR"),
    Verdict.UNSUPPORTED: ("unsupported", "u", "UNSUPPORTED"),
    Verdict.WAIVED: ("waived", "w", "WAIVED"),
    Verdict.SKIPPED: ("skipped", "s", "SKIPPED"),
    Verdict.NOTRUN: ("notrun", "n", "NOTRUN"),
}
#: What a run ends with when nothing failed but something could not be judged.
EXIT_ERRORS = 70


class Recorder:
    """Listens to the reports of all workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._began = time.monotonic()
        self._started = now()
        self._writer: Writer | None = None
        self._header: Header | None = None
        self._lines: list[CaseLine] = []
        self._cases = 0
        self._case_set = ""

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        cases = [item.case for item in session.items if isinstance(item, CaseItem)]
        self._cases, self._case_set = len(cases), digest(cases)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        sent = getattr(report, "netpol", None)
        if sent is not None:
            if self._header is None:
                self._begin(sent)
            self._lines.append(sent["line"])
            if self._writer is not None:
                self._writer.case(sent["line"])

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        sent = getattr(report, "netpol", None)
        return _WORDS[Verdict(sent["line"]["verdict"])] if sent is not None else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """End the record, unless the run was cut off; a run in which nothing failed but something erred says so."""
        if self._writer is not None:
            if exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
                self._writer.finish(footer(self._lines, time.monotonic() - self._began))
            else:
                self._writer.close()
        outcome = yield
        verdicts = {line["verdict"] for line in self._lines}
        if exitstatus == pytest.ExitCode.TESTS_FAILED and Verdict.ERROR in verdicts and Verdict.FAIL not in verdicts:
            session.exitstatus = EXIT_ERRORS
        return outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._header is not None:
            terminalreporter.section("conformance")
            for text in summary(self._header, self._lines):
                terminalreporter.write_line(text)
            if self._writer is not None:
                terminalreporter.write_line(f"record: {self._writer.path}")

    def _begin(self, sent: dict[str, Any]) -> None:
        told = sent["target"]
        self._header = Header(
            type="header",
            format=FORMAT,
            suite_version=conformance.__version__,
            case_set=sent.get("case_set") or self._case_set,
            cases=sent.get("cases") or self._cases,
            target=told["target"],
            implementation=told["implementation"],
            implementation_version=told["implementation_version"],
            environment=told["environment"],
            unsupported=told["unsupported"],
            options=options.shown(self._config),
            started=self._started,
        )
        folder = options.value(self._config, "report")
        if folder:
            self._writer = Writer(Path(folder), self._header)


def sent_along(line: CaseLine, target: dict[str, Any], cases: Sequence[Any]) -> dict[str, Any]:
    """Return what a worker sends with a report: the case's line, and what the head of the record needs."""
    return {"line": line, "target": target, "case_set": digest(cases), "cases": len(cases)}
