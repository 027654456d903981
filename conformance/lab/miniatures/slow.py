"""A cluster in memory whose plugin is late: what it does takes effect some time after the API server's answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.lab.miniatures.defect import NONE
from conformance.lab.miniatures.late_labels import LateLabels
from conformance.lab.miniatures.late_plane import Late, LatePlane
from conformance.lab.miniatures.perfect import PerfectArena, PerfectTarget
from conformance.model.matrix import Early
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.lab.miniatures.data_plane import DataPlane
    from conformance.lab.miniatures.defect import Defect
    from conformance.lab.miniatures.late_plane import Slowness
    from conformance.model.case import Action
    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.model.world import Pod, World
    from conformance.runner.timeouts import Clock

#: How long the API server takes for an answer. Changes are never made at the same moment.
_CALL_SECONDS = 0.01


class SlowTarget(PerfectTarget):
    """A miniature that is waited for as a cluster is."""

    at_once = False

    def __init__(self, name: str, slowness: Slowness, defect: Defect = NONE) -> None:
        super().__init__(name, defect)
        self.timeouts = Timeouts()
        self._slowness = slowness

    def open_arena(self, world: World, name: str) -> SlowArena:  # noqa: ARG002 -- as there
        return SlowArena(world, self._slowness, self.clock, self._defect)


class SlowArena(PerfectArena):
    """A world in which calls and readings take time, and changes longer."""

    def __init__(self, world: World, slowness: Slowness, clock: Clock, defect: Defect) -> None:
        self._slowness = slowness
        self._clock = clock
        super().__init__(world, defect)
        self._back_at = float("-inf")
        self._passed: dict[str, set[Flow]] = {}

    def create_pod(self, pod: Pod) -> None:
        super().create_pod(pod)
        made = self.world.pods[pod.ref]
        for plane in (self._plane, self._right):
            if isinstance(plane, LatePlane):
                plane.starts(made)
        self._passed[pod.ref] = set()
        self._see_early()

    def restart_implementation(self) -> None:
        """List everything anew; what was in force stays so until then."""
        self._list_anew()
        self._back_at = self._clock.now() + self._slowness.seconds

    def still_away(self) -> Sequence[str]:
        return ("it lists everything anew",) if self._clock.now() < self._back_at else ()

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        """Show what is in force when the reading begins; it ends once the last flow has its answer or was silent for its time."""
        self._see_early()
        seen = super().probe(flows, timeout)
        self._clock.sleep(max((each.seconds for each in seen.values()), default=0.0))
        return seen

    def early(self, ref: str) -> Mapping[Flow, Early]:
        self._see_early()
        return {
            flow: each if each.passed is not None or flow not in self._passed[ref] else Early(1, 0.0)
            for flow, each in super().early(ref).items()
        }

    def _made_plane(self) -> DataPlane:
        made = LateLabels if self._slowness.late is Late.LABELS else LatePlane
        return made(self._slowness, self._clock)

    def _event(self, action: Action) -> None:
        self._clock.sleep(_CALL_SECONDS)
        super()._event(action)
        self._see_early()

    def _see_early(self) -> None:
        """Remember what pods that try from their start on have reached by now."""
        for ref in self._passed.keys() & self.world.pods.keys():
            self._passed[ref] |= {flow for flow, each in super().early(ref).items() if each.passed is not None}
