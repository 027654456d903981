"""A known deviation of an implementation, with its reason: the cases still run, and their failure is reported as waived."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date


@dataclass(frozen=True, slots=True)
class Waiver:
    """`cases` are ids, with `*` for any part of one; `reason` is what is known, `link` where it is tracked, `until` the last day that it holds."""

    cases: tuple[str, ...]
    reason: str
    link: str = ""
    until: date | None = None

    def __str__(self) -> str:
        told = [self.link] if self.link else []
        told += [f"until {self.until}"] if self.until else []
        return f"{self.reason} ({', '.join(told)})" if told else self.reason

    def applies_to(self, case_id: str) -> bool:
        return any(matches(pattern, case_id) for pattern in self.cases)

    def is_over(self, today: date) -> bool:
        return self.until is not None and today > self.until


def matches(pattern: str, case_id: str) -> bool:
    """Tell whether a waiver's pattern, an id with `*` for any part of it, means a case."""
    return fnmatchcase(case_id, pattern)
