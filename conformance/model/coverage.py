"""What others test, row by row, and which cases of this suite show the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """One test of somebody else, or one class of defects. `refused` says why the suite has no case for it, where it has none on purpose."""

    key: str
    what: str
    refused: str = ""


@dataclass(frozen=True, slots=True)
class CoverageList:
    """All rows of one source. A case names a row as `NAME:KEY` in its `covers`; a class of defects in its `defects`."""

    name: str
    title: str
    about: str
    rows: tuple[CoverageRow, ...]
    cases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def uncovered(self) -> tuple[CoverageRow, ...]:
        """Rows that no case covers and that are not refused."""
        return tuple(row for row in self.rows if not row.refused and not self.cases.get(row.key))
