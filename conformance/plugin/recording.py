"""Writes the record of a run and prints its sum, in the process that the user started."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

import conformance
from conformance.casefile.packaged import SUFFIXES
from conformance.errors import CaseFileError, RecordError, WriteError
from conformance.model.record import FORMAT, CaseLine, Header, cases_to_come
from conformance.model.verdict import Verdict
from conformance.plugin import options
from conformance.report import totals
from conformance.report.resumption import LeftOff, Nothing, seconds_since
from conformance.report.store import Continuation, LogWriter, Writer, footer, now, put_aside
from conformance.report.terminal import summary

if TYPE_CHECKING:
    from conformance.plugin.resuming import Resuming

_WORDS = {
    Verdict.PASS: ("passed", ".", "PASS"),
    Verdict.FAIL: ("failed", "F", "FAIL"),
    Verdict.ERROR: ("failed", "E", "ERROR"),
    Verdict.UNSUPPORTED: ("unsupported", "u", "UNSUPPORTED"),
    Verdict.WAIVED: ("waived", "w", "WAIVED"),
    Verdict.SKIPPED: ("skipped", "s", "SKIPPED"),
    Verdict.NOTRUN: ("notrun", "n", "NOTRUN"),
}
#: What a run ends with when no case failed, but at least one could not be judged.
EXIT_UNJUDGED = 70
#: What pytest ends with where nothing that it ran has failed. The last is no failure where everything was run before.
_ALL_WELL = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)


class Recorder:
    """Listens to the reports of all workers. A run that is resumed goes on with the record as it was left."""

    def __init__(self, config: pytest.Config, resuming: Resuming | None = None) -> None:
        self._config = config
        self._resuming = resuming
        self._continuation: Continuation | None = None
        self._began = time.monotonic()
        self._started = now()
        self._writer: Writer | LogWriter | None = None
        self._unwritten: WriteError | None = None
        self._header: Header | None = None
        self._lines: list[CaseLine] = []
        self._session: pytest.Session | None = None
        self._stop: tuple[str, int] | None = None
        self._bad_files = False
        self._other_failures = False

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        self._session = session
        left = self._left()
        if left is not None and left.record.footer is None and not self._config.option.collectonly:
            try:
                self._continuation = Continuation(left.path, size=left.size, found=left.found)
            except RecordError as error:
                raise pytest.UsageError(str(error)) from None

    def _left(self) -> LeftOff | None:
        return self._resuming.left if self._resuming is not None else None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._bad_files |= report.failed and _is_case(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        sent = getattr(report, "netpol", None)
        self._other_failures |= report.failed and not _is_case(report.nodeid)
        if stop := getattr(report, "netpol_stop", None):
            self._end(*stop)
        if sent is not None:
            try:
                if self._header is None:
                    self._begin(sent)
                self._lines.append(sent["line"])
                if self._writer is not None:
                    self._writer.case(sent["line"])
            except WriteError as error:
                self._end_without_record(error)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        sent = getattr(report, "netpol", None)
        return _WORDS[Verdict(sent["line"]["verdict"])] if sent is not None else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """End the record, if it has every case, and say in the exit status whether a failure is the implementation's."""
        left = self._left()
        if left is not None and self._has_nothing_to_run(left):
            self._go_on(left)
        self._end_record()
        outcome = yield
        if left is not None and self._header is not None and exitstatus in _ALL_WELL:
            failed = any(line["verdict"] in totals.WRONG for line in left.record.cases)
            session.exitstatus = exitstatus = pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK
        earned = self._other_failures or any(line["verdict"] == Verdict.FAIL for line in self._lines)
        strict = options.value(self._config, "strict") and totals.waived_for_nothing(self._lines)
        if self._stop is not None:
            session.exitstatus = self._stop[1]
        elif strict and exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        elif exitstatus == pytest.ExitCode.TESTS_FAILED and not earned:
            session.exitstatus = CaseFileError.exit_status if self._bad_files else EXIT_UNJUDGED
        return outcome

    def _end_record(self) -> None:
        if self._header is not None and self._writer is not None and len(self._lines) == cases_to_come(self._header):
            seconds = time.monotonic() - self._began
            last = footer(self._lines, seconds if self._left() is None else seconds_since(self._header, seconds))
            try:
                self._writer.finish(last)
            except WriteError as error:
                self._end_without_record(error)
        for each in (self._writer, self._continuation):
            if each is not None:
                each.close()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._header is not None:
            terminalreporter.section("conformance")
            for text in summary(self._header, self._lines):
                terminalreporter.write_line(text)
            for text in self._resuming.summary() if self._resuming is not None else ():
                terminalreporter.write_line(text)
            if self._unwritten is not None:
                terminalreporter.write_line(str(self._unwritten))
                terminalreporter.write_line("the record lacks what came after: once there is room, --resume runs it")
            elif self._writer is not None:
                terminalreporter.write_line(f"record: {self._writer.where}")
            elif (left := self._left()) is not None:
                terminalreporter.write_line(f"record: {left.path}")

    def _has_nothing_to_run(self, left: LeftOff) -> bool:
        """Whether the record is known to be of the cases of this run, and has them all: then nothing is heard of any."""
        checked = self._resuming is not None and self._resuming.checked
        return checked and left.has_all and not self._config.option.collectonly

    def _go_on(self, left: LeftOff) -> None:
        """Take over what the record has. That it is of this run was seen where cases were collected and the target was opened."""
        self._header = left.record.header
        self._lines = [*left.record.cases]
        self._writer = self._continuation

    def _begin(self, sent: dict[str, Any]) -> None:
        if (left := self._left()) is not None:
            self._go_on(left)
            return
        told, about = sent["target"], options.about(self._config)
        self._header = Header(
            type="header",
            format=FORMAT,
            suite_version=conformance.__version__,
            case_set=sent["case_set"],
            cases=sent["cases"],
            own_cases=sent["own_cases"],
            shard=sent["shard"],
            target=told["target"],
            implementation=about.implementation or told["implementation"],
            implementation_version=about.version or told["implementation_version"],
            mode=options.mode(self._config),
            about=dict(about.facts),
            environment=told["environment"],
            unsupported=told["unsupported"],
            options=options.shown(self._config),
            started=self._started,
        )
        if folder := options.report_folder(self._config):
            found = self._resuming.beginning if self._resuming is not None else None
            if isinstance(found, Nothing) and found.keep:
                put_aside(found.path)
            self._writer = Writer(folder, self._header)
        elif options.reports_to_log(self._config):
            self._writer = LogWriter(self._say, self._header)

    def _say(self, text: str) -> None:
        """Print a line of its own, at once: what a run says about cases that pass is no whole line."""
        terminal = self._config.get_terminal_writer()
        if terminal.width_of_current_line:
            terminal.line()
        terminal.line(text)
        terminal.flush()

    def _end_without_record(self, error: WriteError) -> None:
        """End the run: what is not recorded would have to be run again. What was written stays, and `--resume` goes on with it."""
        self._unwritten, self._writer = error, None
        self._end(str(error), error.exit_status)

    def _end(self, text: str, status: int) -> None:
        """End the run: without its target, or with case files that make no sense, there is nothing to go on with."""
        self._stop = self._stop or (text, status)
        for loop in (self._session, self._config.pluginmanager.getplugin("dsession")):
            if loop is not None:
                loop.shouldstop = text.partition("\n")[0]


def _is_case(nodeid: str) -> bool:
    return nodeid.partition("::")[0].endswith(SUFFIXES)
