"""A known deviation of an implementation, with its reason: the case still runs, and its failure is reported as waived."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiver:
    """`case` is the id of the case, `reason` what is known, `link` where it is documented or tracked."""

    case: str
    reason: str
    link: str = ""
