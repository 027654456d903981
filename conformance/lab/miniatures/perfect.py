"""A cluster in memory whose plugin does at once what the specification says, or makes one mistake."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import conformance
from conformance.lab.miniatures.clock import VirtualClock
from conformance.lab.miniatures.data_plane import DataPlane
from conformance.lab.miniatures.defect import NONE, as_it_is
from conformance.lab.miniatures.routes import Routes, addressed, from_the_start
from conformance.model.case import (
    Action,
    ApplyPolicy,
    Change,
    CreateNamespace,
    CreatePod,
    CreateService,
    DeleteNamespace,
    DeletePod,
)
from conformance.model.flow import Flow
from conformance.model.matrix import Early, Observation, Observed
from conformance.model.state import State
from conformance.runner.target import Description
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.lab.miniatures.defect import Defect, Packet
    from conformance.model.policy import Direction, NetworkPolicy
    from conformance.model.world import Namespace, Pod, Service, World

_ANSWER_SECONDS = 0.001
_ANSWER = Observation(Observed.ALLOWED, _ANSWER_SECONDS, waited=_ANSWER_SECONDS)


class PerfectTarget:
    """The miniature `perfect`, or one that makes a mistake. Its time is its own, and passes only while something waits."""

    at_once = True

    def __init__(self, name: str = NONE.name, defect: Defect = NONE) -> None:
        self.clock = VirtualClock()
        self.timeouts = Timeouts(labels=30.0, hold=0.0, quiet=0.0)
        self._name = name
        self._defect = defect

    def describe(self) -> Description:
        return Description(f"mini:{self._name}", f"mini-{self._name}", conformance.__version__)

    def open_arena(self, world: World, name: str) -> PerfectArena:  # noqa: ARG002 -- arenas in memory share no names
        return PerfectArena(world, self._defect)

    def close(self) -> None:
        """Nothing was taken."""


class PerfectArena:
    """A world whose every event reaches the data plane before the next one."""

    def __init__(self, world: World, defect: Defect = NONE) -> None:
        self._routes = from_the_start(world)
        self._state = State(self._routes.world)
        self._defect = defect
        self._known = self._state
        self._plane = self._made_plane()
        #: What is in force where a defect does not show, if it does not show everywhere.
        self._right = self._made_plane() if defect.where is not None else None
        self._readings = 0
        self._gone: dict[str, tuple[str, ...]] = {}

    @property
    def world(self) -> World:
        return self._state.world

    @property
    def unsupported(self) -> Mapping[str, str]:
        return {"sctp": "no server of a miniature speaks it"}

    def change(self, changes: Sequence[Change]) -> None:
        for each in changes:
            self._event(each)

    def create_namespace(self, namespace: Namespace) -> None:
        self._event(CreateNamespace(namespace))

    def delete_namespace(self, name: str) -> None:
        self._event(DeleteNamespace(name))

    def create_pod(self, pod: Pod) -> None:
        addresses = self.world.pods[pod.address_of].addresses if pod.address_of else ()
        self._event(CreatePod(replace(pod, addresses=addresses)))

    def delete_pod(self, ref: str) -> None:
        self._event(DeletePod(ref))

    def discard(self, pods: Sequence[str], namespaces: Sequence[str]) -> None:
        for ref in pods:
            self.delete_pod(ref)
        for name in namespaces:
            self.delete_namespace(name)

    def create_service(self, service: Service) -> None:
        self._event(CreateService(service))

    def delete_service(self, ref: str) -> None:
        services = {key: each for key, each in self.world.services.items() if key != ref}
        self._routes = Routes(replace(self.world, services=services))
        self._state = replace(self._state, world=self._routes.world)

    def restart_implementation(self) -> None:
        """Forget all tables, list everything anew, and go on."""
        self._plane = self._made_plane()
        self._list_anew()

    def still_away(self) -> Sequence[str]:
        return ()

    def agents(self) -> Mapping[str, str]:
        return {}

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        self._readings += 1
        dropped, sees = Observation(Observed.DROPPED, timeout), self._defect.sees
        seen = {flow: _ANSWER if self._passes(flow) else dropped for flow in flows}
        return seen if sees is as_it_is else {flow: sees(flow, each, self._readings) for flow, each in seen.items()}

    def early(self, ref: str) -> Mapping[Flow, Early]:
        flows = [Flow(ref, *each) for each in self.world.pods[ref].from_start]
        seen = {flow: self._defect.open_at_start or self._passes(flow) for flow in flows}
        return {flow: Early(1, _ANSWER_SECONDS if passed else None) for flow, passed in seen.items()}

    def commands(self, flow: Flow, policies: Sequence[NetworkPolicy]) -> Sequence[str]:  # noqa: ARG002 -- as the protocol
        return ()

    def close(self) -> None:
        """Nothing was taken."""

    def _event(self, action: Action) -> None:
        state = self._state.after(action)
        if isinstance(action, DeletePod):
            self._gone[action.ref] = self.world.pods[action.ref].addresses
        if state.world is not self._routes.world:
            # A pod that is made again has another address than the one before, as on most clusters.
            before = self._gone.get(action.pod.ref, ()) if isinstance(action, CreatePod) else ()
            self._routes = Routes(addressed(state.world, before))
        self._state = replace(state, world=self._routes.world)
        self._hear(action)

    def _made_plane(self) -> DataPlane:
        return DataPlane()

    def _hear(self, action: Action) -> None:
        self._known = self._defect.hears(self._known, action, self._state)
        self._program()

    def _list_anew(self) -> None:
        self._known = State(self.world)
        for policy in self._state.policies.values():
            self._known = self._defect.hears(self._known, ApplyPolicy(policy), self._state)
        if self._defect.after_restart is not None:
            self._known = self._defect.after_restart(self._known)
        self._program()

    def _program(self) -> None:
        self._plane.refresh(self._known.world, self._known.policies)
        if self._right is not None:
            self._right.refresh(self.world, self._state.policies)

    def _passes(self, flow: Flow) -> bool:
        """Tell whether a flow gets through, to whichever backend, if it is sent to a Service."""
        packets, carries = self._routes.packets(flow), self._defect.carries
        for packet in packets:
            if not carries(self._lets, packet):
                return False
        return bool(packets)

    def _lets(self, packet: Packet, direction: Direction) -> bool:
        where = self._defect.where
        plane = self._plane if self._right is None or where is None or where(packet, direction) else self._right
        return plane.lets(packet, direction)
