"""What changed between two runs: which cases fail that did not, which pass that did not, and which only one of them has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model.record import CaseLine, Record

#: How bad a verdict is for the implementation; one that is not here says nothing about it.
_BAD = {"pass": 0, "waived": 1, "fail": 2}


@dataclass(frozen=True, slots=True)
class Change:
    """One case that is not what it was; `old` or `new` is None where that run does not have it."""

    id: str
    old: CaseLine | None
    new: CaseLine | None


@dataclass(frozen=True, slots=True)
class Diff:
    """Two runs compared, by case id.

    A regression got worse for the implementation, a fix better. `other` are changes to or from a verdict that says nothing about it, such
    as an error.
    """

    old: Record
    new: Record
    regressions: tuple[Change, ...]
    fixes: tuple[Change, ...]
    added: tuple[Change, ...]
    gone: tuple[Change, ...]
    other: tuple[Change, ...]

    @property
    def aligned(self) -> bool:
        """Whether both ran the same cases, so that a difference is the implementation's."""
        return self.old.header["case_set"] == self.new.header["case_set"]


def diff(old: Record, new: Record) -> Diff:
    """Compare two records."""
    before = {line["id"]: line for line in old.cases}
    after = {line["id"]: line for line in new.cases}
    changes = [
        Change(name, before[name], after[name])
        for name in sorted(before.keys() & after.keys())
        if before[name]["verdict"] != after[name]["verdict"]
    ]
    return Diff(
        old,
        new,
        regressions=tuple(each for each in changes if (_worse(each) or 0) > 0),
        fixes=tuple(each for each in changes if (_worse(each) or 0) < 0),
        added=tuple(Change(name, None, after[name]) for name in sorted(after.keys() - before.keys())),
        gone=tuple(Change(name, before[name], None) for name in sorted(before.keys() - after.keys())),
        other=tuple(each for each in changes if _worse(each) is None),
    )


def _worse(change: Change) -> int | None:
    """Return how much worse it got; None where that cannot be said."""
    if change.old is None or change.new is None:
        return None
    old, new = (_BAD.get(line["verdict"]) for line in (change.old, change.new))
    return None if old is None or new is None else new - old
