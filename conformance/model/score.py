"""How good a set of cases is: which defects of plugins it finds, and which cases find them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Mutant:
    """A plugin with one defect: `of` is its class, such as `M01`, `what` says what it does."""

    name: str
    of: str
    what: str


@dataclass(frozen=True, slots=True)
class ScoredCase:
    """A case, and the mutants on which it fails. `shown` is False where it could not be run in memory at all."""

    id: str
    tier: str
    path: str
    kills: tuple[str, ...]
    shown: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """All cases on all mutants.

    `imperfect` are the cases that do not pass on a plugin without a defect, `doubted` pairs of a case and a mutant of which a real run did not say
    what was seen: there must be none of either.
    """

    mutants: tuple[Mutant, ...]
    cases: tuple[ScoredCase, ...]
    imperfect: tuple[str, ...]
    doubted: tuple[tuple[str, str], ...]
    seconds: float

    @property
    def killers(self) -> Mapping[str, Sequence[str]]:
        """For each mutant the cases that fail on it, sorted."""
        found: dict[str, list[str]] = {mutant.name: [] for mutant in self.mutants}
        for case in self.cases:
            for name in case.kills:
                found[name].append(case.id)
        return {name: sorted(ids) for name, ids in found.items()}

    @property
    def survivors(self) -> tuple[Mutant, ...]:
        killers = self.killers
        return tuple(mutant for mutant in self.mutants if not killers[mutant.name])

    @property
    def idle(self) -> tuple[ScoredCase, ...]:
        """The cases that were run and fail on no mutant."""
        return tuple(case for case in self.cases if case.shown and not case.kills)
