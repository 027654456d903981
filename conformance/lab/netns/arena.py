"""One world, alive in network namespaces. Every change is in force when its method returns."""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.errors import ActionFailed, ProbeFailed
from conformance.lab.miniatures.defect import rightly
from conformance.lab.netns import fabric
from conformance.lab.netns.addressing import Addresses, endpoint_address, node_address
from conformance.lab.netns.compile import compile_rules
from conformance.lab.netns.fault import LabFault, hint, machine_settings
from conformance.lab.netns.machines import Machines
from conformance.model.address import NODE_PORTS, given_node_ports
from conformance.model.case import (
    ApplyPolicy,
    CreateNamespace,
    CreatePod,
    CreateService,
    DeleteNamespace,
    DeletePod,
    DeletePolicy,
    LabelNamespace,
    LabelPod,
)
from conformance.model.state import State
from conformance.model.world import Node, Phase, Pod, World
from conformance.runner.probing import Prober
from conformance.runner.routes import from_start

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.netns.compile import NodeRules
    from conformance.lab.netns.control import Keeper
    from conformance.model.case import Action, Change
    from conformance.model.flow import Flow
    from conformance.model.matrix import Early, Observation
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import Endpoint, Namespace, Service
    from conformance.runner.probing import Stream

#: How long a new agent may take until all its servers answer, and how long each of them is given in one try.
READY_TIMEOUT = 20.0
LOOPBACK_TIMEOUT = 1.0
_NODES = 2  # there are never fewer, so that a case can put a pod on a node that has none


class NetnsArena:
    """An arena as `runner.target.Arena` describes it. It is complete once `open` has returned."""

    def __init__(self, keeper: Keeper, name: str, hears: Hears = rightly) -> None:
        self._addresses = Addresses()
        self._node_ports = itertools.cycle(NODE_PORTS)
        self._state = State(World())
        self._hears = hears
        #: What rules are made of. It is what is so, unless the lab has a defect.
        self._known = self._state
        self._prober = Prober(name, self._agent)
        self._machines = Machines(keeper, name)
        self._open = True

    def open(self, world: World) -> None:
        """Bring a world to life; LabFault, ActionFailed or ProbeFailed where that fails."""
        pods = {ref: self._with_address(pod) for ref, pod in world.pods.items()}
        services = {ref: self._with_address_and_ports(service) for ref, service in world.services.items()}
        endpoints = {
            ref: replace(endpoint, addresses=self._both(endpoint_address(number)))
            for number, (ref, endpoint) in enumerate(world.endpoints.items())
        }
        nodes = self._nodes(max([_NODES, *(pod.node + 1 for pod in pods.values())]))
        self._add_nodes(nodes)
        self._enforce(State(World(dict(world.namespaces), pods, services, endpoints, nodes)))
        for pod in self.world.running:
            self._machines.add_pod(pod)
        for number, endpoint in enumerate(endpoints.values()):
            self._machines.add_endpoint(endpoint, number)
        owners: list[Pod | Endpoint] = [*self.world.running, *endpoints.values()]
        self._prober.open(owner.ref for owner in owners)
        for owner in owners:
            self._wait_until_alive(owner)

    @property
    def world(self) -> World:
        return self._state.world

    @property
    def closed(self) -> bool:
        return not self._open

    @property
    def unsupported(self) -> Mapping[str, str]:
        found = dict.fromkeys(("ipv6", "dual-stack"), why) if (why := self._machines.no_ipv6) else {}
        if not all(hello.get("sctp") for hello in self._prober.hellos.values()):
            found["sctp"] = "this machine's kernel has no SCTP loaded"
        return found

    def change(self, changes: Sequence[Change]) -> None:
        what = " and ".join(map(_words, changes))
        with self._acting(what):
            state, known = self._state, self._known
            for each in changes:
                state = self._after(what, each, state)
                known = self._hears(known, each, state)
            self._enforce(state, known)

    def create_namespace(self, namespace: Namespace) -> None:
        what = f"create namespace {namespace.name}"
        _refuse_twin(what, namespace.name, self.world.namespaces)
        with self._acting(what):
            self._take(CreateNamespace(namespace), self._after(what, CreateNamespace(namespace)))

    def delete_namespace(self, name: str) -> None:
        what = f"delete namespace {name}"
        with self._acting(what):
            after = self._after(what, DeleteNamespace(name))
            for ref in self.world.pods.keys() - after.world.pods.keys():
                self._remove(self.world.pods[ref])
            self._take(DeleteNamespace(name), after)

    def create_pod(self, pod: Pod) -> None:
        """Make a pod whose rules are in force before its agent runs: it must never be open for a moment."""
        what = f"create pod {pod.ref}"
        _refuse_twin(what, pod.ref, self.world.pods)
        before, known = self._state, self._known
        with self._acting(what):
            self._after(what, CreatePod(pod))  # complains about a missing namespace before an address is taken
            pod = self._with_address(pod)
            after = self._after(what, CreatePod(pod))
            nodes = self._nodes(max(len(self.world.nodes), pod.node + 1))
            after = replace(after, world=replace(after.world, nodes=nodes))
            if pod.phase is not Phase.RUNNING:
                self._take(CreatePod(pod), after)
                return
            try:
                self._add_nodes(nodes)
                self._take(CreatePod(pod), after)
                self._machines.add_pod(pod)
                self._prober.open([pod.ref])
                self._wait_until_alive(pod)
            except (LabFault, ActionFailed, ProbeFailed):
                self._remove(pod)
                self._enforce(before, known)
                raise

    def delete_pod(self, ref: str) -> None:
        what = f"delete pod {ref}"
        with self._acting(what):
            after = self._after(what, DeletePod(ref))
            self._remove(self.world.pods[ref])
            self._take(DeletePod(ref), after)

    def discard(self, pods: Sequence[str], namespaces: Sequence[str]) -> None:
        for ref in pods:
            self.delete_pod(ref)
        for name in namespaces:
            self.delete_namespace(name)

    def create_service(self, service: Service) -> None:
        what = f"create Service {service.ref}"
        _refuse_twin(what, service.ref, self.world.services)
        with self._acting(what):
            self._after(what, CreateService(service))
            made = CreateService(self._with_address_and_ports(service))
            self._take(made, self._after(what, made))

    def delete_service(self, ref: str) -> None:
        what = f"delete Service {ref}"
        with self._acting(what):
            service = self.world.services.get(ref)
            if service is None:
                raise ActionFailed(f"cannot {what}: there is no {ref}")
            rest = {key: each for key, each in self.world.services.items() if key != ref}
            known = replace(self._known, world=replace(self._known.world, services=rest))
            self._enforce(replace(self._state, world=replace(self.world, services=rest)), known)
            for address in service.addresses:
                self._addresses.give_back(address)

    def restart_implementation(self) -> None:
        """Put all rules in force anew, from nothing; there is nothing that would have to come back."""
        with self._acting("restart the enforcement of policies"):
            self._machines.restart()

    def still_away(self) -> Sequence[str]:
        return ()

    def agents(self) -> Mapping[str, str]:
        return {}

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        return self._prober.probe(self.world, flows, timeout)

    def early(self, ref: str) -> Mapping[Flow, Early]:
        return self._prober.early(self.world, self.world.pods[ref])

    def commands(self, flow: Flow, policies: Sequence[NetworkPolicy]) -> Sequence[str]:  # noqa: ARG002 -- see below
        """Return none: the namespaces end with the run, so a command that names them would not work for its reader."""
        return ()

    def close(self) -> None:
        if self._open:
            self._open = False
            self._prober.close()
            self._machines.close()

    def _agent(self, ref: str) -> Stream:
        """Start an agent; `runner.probing` asks for one whenever it has no line to it, or none that works."""
        owner = self.world.pods.get(ref) or self.world.endpoints.get(ref)
        if owner is None or not self._open:
            raise ProbeFailed(f"there is no {ref} to probe from")
        try:
            early = from_start(self.world, owner) if isinstance(owner, Pod) else ()
            return self._machines.agent(owner, early)
        except (LabFault, OSError) as error:  # OSError: no more open files here
            raise ProbeFailed(f"the agent of {ref} did not start", causes=[str(error)]) from error

    def _wait_until_alive(self, owner: Pod | Endpoint) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while silent := self._prober.alive(owner, LOOPBACK_TIMEOUT):
            if time.monotonic() > deadline:
                raise ActionFailed(f"{owner.ref} does not serve all its ports", causes=silent)

    def _after(self, what: str, action: Action, state: State | None = None) -> State:
        try:
            return (state or self._state).after(action)
        except KeyError as error:
            raise ActionFailed(f"cannot {what}: there is no {error.args[0]}") from error

    def _take(self, action: Action, state: State) -> None:
        """Put in force what an event led to, and make it the current state."""
        self._enforce(state, self._hears(self._known, action, state))

    def _enforce(self, state: State, known: State | None = None) -> None:
        """Make a state the current one, and put in force what is known of it: all of it, where nothing else is said."""
        known = known or state
        try:
            rules = compile_rules(known.world, known.policies.values())
        except ValueError as error:  # the loader of case files lets none of these through
            raise ActionFailed("a policy has an address that is none", causes=[str(error)]) from error
        self._put_in_force(rules)
        self._state, self._known = state, known

    def _put_in_force(self, rules: Mapping[int, NodeRules]) -> None:
        self._machines.enforce(rules)

    def _add_nodes(self, nodes: Sequence[Node]) -> None:
        for node in range(len(nodes)):
            self._machines.add_node(node)

    def _remove(self, pod: Pod) -> None:
        self._prober.forget(pod.ref)
        self._prober.hellos.pop(pod.ref, None)
        self._machines.remove(pod.ref)
        for address in pod.addresses if pod.phase is Phase.RUNNING else ():
            self._addresses.give_back(address)

    def _with_address(self, pod: Pod) -> Pod:
        """Return a pod with its addresses; one that has ended keeps them in its status, and they are free for the next one."""
        wanted = self.world.pods[pod.address_of].addresses[0] if pod.address_of else ""
        address = self._addresses.again(wanted) if wanted else self._addresses.for_pod(pod.node)
        if pod.phase is not Phase.RUNNING:
            self._addresses.give_back(address)
        return replace(pod, addresses=self._both(address))

    def _with_address_and_ports(self, service: Service) -> Service:
        ports = given_node_ports(service, self._node_ports)
        return replace(service, addresses=self._both(self._addresses.for_service()), node_ports=ports)

    def _nodes(self, count: int) -> tuple[Node, ...]:
        # Complains about the number that was asked for, and not about the first that is too high.
        _ = node_address(count - 1)
        return tuple(Node(self._both(node_address(number))) for number in range(count))

    def _both(self, address: str) -> tuple[str, ...]:
        return fabric.addresses(address, ipv6=self._machines.ipv6)

    @contextmanager
    def _acting(self, what: str) -> Iterator[None]:
        """Turn whatever goes wrong while the arena is changed into ActionFailed."""
        if not self._open:
            raise ActionFailed(f"cannot {what}: the arena is closed")
        try:
            yield
        except LabFault as fault:
            raise ActionFailed(f"cannot {what}", causes=[fault.what], hint=hint(fault, machine_settings())) from fault
        except ProbeFailed as error:
            raise ActionFailed(f"cannot {what}", causes=[error.message, *error.causes], hint=error.hint) from error


def _words(change: Change) -> str:
    match change:
        case ApplyPolicy(policy):
            return f"apply policy {policy.ref}"
        case DeletePolicy(ref):
            return f"delete policy {ref}"
        case LabelPod(ref):
            return f"label pod {ref}"
        case LabelNamespace(name):
            return f"label namespace {name}"


def _refuse_twin(what: str, ref: str, existing: Mapping[str, object]) -> None:
    if ref in existing:
        raise ActionFailed(f"cannot {what}: it is there already")
