"""A shard: the part of a run's cases that one of several machines runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.model.case import Case

#: More than there are cases: most of them would be empty.
MOST_SHARDS = 10_000


@dataclass(frozen=True, slots=True)
class Shard:
    """The `number`-th of `count` shards, counted from 1; its text is `1/4`."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def of(self, cases: Iterable[Case]) -> frozenset[str]:
        """Return the ids of the cases that are this shard's; each case is in exactly one.

        It depends on nothing but the set of cases, so that machines that never speak to each other agree. The most costly case that is left
        goes to the shard that has the least so far, so that all shards take about as long.
        """
        costs = [0.0] * self.count
        mine = []
        for case in sorted(cases, key=lambda each: (-cost(each), each.id)):
            least = costs.index(min(costs))
            costs[least] += cost(case)
            if least == self.number - 1:
                mine.append(case.id)
        return frozenset(mine)


def cost(case: Case) -> float:
    """Return about how long a case takes, in steps: settling and holding take their time however many flows a step tries."""
    return sum(1 + step.hold for step in case.steps)
