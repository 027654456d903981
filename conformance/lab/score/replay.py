"""A case as it went on a plugin without a defect, taken down once, and gone through again on plugins that have one.

What a run does is the same on all of them until something is seen otherwise, and then the case fails. So it is enough to repeat what was done, and to
compare what is seen. Where a plugin has the very tables that one without a defect has, there is nothing to look at.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

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


class _Rightly:
    """What a plugin without a defect makes of one reading: its tables, and the packets with what these say of them. Made once for all that have one."""

    def __init__(self, seen: Seen, arena: _Replayed) -> None:
        self._plane = DataPlane()
        self._plane.refresh(arena.state.world, arena.state.policies)
        self._seen = seen
        self._routes = arena.routes

    @property
    def tables(self) -> Tables:
        return self._plane.tables

    @cached_property
    def packets(self) -> Mapping[Flow, Sequence[Packet]]:
        return {flow: self._routes.packets(flow) for flow in self._seen.passed}

    @cached_property
    def _known(self) -> Mapping[Direction, Mapping[int, bool]]:
        packets = [packet for each in self.packets.values() for packet in each]
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
        if self._is_right(arena, rightly, defect):
            return frozenset()
        by_packets = defect.sees is as_it_is and not seen.early_of
        again = arena.carried(rightly) if by_packets else arena.seen_again(seen)
        return frozenset(flow for flow, passed in seen.passed.items() if again[flow] is not passed)

    def _is_right(self, arena: _Replayed, rightly: _Rightly, defect: Defect) -> bool:
        """Tell whether nothing can be seen otherwise: the tables are those that a plugin without a defect has, and are all that matters."""
        if not defect.shows_in_tables:
            unseen = defect.sees is as_it_is and not defect.open_at_start
            return unseen and not (arena.state.policies or arena.known.policies)
        return arena.known is arena.state or arena.tables == rightly.tables


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

    def carried(self, rightly: _Rightly) -> Mapping[Flow, bool]:
        """Tell of the flows of a reading whether they get through."""
        lets = rightly.lets if self._known is self._state and self._defect.where is None else self._lets
        carries = self._defect.carries
        return {
            flow: bool(packets) and all(carries(lets, packet) for packet in packets)
            for flow, packets in rightly.packets.items()
        }

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

    @property
    def tables(self) -> Tables:
        return self._plane.tables


def _passed(seen: Observation) -> bool:
    return seen.observed is Observed.ALLOWED
