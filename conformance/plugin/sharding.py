"""Runs only the cases of one shard, and tells the process that the user started which part of the run that is."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

import pytest

from conformance.casefile.load import digest
from conformance.errors import UsageError
from conformance.model.shard import MOST_SHARDS, Shard
from conformance.plugin.items import CaseItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What an indexed Job of Kubernetes tells each of its pods: which one it is, counted from 0.
JOB_INDEX = "JOB_COMPLETION_INDEX"
_SHARD = re.compile(r"(job|[0-9]{1,9})/([0-9]{1,9})")
_INDEX = re.compile(r"[0-9]{1,9}")
_OUTPUT = "netpol_chosen"  # how a worker of pytest-xdist says how many cases were chosen, where none is of this shard


def parse(text: str, environment: Mapping[str, str] = os.environ) -> Shard:
    """Read `2/4`, or `job/4` in a pod of an indexed Job; UsageError where that is no shard."""
    match = _SHARD.fullmatch(text.strip())
    if match is None:
        raise UsageError(
            f"{text!r} is no shard",
            hint="write it as NUMBER/COUNT, such as 1/4 for the first of four, or as job/4 in an indexed Job",
        )
    number, count = match.groups()
    index = environment.get(JOB_INDEX, "")
    if number == "job" and not _INDEX.fullmatch(index):
        raise UsageError(
            f"{text} takes the number from {JOB_INDEX}, and that is {index or 'not set'}",
            hint="only the pods of a Job with completionMode Indexed have it; elsewhere write the number, such as 1/4",
        )
    shard = Shard(int(index) + 1 if number == "job" else int(number), int(count))
    if shard.count > MOST_SHARDS:
        raise UsageError(f"{text} is too much: there are at most {MOST_SHARDS} shards")
    if not 1 <= shard.number <= shard.count:
        raise UsageError(
            f"there is no shard {shard}", hint=f"shards are counted from 1, and there are {count}, as {text} says"
        )
    return shard


def told_of_cases(items: Sequence[CaseItem], sharding: Sharding | None) -> dict[str, Any]:
    """Return what the head of the record says of the cases that were chosen; `items` are those of this shard, or all."""
    chosen = items if sharding is None else sharding.chosen
    shard = sharding and {"number": sharding.shard.number, "count": sharding.shard.count, "cases": len(items)}
    return {
        "case_set": digest([item.case for item in chosen]),
        "cases": len(chosen),
        "own_cases": sum(not item.is_of_the_suite for item in chosen),
        "shard": shard,
    }


class Sharding:
    """Registered only where a shard is named. Tests that are no cases are none of its business: they run in every shard."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        #: The cases of the whole run, all shards.
        self.chosen: tuple[CaseItem, ...] = ()
        self._count = 0  # of them, where this shard has none; with workers, it is all that the process that the user started knows
        self._empty = False

    @pytest.hookimpl(trylast=True)  # after -k, -m and whatever else chooses
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self.chosen = tuple(item for item in items if isinstance(item, CaseItem))
        mine = self.shard.of([item.case for item in self.chosen])
        self._count = 0 if mine else len(self.chosen)
        kept: list[pytest.Item] = []
        others: list[pytest.Item] = []
        for item in items:
            of_others = isinstance(item, CaseItem) and item.problem is None and item.case.id not in mine
            (others if of_others else kept).append(item)
        if others:
            config.hook.pytest_deselected(items=others)
            items[:] = kept

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self._count = max(self._count, getattr(node, "workeroutput", {}).get(_OUTPUT, 0))

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Any:
        """A shard without cases is no failure: there were cases, and fewer than shards."""
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput[_OUTPUT] = self._count
        self._empty = exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self._count > 0
        outcome = yield
        if self._empty:
            session.exitstatus = pytest.ExitCode.OK
        return outcome

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._empty:
            terminalreporter.write_line(
                f"shard {self.shard} has none of the {self._count} cases: there is no record of it"
            )
