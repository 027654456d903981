"""A case as it went on a plugin without a defect, taken down once, and gone through again on plugins that have one.

What a run does is the same on all of them until something is seen otherwise, and then the case fails. So it is enough to repeat what was done, and to
compare what is seen. Where a plugin has the very tables that one without a defect has, there is nothing to look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from conformance.lab.miniatures.data_plane import DataPlane
from conformance.lab.miniatures.defect import as_it_is
from conformance.lab.miniatures.perfect import PerfectArena, PerfectTarget
from conformance.model.case import RestartImplementation
from conformance.model.matrix import Observed
from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.lab.miniatures.data_plane import Tables
    from conformance.lab.miniatures.defect import Defect, Lets, Packet
    from conformance.lab.miniatures.routes import Routes
    from conformance.model.case import Action
    from conformance.model.flow import Flow
    from conformance.model.matrix import Early, Observation
    from conformance.model.state import State
    from conformance.model.world import World


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in a reading: which flows passed. `early_of` is the pod that has tried them since its start."""

    passed: Mapping[Flow, bool]
    early_of: str = ""


class Carried(NamedTuple):
    """The packets that a flow may be, and whether it passed."""

    flow: Flow
    packets: Sequence[Packet]
    passed: bool


class _Rightly:
    """What a plugin without a defect makes of one reading: its tables, and the packets with what these say of them. Made once for all that have one."""

    def __init__(self, seen: Seen, arena: _Replayed) -> None:
        self._plane = DataPlane()
        self._plane.refresh(arena.state.world, arena.state.policies)
        self._seen = seen
        self._routes = arena.routes

    @cached_property
    def carried(self) -> Sequence[Carried]:
        """All that arrives somewhere, if it is let through."""
        every = (Carried(flow, self._routes.packets(flow), passed) for flow, passed in self._seen.passed.items())
        return [each for each in every if each.packets]

    def concerned(self, tables: Tables) -> Sequence[Carried]:
        """Return what meets a table that is not as it must be."""
        right = self._plane.tables
        wrong = [end for end in tables.keys() | right.keys() if tables.get(end) != right.get(end)]
        return [
            self.carried[number] for number in sorted({number for end in wrong for number in self._at.get(end, ())})
        ]

    @cached_property
    def _at(self) -> Mapping[tuple[str, Direction], Sequence[int]]:
        """Where in `carried` that stands which meets the table of an address and a direction."""
        found: dict[tuple[str, Direction], list[int]] = {}
        for number, each in enumerate(self.carried):
            for packet in each.packets:
                found.setdefault((packet.source, Direction.EGRESS), []).append(number)
                found.setdefault((packet.destination, Direction.INGRESS), []).append(number)
        return found

    @cached_property
    def _known(self) -> Mapping[Direction, Mapping[int, bool]]:
        packets = [packet for each in self.carried for packet in each.packets]
        return {way: {id(each): self._plane.lets(each, way) for each in packets} for way in Direction}

    @cached_property
    def lets(self) -> Lets:
        """What the tables say. Packets are told apart as objects: to compare all of their fields costs more than to ask the tables."""
        out, into, otherwise = self._known[Direction.EGRESS], self._known[Direction.INGRESS], self._plane.lets

        def lets(packet: Packet, direction: Direction) -> bool:
            known = (out if direction is Direction.EGRESS else into).get(id(packet))
            return otherwise(packet, direction) if known is None else known

        return lets


class Recording:
    """What was done to an arena, and what was seen in it, in order."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._done: list[Action | Seen] = []
        self._rightly: dict[int, _Rightly] = {}

    def take_down(self, done: Action | Seen) -> None:
        self._done.append(done)

    def differing(self, defect: Defect) -> frozenset[Flow]:
        """Return the flows of the first reading that a plugin with a defect shows otherwise; none where there is no such reading."""
        arena = _Replayed(self._world, defect)
        for number, done in enumerate(self._done):
            if isinstance(done, RestartImplementation):
                arena.restart_implementation()
            elif not isinstance(done, Seen):
                arena.hear(done)
            elif found := self._seen_otherwise(arena, number, done, defect):
                return found
        return frozenset()

    def _seen_otherwise(self, arena: _Replayed, number: int, seen: Seen, defect: Defect) -> frozenset[Flow]:
        if number not in self._rightly:
            self._rightly[number] = _Rightly(seen, arena)
        rightly = self._rightly[number]
        if defect.sees is not as_it_is or seen.early_of:
            again = arena.seen_again(seen)
            return frozenset(flow for flow, passed in seen.passed.items() if again[flow] is not passed)
        if arena.known is arena.state and (defect.shows_in_tables or not arena.state.policies):
            return frozenset()
        return arena.carried_otherwise(rightly)


class RecordingTarget(PerfectTarget):
    """The miniature `perfect`, which takes down what a case does to it."""

    recording: Recording

    def open_arena(self, world: World, name: str) -> PerfectArena:  # noqa: ARG002 -- as there
        self.recording = Recording(world)
        return _RecordingArena(world, self.recording)


class _RecordingArena(PerfectArena):
    def __init__(self, world: World, recording: Recording) -> None:
        super().__init__(world)
        self._recording = recording

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        seen = super().probe(flows, timeout)
        self._recording.take_down(Seen({flow: _passed(each) for flow, each in seen.items()}))
        return seen

    def early(self, ref: str) -> Mapping[Flow, Early]:
        seen = super().early(ref)
        self._recording.take_down(Seen({flow: each.passed is not None for flow, each in seen.items()}, ref))
        return seen

    def restart_implementation(self) -> None:
        super().restart_implementation()
        self._recording.take_down(RestartImplementation())

    def _event(self, action: Action) -> None:
        super()._event(action)
        self._recording.take_down(action)


class _Replayed(PerfectArena):
    """An arena whose plugin has a defect."""

    hear = PerfectArena._event  # noqa: SLF001 -- the one way in for all events

    def carried_otherwise(self, rightly: _Rightly) -> frozenset[Flow]:
        """Return the flows of a reading that get through here and must not, or must and do not."""
        lets = rightly.lets if self._known is self._state and self._defect.where is None else self._lets
        carries = self._defect.carries
        tried = rightly.concerned(self._plane.tables) if self._defect.shows_in_tables else rightly.carried
        return frozenset(
            flow for flow, packets, passed in tried if all(carries(lets, packet) for packet in packets) is not passed
        )

    @property
    def routes(self) -> Routes:
        return self._routes

    def seen_again(self, seen: Seen) -> Mapping[Flow, bool]:
        if seen.early_of:
            return {flow: each.passed is not None for flow, each in self.early(seen.early_of).items()}
        return {flow: _passed(each) for flow, each in self.probe(list(seen.passed), 1.0).items()}

    @property
    def state(self) -> State:
        return self._state

    @property
    def known(self) -> State:
        return self._known


def _passed(seen: Observation) -> bool:
    return seen.observed is Observed.ALLOWED
