"""What passes on one port between all pods and endpoints of a state: a bit for two classes, not a decision for two pods."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from conformance.model.flow import Flow
from conformance.oracle.representatives import numbers_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.model.world import IPFamily, Protocol


@dataclass(frozen=True, slots=True)
class Classes:
    """The pods and endpoints of a state, by what its policies tell apart: `members` are the refs of each class, `of` is where a ref is."""

    members: tuple[tuple[str, ...], ...]
    of: Mapping[str, int]


@dataclass(frozen=True)
class Reach:
    """All connections on one port: bit d of a row s is about class s that connects to class d.

    `out` says whether the egress side of s lets it pass, `into` whether the ingress side of d does, and `rows` whether it passes.
    """

    classes: Classes
    port: int
    protocol: Protocol
    family: IPFamily | None
    out: tuple[int, ...]
    into: tuple[int, ...]

    @cached_property
    def rows(self) -> tuple[int, ...]:
        return tuple(mine & theirs for mine, theirs in zip(self.out, self.into, strict=True))

    def passes(self, source: str, destination: str) -> bool:
        """Tell whether one pod or endpoint may connect to another; KeyError where there is no such place."""
        return bool(self.rows[self.classes.of[source]] >> self.classes.of[destination] & 1)

    def pairs(self) -> Iterator[tuple[int, int, bool]]:
        """Yield every class as source, every class as destination, and whether it passes; what nobody can try is left out."""
        sizes = [len(each) for each in self.classes.members]
        for source, row in enumerate(self.rows):
            for destination, size in enumerate(sizes):
                if source != destination or size > 1:
                    yield source, destination, bool(row >> destination & 1)

    def count(self) -> tuple[int, int]:
        """Count the connections that pass and those that are blocked; nobody's to itself."""
        sizes = [len(each) for each in self.classes.members]
        reached: dict[int, int] = {}
        passing = 0
        for source, row in enumerate(self.rows):
            if row not in reached:
                reached[row] = sum(sizes[each] for each in numbers_in(row))
            passing += sizes[source] * (reached[row] - (row >> source & 1))
        total = sum(sizes) * (sum(sizes) - 1)
        return passing, total - passing

    def flows(self, source: int, destination: int) -> Iterator[Flow]:
        """Yield the connections of two classes one by one; nobody's to itself."""
        for client in self.classes.members[source]:
            for server in self.classes.members[destination]:
                if client != server:
                    yield Flow(client, server, self.port, self.protocol, self.family)
