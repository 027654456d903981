"""A cluster in memory whose plugin does at once what the specification says, or what it makes of what it hears."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import conformance
from conformance.lab.miniatures.clock import VirtualClock
from conformance.lab.miniatures.data_plane import DataPlane
from conformance.lab.miniatures.mistakes import rightly
from conformance.model import address
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
from conformance.model.world import IPFamily, address_in, target_port
from conformance.runner.target import Description
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.lab.miniatures.mistakes import Hears
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import Namespace, Pod, Service, World

_ANSWER_SECONDS = 0.001
#: Of which every pod, Service and endpoint has an address that it was not given with the world.
_FAMILIES = tuple(IPFamily)


class PerfectTarget:
    """The miniature `perfect`, or one that makes a mistake. Its time is its own, and passes only while something waits."""

    at_once = True

    def __init__(self, name: str = "perfect", hears: Hears = rightly) -> None:
        self.clock = VirtualClock()
        self.timeouts = Timeouts(hold=0.0, quiet=0.0)
        self._name = name
        self._hears = hears

    def describe(self) -> Description:
        return Description(f"mini:{self._name}", f"mini-{self._name}", conformance.__version__)

    def open_arena(self, world: World, name: str) -> PerfectArena:  # noqa: ARG002 -- arenas in memory share no names
        return PerfectArena(world, self._hears)

    def close(self) -> None:
        """Nothing was taken."""


class PerfectArena:
    """A world whose every event reaches the data plane before the next one."""

    def __init__(self, world: World, hears: Hears = rightly) -> None:
        self._state = State(address.with_sample_addresses(world, _FAMILIES))
        self._hears = hears
        self._known = self._state
        self._plane = DataPlane()

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
        self._state = replace(self._state, world=replace(self.world, services=services))

    def restart_implementation(self) -> None:
        """Forget all tables, list everything anew, and go on."""
        self._plane = DataPlane()
        self._list_anew()

    def still_away(self) -> Sequence[str]:
        return ()

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        return {flow: self._observe(flow, timeout) for flow in flows}

    def early(self, ref: str) -> Mapping[Flow, Early]:
        flows = [Flow(ref, *each) for each in self.world.pods[ref].from_start]
        seen = {flow: self._observe(flow, _ANSWER_SECONDS).observed is Observed.ALLOWED for flow in flows}
        return {flow: Early(1, _ANSWER_SECONDS if passed else None) for flow, passed in seen.items()}

    def commands(self, flow: Flow, policies: Sequence[NetworkPolicy]) -> Sequence[str]:  # noqa: ARG002 -- as the protocol
        return ()

    def close(self) -> None:
        """Nothing was taken."""

    def _event(self, action: Action) -> None:
        state = self._state.after(action)
        self._state = replace(state, world=address.with_sample_addresses(state.world, _FAMILIES))
        self._hear(action)

    def _hear(self, action: Action) -> None:
        self._known = self._hears(self._known, action, self._state)
        self._plane.refresh(self._known.world, self._known.policies)

    def _list_anew(self) -> None:
        self._known = State(self.world)
        for policy in self._state.policies.values():
            self._known = self._hears(self._known, ApplyPolicy(policy), self._state)
        self._plane.refresh(self._known.world, self._known.policies)

    def _observe(self, flow: Flow, timeout: float) -> Observation:
        passes = [
            self._plane.passes(self._source(flow), where, port, flow.protocol) for where, port in self._routed(flow)
        ]
        if passes and all(passes):
            return Observation(Observed.ALLOWED, _ANSWER_SECONDS, waited=_ANSWER_SECONDS)
        return Observation(Observed.DROPPED, timeout)

    def _source(self, flow: Flow) -> str:
        """Return where a packet comes from when it arrives: a node that takes it in by a node port puts its own address there."""
        service = self.world.services.get(flow.destination)
        node = self.world.entrance(service) if service is not None and flow.source in self.world.endpoints else None
        own = address_in(node.addresses, flow.family) if node is not None else None
        return own or self._address(flow.source, flow.family)

    def _address(self, ref: str, family: IPFamily | None) -> str:
        owner = self.world.pods.get(ref) or self.world.endpoints[ref]
        found = address_in(owner.addresses, family)
        if found is None:
            raise KeyError(ref, family)
        return found

    def _routed(self, flow: Flow) -> Iterator[tuple[str, int]]:
        """Yield where a flow may end: itself, or each backend of a Service."""
        service = self.world.services.get(flow.destination)
        if service is None:
            yield self._address(flow.destination, flow.family), flow.port
            return
        for port in service.ports:
            if (port.port, port.protocol) == (flow.port, flow.protocol):
                for backend in self.world.backends(service):
                    if (number := target_port(port, backend)) is not None:
                        yield self._address(backend.ref, flow.family), number
