"""Tables that go by labels of which the plugin hears late, those of each pod and namespace at a time of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import DataPlane
from conformance.lab.miniatures.late_plane import part

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.lab.miniatures.defect import Packet
    from conformance.lab.miniatures.late_plane import Slowness
    from conformance.model.policy import Direction, NetworkPolicy
    from conformance.model.world import World
    from conformance.runner.timeouts import Clock

    Labels = Mapping[str, str]


class LateLabels(DataPlane):
    """Policies are heard of at once, and so are pods and namespaces that are new; the time that a change of labels takes is drawn anew for each."""

    def __init__(self, slowness: Slowness, clock: Clock) -> None:
        super().__init__()
        self._slowness = slowness
        self._clock = clock
        self._given: dict[str, Labels] = {}
        self._heard: dict[str, Labels] = {}
        self._due: dict[str, float] = {}

    def refresh(self, world: World, policies: Mapping[str, NetworkPolicy]) -> None:
        """Take over what is new, and draw for labels that were changed when they will be heard of."""
        now, before, self._given = self._clock.now(), self._given, dict(_labels(world))
        self._heard = {name: self._heard.get(name, labels) for name, labels in self._given.items()}
        for name, labels in self._given.items():
            if labels != before.get(name, labels):
                self._due[name] = now + self._slowness.seconds * part(f"{name} {now}")
        self._world, self._policies = world, policies
        self._program_heard()

    def lets(self, packet: Packet, direction: Direction) -> bool:
        """Ask the tables of what was heard of by now."""
        now = self._clock.now()
        if heard := [name for name, due in self._due.items() if due <= now]:
            for name in heard:
                del self._due[name]
                if name in self._given:
                    self._heard[name] = self._given[name]
            self._program_heard()
        return super().lets(packet, direction)

    def _program_heard(self) -> None:
        pods = {ref: replace(pod, labels=self._heard[ref]) for ref, pod in self._world.pods.items()}
        namespaces = {name: replace(each, labels=self._heard[name]) for name, each in self._world.namespaces.items()}
        super().refresh(replace(self._world, pods=pods, namespaces=namespaces), self._policies)


def _labels(world: World) -> Iterator[tuple[str, Labels]]:
    yield from ((ref, pod.labels) for ref, pod in world.pods.items())
    yield from ((name, namespace.labels) for name, namespace in world.namespaces.items())
