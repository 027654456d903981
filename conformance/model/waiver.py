"""A known deviation of an implementation, with its reason: the cases still run, and their failure is reported as waived."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True)
class Waiver:
    """`cases` are ids, with `*` for any part of one; `reason` is what is known, `link` where it is documented or tracked."""

    cases: tuple[str, ...]
    reason: str
    link: str = ""

    def applies_to(self, case_id: str) -> bool:
        return any(fnmatchcase(case_id, pattern) for pattern in self.cases)
