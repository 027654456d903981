"""Tables that are in force some time after the plugin was told what they are made of."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import DataPlane
from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.lab.miniatures.defect import Packet
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import Pod, World
    from conformance.runner.timeouts import Clock

_NAME = re.compile(r"^slow-(?:(?P<late>deletes|node|pods|labels)-)?(?P<seconds>[0-9]+(?:\.[0-9]+)?)s$")


class Late(StrEnum):
    """What is late. The values are what a miniature's name has for it."""

    #: Every change, everywhere.
    CHANGES = ""
    #: What a change takes away: what it adds is in force at once, and until the time is over both are.
    DELETES = "deletes"
    #: Every change, on the last of the nodes; on the others all is in force at once.
    NODE = "node"
    #: Every change, for each pod by a part of the time that is its own and always the same, as where one pod is programmed after the other.
    PODS = "pods"
    #: Labels alone, of each pod and namespace by a part of the time that each change draws anew, as where a plugin spreads that work on purpose.
    LABELS = "labels"


@dataclass(frozen=True, slots=True)
class Slowness:
    """How late it is, in seconds from the answer to a change, and with what."""

    seconds: float
    late: Late = Late.CHANGES

    @classmethod
    def named(cls, name: str) -> Slowness | None:
        """Return what names such as `slow-2s` and `slow-deletes-0.5s` say; None for another name."""
        match = _NAME.match(name)
        return cls(float(match["seconds"]), Late(match["late"] or "")) if match else None

    def of(self, pod: Pod | None, last_node: int) -> float:
        """Return how late the tables of a pod are."""
        if self.late is Late.NODE:
            return self.seconds if pod is not None and pod.node == last_node else 0.0
        if self.late is Late.PODS:
            return self.seconds * (part(pod.ref) if pod is not None else 1.0)
        return self.seconds


def part(ref: str) -> float:
    """Return a number from 0 to 1 that is always the same for a name, and unlike that of a similar one."""
    return int.from_bytes(hashlib.sha256(ref.encode()).digest()[:4]) / 2**32


class LatePlane(DataPlane):
    """All tables that may still be in force, each with the moment at which it was made."""

    def __init__(self, slowness: Slowness, clock: Clock) -> None:
        super().__init__()
        self._slowness = slowness
        self._clock = clock
        self._made = [(float("-inf"), DataPlane())]
        self._delays: dict[str, float] = {}

    def refresh(self, world: World, policies: Mapping[str, NetworkPolicy]) -> None:
        """Make tables anew; they are in force later, and those before them until then."""
        plane = DataPlane()
        plane.refresh(world, policies)
        last_node = max((pod.node for pod in world.pods.values()), default=0)
        for pod in world.pods.values():
            self._delays |= dict.fromkeys(pod.addresses, self._slowness.of(pod, last_node))
        now = self._clock.now()
        self._made = [*self._in_force(self._slowness.seconds), (now, plane)]

    def starts(self, pod: Pod) -> None:
        """Put the tables of a pod that is about to start in force at once: it is isolated before its first container runs."""
        newest = self._made[-1][1].tables
        for _, plane in self._made[:-1]:
            for address in pod.addresses:
                for direction in Direction:
                    plane.tables.pop((address, direction), None)
                    if (table := newest.get((address, direction))) is not None:
                        plane.tables[address, direction] = table

    def lets(self, packet: Packet, direction: Direction) -> bool:
        """Ask the tables that are in force now."""
        subject = packet.source if direction is Direction.EGRESS else packet.destination
        delay = self._delays.get(subject, self._slowness.seconds)
        planes = [plane for _, plane in self._in_force(delay)]
        if self._slowness.late is not Late.DELETES:
            return planes[0].lets(packet, direction)
        isolating = [plane for plane in planes if (subject, direction) in plane.tables]
        return not isolating or any(plane.lets(packet, direction) for plane in isolating)

    def _in_force(self, delay: float) -> list[tuple[float, DataPlane]]:
        """Return the tables that are in force with a delay, and all that came after them."""
        now = self._clock.now()
        last = max(number for number, (made, _) in enumerate(self._made) if made + delay <= now)
        return self._made[last:]
