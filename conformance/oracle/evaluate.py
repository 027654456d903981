"""Decide flows: a flow passes when the egress side of its source and the ingress side of its destination both let it pass.

https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.decision import Decision, DirectionDecision, Evidence
from conformance.model.policy import Direction
from conformance.model.world import IPFamily, Phase, Pod, address_in, family_of, target_port
from conformance.oracle.rules import Match, peer_index, port_index, whoever_index
from conformance.oracle.selectors import selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conformance.model.flow import Flow
    from conformance.model.policy import NetworkPolicy
    from conformance.model.state import State
    from conformance.model.world import Endpoint


def evaluate(state: State, flows: Iterable[Flow]) -> Mapping[Flow, Decision]:
    """Decide each flow in one state. Addresses in ipBlocks must be filled in; KeyError for a flow between unknown places."""
    evaluator = Evaluator(state)
    return {flow: evaluator.decide(flow) for flow in flows}


def isolated(state: State) -> frozenset[tuple[str, Direction]]:
    """Return the pods that policies isolate, and in which directions: only their flows are not as if there were no policy."""
    return frozenset(
        (pod.ref, direction)
        for policy in state.policies.values()
        for pod in state.world.pods.values()
        for direction in Direction
        if _isolates(policy, pod, direction)
    )


class Evaluator:
    """Decisions in one state; what many flows share is worked out once: where a pod stands, and whether peers match."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._policies: dict[str, list[NetworkPolicy]] = {}
        for policy in state.policies.values():
            self._policies.setdefault(policy.namespace, []).append(policy)
        self._standings: dict[tuple[str, Direction], DirectionDecision | tuple[NetworkPolicy, ...] | None] = {}
        self._peers: dict[tuple[int, str, str | None], Match] = {}

    def decide(self, flow: Flow) -> Decision:
        service = self._state.world.services.get(flow.destination)
        if service is None:
            return self._direct(flow, flow.destination, flow.port)
        decided = self._through_a_node if flow.source in self._state.world.endpoints else self._direct
        decisions = [
            decided(flow, backend.ref, number)
            for port in service.ports
            if (port.port, port.protocol) == (flow.port, flow.protocol)
            for backend in self._state.world.backends(service)
            if (number := target_port(port, backend)) is not None
        ]
        answers = {decision.allowed for decision in decisions}
        if len(answers) != 1:  # no backends, or backends that differ: what a client sees is not the policy's doing
            return Decision(flow, None, tuple(side for decision in decisions for side in decision.sides))
        return Decision(flow, answers.pop(), decisions[0].sides)

    def isolating(self, ref: str, direction: Direction) -> tuple[NetworkPolicy, ...]:
        """Return the policies that isolate a pod in a direction; none for what is no pod. KeyError where there is no such place."""
        standing = self._standing(ref, direction)
        return standing if isinstance(standing, tuple) else ()

    def side(self, direction: Direction, flow: Flow) -> DirectionDecision | None:
        """Decide one side of a flow that goes to a pod or an endpoint; None where that side is no pod and so has no say."""
        ends = (flow.source, flow.destination) if direction is Direction.EGRESS else (flow.destination, flow.source)
        return self._side(direction, *ends, flow.port, flow, flow.destination)

    def _direct(self, flow: Flow, destination: str, number: int) -> Decision:
        out = self._side(Direction.EGRESS, flow.source, destination, number, flow, destination)
        into = self._side(Direction.INGRESS, destination, flow.source, number, flow, destination)
        if out is not None and into is not None:
            return Decision(flow, out.allowed and into.allowed, (out, into))
        sides = tuple(side for side in (out, into) if side is not None)
        return Decision(flow, all(side.allowed for side in sides), sides)

    def _through_a_node(self, flow: Flow, backend: str, number: int) -> Decision:
        """Decide a flow from outside that a node forwards to a backend. Which source the backend's node sees then is not specified.

        https://kubernetes.io/docs/concepts/services-networking/network-policies/#behavior-of-to-and-from-selectors
        """
        into = self._from_outside(backend, number, flow)
        return Decision(flow, into.allowed or (None if into.depending else False), (into,))

    def _from_outside(self, backend: str, number: int, flow: Flow) -> DirectionDecision:
        standing = self._standing(backend, Direction.INGRESS)
        if isinstance(standing, DirectionDecision):
            return standing
        policies = standing or ()
        pod = self.place(backend)
        ipv6 = _family(flow.family, pod) is IPFamily.IPV6
        matching: list[Evidence] = []
        depending: list[Evidence] = []
        for policy in policies:
            for index, rule in enumerate(policy.rules(Direction.INGRESS)):
                port_matches, port = port_index(rule.ports, number, flow.protocol, pod)
                lets_in, item = whoever_index(rule.peers, ipv6=ipv6)
                if port_matches and lets_in is not False:
                    evidence = Evidence(policy.ref, Direction.INGRESS, index, item, port, rule.location)
                    (matching if lets_in else depending).append(evidence)
        return _isolated(Direction.INGRESS, backend, policies, matching, depending)

    def _side(
        self, direction: Direction, subject: str, other: str, number: int, flow: Flow, destination: str
    ) -> DirectionDecision | None:
        """Decide one side of a flow; None where the subject is no pod and so has no say.

        `destination` and `number` are where the flow ends, which a Service does not.
        """
        standing = self._standing(subject, direction)
        if not isinstance(standing, tuple):
            return standing
        matching = self._matches(standing, direction, other, number, flow, destination)
        return _isolated(direction, subject, standing, matching)

    def _standing(self, ref: str, direction: Direction) -> DirectionDecision | tuple[NetworkPolicy, ...] | None:
        """Return the policies that isolate a pod in a direction; where there are none, the decision, which is always the same."""
        if (ref, direction) in self._standings:
            return self._standings[ref, direction]
        place = self.place(ref)
        standing: DirectionDecision | tuple[NetworkPolicy, ...] | None = None
        if isinstance(place, Pod):
            there = self._policies.get(place.namespace, ())
            isolating = tuple(each for each in there if _isolates(each, place, direction))
            standing = isolating or DirectionDecision(direction, ref, isolated=False, allowed=True)
        self._standings[ref, direction] = standing
        return standing

    def place(self, ref: str) -> Pod | Endpoint:
        """Return the pod or endpoint of a ref; KeyError where there is none."""
        world = self._state.world
        return world.endpoints[ref] if ref in world.endpoints else world.pods[ref]

    def _matches(
        self,
        policies: Iterable[NetworkPolicy],
        direction: Direction,
        other: str,
        number: int,
        flow: Flow,
        destination: str,
    ) -> Iterator[Evidence]:
        peer, target = self.place(other), self.place(destination)
        address = address_of(peer, target, flow.family)
        for policy in policies:
            for index, rule in enumerate(policy.rules(direction)):
                port_matches, port = port_index(rule.ports, number, flow.protocol, target)
                if not port_matches:
                    continue
                key = (id(rule), other, address)
                if key not in self._peers:
                    self._peers[key] = peer_index(rule.peers, policy.namespace, peer, address, self._state.world)
                peer_matches, item = self._peers[key]
                if peer_matches:
                    yield Evidence(policy.ref, direction, index, item, port, rule.location)


def _isolated(
    direction: Direction,
    pod: str,
    policies: Iterable[NetworkPolicy],
    matching: Iterable[Evidence],
    depending: Iterable[Evidence] = (),
) -> DirectionDecision:
    """Return the decision on a pod that policies isolate, by which of their rules match."""
    matching = tuple(matching)
    return DirectionDecision(
        direction=direction,
        pod=pod,
        isolated=True,
        allowed=bool(matching),
        selecting=tuple(Evidence(policy.ref, direction, location=policy.location) for policy in policies),
        matching=matching,
        depending=tuple(depending),
    )


def _isolates(policy: NetworkPolicy, pod: Pod, direction: Direction) -> bool:
    """Tell whether a policy isolates a pod: of its namespace, selecting it, with that policyType. A pod that ended is nobody's."""
    return (
        policy.namespace == pod.namespace
        and direction in policy.policy_types
        and pod.phase not in {Phase.SUCCEEDED, Phase.FAILED}
        and selects(policy.pod_selector, pod.labels)
    )


def address_of(other: Pod | Endpoint, destination: Pod | Endpoint, family: IPFamily | None) -> str | None:
    """Return which address of the other side a flow uses: one of its family, or of that of its destination's first address."""
    return address_in(other.addresses, _family(family, destination))


def _family(family: IPFamily | None, destination: Pod | Endpoint) -> IPFamily | None:
    return family_of(destination.addresses[0]) if family is None and destination.addresses else family
