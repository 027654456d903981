"""Goes on from the record of a run that was cut off: cases that have a line in it are not run again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import conformance
from conformance.errors import ConformanceError, RecordError
from conformance.model.record import cases_to_come
from conformance.plugin import options
from conformance.plugin.items import CaseItem
from conformance.plugin.sharding import told_of_cases
from conformance.report import totals
from conformance.report.resumption import LeftOff, Nothing, left_off, refuse_another
from conformance.report.store import FILE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from conformance.model.record import Header
    from conformance.plugin.sharding import Sharding

INPUT = (
    "netpol_resume"  # how a worker of pytest-xdist is told what there is: it never reads a file that is being written
)
_OUTPUT = "netpol_resumed"  # how it says that it was asked to run the cases of the record

_MOST = 10


class Resuming:
    """Registered only where a record is named to go on from. Tests that are no cases are none of its business: they run again."""

    def __init__(self, config: pytest.Config, folder: Path, sharding: Sharding | None) -> None:
        self._path = folder / FILE
        self._sharding = sharding
        #: The cases of this run, those that have a line already among them.
        self.mine: tuple[CaseItem, ...] = ()
        #: Whether the record is known to be of these cases.
        self.checked = False
        #: Where the record was cut off; a worker does not know.
        self.beginning: LeftOff | Nothing | None = None
        self._header: Header | None = None
        self._taken: frozenset[str] = frozenset()
        if hasattr(config, "workerinput"):
            self._header, taken = config.workerinput[INPUT]
            self._taken = frozenset(taken)
        else:
            self.beginning = left_off(folder)
            if isinstance(self.beginning, LeftOff):
                self._header = self.beginning.record.header
                self._taken = frozenset(line["id"] for line in self.beginning.record.cases)
            self.refuse_another(
                suite_version=conformance.__version__,
                mode=options.mode(config),
                about=dict(options.about(config).facts),
                options=options.shown(config),
            )

    @property
    def left(self) -> LeftOff | None:
        """What there is to go on from, if there is anything."""
        return self.beginning if isinstance(self.beginning, LeftOff) else None

    def for_workers(self) -> Any:
        return self._header, sorted(self._taken)

    def refuse_another(self, **now: Any) -> None:
        """Raise a UsageError where what is now known of this run is not as the record's header says."""
        if self._header is not None:
            refuse_another(self._path, self._header, now)

    def refuse_another_target(self, config: pytest.Config, told: Mapping[str, Any]) -> None:
        about = options.about(config)
        self.refuse_another(
            target=told["target"],
            implementation=about.implementation or told["implementation"],
            implementation_version=about.version or told["implementation_version"],
            environment=told["environment"],
            unsupported=told["unsupported"],
        )

    @pytest.hookimpl(trylast=True)  # after -k, -m, and the shard, which is registered before
    def pytest_collection_modifyitems(
        self, session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        self.mine = tuple(item for item in items if isinstance(item, CaseItem))
        in_worker = hasattr(config, "workerinput")
        if session.testsfailed and not in_worker and not config.option.continue_on_collection_errors:
            return  # files that cannot be read end the run, and say more than that cases are missing
        try:
            self._see_that_cases_are_the_same()
        except ConformanceError as error:
            if not in_worker:
                raise pytest.UsageError(str(error)) from None
            for item in self.mine:  # a worker can speak only by the report of an item
                item.problem = item.problem or error
            return
        self.checked = True
        if in_worker:
            config.workeroutput[_OUTPUT] = True  # type: ignore[attr-defined]  # pytest-xdist adds it
        over = [item for item in self.mine if item.case.id in self._taken]
        if over:
            config.hook.pytest_deselected(items=over)
            items[:] = [item for item in items if not (isinstance(item, CaseItem) and item.case.id in self._taken)]

    def _see_that_cases_are_the_same(self) -> None:
        if self._header is None:
            return
        self.refuse_another(**told_of_cases(self.mine, self._sharding))
        if strange := sorted(self._taken - {item.case.id for item in self.mine}):
            raise RecordError(
                f"{self._path} has lines of cases that the run does not have",
                causes=strange,
                hint="begin a new record with --report and another folder",
            )

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.checked |= getattr(node, "workeroutput", {}).get(_OUTPUT, False)

    def pytest_report_header(self) -> str | None:
        match self.beginning:
            case Nothing(why=why, keep=keep):
                kept = "; what there is of it is kept beside the new record" if keep else ""
                return f"nothing to resume: {why}{kept}, and all cases are run"
            case LeftOff(path=path, record=record) as left:
                of = cases_to_come(record.header)
                rest = "all" if left.has_all else f"{len(record.cases)} of {of}"
                return f"resuming: {path}, begun {record.header['started']}, has {rest} cases"
        return None

    def summary(self) -> Iterator[str]:
        """Say how many cases were not run since they have a line already, and which of them are no good: only the record shows why."""
        if self.left is None:
            yield "resumed: no case was taken over, since there was no record to go on from"
            return
        header, lines = self.left.record.header, self.left.record.cases
        if self.left.record.footer is not None:
            yield f"resumed: the record was complete, and no case was run: all {len(lines)} were taken over"
        else:
            yield f"resumed: {len(lines)} of {cases_to_come(header)} cases were taken over from the record"
        if wrong := totals.wrong(lines):
            told = ", ".join(f"{line['id']} ({line['verdict']})" for line in wrong[:_MOST])
            more = f", and {len(wrong) - _MOST} more" if len(wrong) > _MOST else ""
            yield f"  of these: {told}{more}; netpol-conformance report {self._path.parent} shows them"
