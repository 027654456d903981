"""Case files as pytest collects them: one item for each case, with real fixtures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.casefile.load import load_file, refuse_links_out
from conformance.casefile.packaged import SUFFIXES, cases, shown
from conformance.errors import CaseFileError, ConformanceError
from conformance.model.verdict import Verdict
from conformance.report.lines import case_line
from conformance.report.terminal import case_text

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from pathlib import Path

    from conformance.model.case import Case
    from conformance.model.record import CaseLine
    from conformance.runner.session import Session

API_VERSION = "netpol-conformance/v1"
_HEAD = 4096  # a case says what it is in its first lines
_REPORT = "kind: ConformanceReport"  # what a vendor publishes has the same apiVersion, and is no case

line_key = pytest.StashKey["CaseLine"]()


class CaseFailed(Exception):
    """A case that did not pass; its line of the record says why."""

    def __init__(self, line: CaseLine) -> None:
        super().__init__(line["verdict"])
        self.line = line


def is_case_file(path: Path) -> bool:
    """Tell whether a file says that it is a case. Other YAML files beside cases are none of the plugin's business."""
    if path.suffix not in SUFFIXES or path.name.startswith(("_", ".")) or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD)
            return API_VERSION in head and _REPORT not in head
    except OSError:
        return False


class CaseFile(pytest.File):
    """A file with a case, or a table of them."""

    def collect(self) -> Iterator[pytest.Item]:
        try:
            if folder := self._folder():
                refuse_links_out([self.path], folder)
            found = load_file(self.path, shown(self.path, self.config.rootpath))
        except CaseFileError as error:
            raise self.CollectError(str(error)) from None
        of_the_suite = self.path.resolve().is_relative_to(cases().resolve())
        for case in found:
            yield CaseItem.from_parent(
                self, name=case.id, callobj=_runner(case), case=case, is_of_the_suite=of_the_suite
            )

    def _folder(self) -> Path | None:
        """Return the folder that was named and that the file was found in; None where the file itself was."""
        named = [self.config.invocation_params.dir / each.partition("::")[0] for each in self.config.args]
        within = [each for each in named if self.path.is_relative_to(each)]
        return None if self.path in within else max(within, key=lambda each: len(each.parts), default=None)


class CaseItem(pytest.Function):
    """One case. Its tier and its features are markers, with underscores for hyphens. `is_of_the_suite` is False of a user's own."""

    def __init__(self, *, case: Case, is_of_the_suite: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.case = case
        self.is_of_the_suite = is_of_the_suite
        self.problem: ConformanceError | None = None
        for word in (case.tier.value, *(["row"] if case.is_row else []), *sorted(case.features)):
            self.add_marker(getattr(pytest.mark, word.replace("-", "_")))
        for name in ("id", "tier", "requirement", "spec"):
            self.user_properties.append((name, str(getattr(case, name))))

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        return self.path, self.case.location.line - 1 if self.case.location else None, self.case.id

    def setup(self) -> None:
        if self.problem is not None:  # before fixtures bring anything up
            raise self.problem
        super().setup()

    def runtest(self) -> None:
        line = case_line(self.obj(self.funcargs["netpol_session"]))
        self.stash[line_key] = line
        self.user_properties.append(("verdict", line["verdict"]))
        match Verdict(line["verdict"]):
            case Verdict.FAIL | Verdict.ERROR:
                raise CaseFailed(line)
            case Verdict.WAIVED:
                pytest.xfail(line["waiver"])
            case Verdict.UNSUPPORTED | Verdict.SKIPPED | Verdict.NOTRUN:
                pytest.skip(line["reason"])

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], *args: Any, **kwargs: Any) -> Any:
        if isinstance(excinfo.value, CaseFailed):
            return case_text(excinfo.value.line)
        return super().repr_failure(excinfo, *args, **kwargs)


def _runner(case: Case) -> Any:
    def run_case(netpol_session: Session) -> Any:
        return netpol_session.run(case)

    return run_case
