"""What became of a case."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model.case import Case
    from conformance.model.flow import Flow
    from conformance.model.matrix import Cell


class Verdict(StrEnum):
    """The verdict on a case. `error` speaks of the suite or the cluster, never of the implementation."""

    PASS = "pass"  # noqa: S105 -- the word of the design, not a password
    FAIL = "fail"
    ERROR = "error"
    UNSUPPORTED = "unsupported"
    WAIVED = "waived"
    SKIPPED = "skipped"
    NOTRUN = "notrun"


@dataclass(frozen=True, slots=True)
class StepResult:
    """One step that was read: what was declared of each flow, the cells that do not agree, and numbers about all of them.

    `readings` counts how often the matrix was read, `seconds` is the time the step took, and `latencies` holds, for the
    cells that had to change, the seconds from the API's answer to the first agreeing reading. `barrier` is the same for the slowest
    of the canaries that were changed after them; None where there were none, or where they did not show.
    """

    name: str
    expected: Mapping[Flow, bool]
    findings: tuple[Cell, ...] = ()
    readings: int = 0
    seconds: float = 0.0
    latencies: tuple[float, ...] = ()
    commands: tuple[str, ...] = ()
    barrier: float | None = None

    @property
    def cells(self) -> int:
        """How many flows were judged."""
        return len(self.expected)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case's verdict with its evidence. `reason` says why where the steps do not: an error, a waiver, a missing feature."""

    case: Case
    verdict: Verdict
    steps: tuple[StepResult, ...] = ()
    reason: str = ""
    hint: str = ""
    seconds: float = 0.0
    waiver: str = ""
    notes: tuple[str, ...] = field(default_factory=tuple)
