"""Every failure that a user can see: a stable code, what happened, why, and what to do.

A verdict about the implementation under test is never an error; errors are about the suite, its input or its target.

- reading case files: `CaseFileError`
- words on the command line: `UsageError`
- getting a target or an arena: `TargetUnavailable`, `ArenaFailed`
- while a case runs: `ActionFailed` (the target did not carry out a change), `ProbeFailed` (a stream could not be used)
- while a case runs, and nobody's fault: `CannotShow` (the target cannot bring about what the case is about)
- reading a record: `RecordError`; writing one: `WriteError`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from conformance.plain import plain

if TYPE_CHECKING:
    from collections.abc import Sequence


class ConformanceError(Exception):
    """A failure with a stable `code`, the `causes` behind it and a `hint` that says what to do.

    `exit_status` is what the command line ends with (the numbers of BSD's sysexits).
    """

    code: ClassVar[str] = "conformance-error"
    exit_status: ClassVar[int] = 70

    def __init__(self, message: str, *, causes: Sequence[str] = (), hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.causes = tuple(causes)
        self.hint = hint

    def __str__(self) -> str:
        lines = [f"{self.message} [{self.code}]", *(f"  because: {cause}" for cause in self.causes)]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return plain("\n".join(lines))


class UsageError(ConformanceError):
    """An option, or a combination of options, that cannot be used."""

    code = "usage"
    exit_status = 64


class CaseFileError(ConformanceError):
    """Case files with problems; `problems` holds all of them, each as `file:line:column: path: text`."""

    code = "bad-case-file"
    exit_status = 65

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__(f"{len(problems)} problem{'s' if len(problems) != 1 else ''} in case files")
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


class RecordError(ConformanceError):
    """A record that cannot be read: missing, cut off, or not a record."""

    code = "bad-record"
    exit_status = 65


class WriteError(RecordError):
    """A record, or what is made of one, that cannot be written."""

    code = "not-written"
    exit_status = 74


class TargetUnavailable(ConformanceError):
    """There is no target to run against: no cluster, no kernel support, no permission."""

    code = "target-unavailable"
    exit_status = 69


class ArenaFailed(TargetUnavailable):
    """The target is there, but its probe pods did not come up or cannot connect."""

    code = "arena-failed"


class ActionFailed(ConformanceError):
    """The target did not carry out a change that a case asked for, such as applying a policy."""

    code = "action-failed"


class CannotShow(ConformanceError):
    """The target works, and cannot bring about what a case is about: the case is unsupported there."""

    code = "cannot-show"


class ProbeFailed(ConformanceError):
    """A probe stream broke and could not be opened again."""

    code = "probe-failed"
