"""Decide flows: a flow passes when the egress side of its source and the ingress side of its destination both let it pass.

https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.decision import Decision, DirectionDecision, Evidence
from conformance.model.policy import Direction
from conformance.model.world import Phase, Pod, target_port
from conformance.oracle.rules import peer_index, port_index
from conformance.oracle.selectors import selects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conformance.model.flow import Flow
    from conformance.model.policy import NetworkPolicy
    from conformance.model.state import State
    from conformance.model.world import Endpoint, Protocol


def evaluate(state: State, flows: Iterable[Flow]) -> Mapping[Flow, Decision]:
    """Decide each flow in one state. Addresses in ipBlocks must be filled in; KeyError for a flow between unknown places."""
    evaluator = Evaluator(state)
    return {flow: evaluator.decide(flow) for flow in flows}


class Evaluator:
    """Decisions in one state; what many flows share is worked out once: which policies select a pod, and that none does."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._selecting: dict[tuple[str, Direction], tuple[NetworkPolicy, ...]] = {}
        self._open: dict[tuple[str, Direction], DirectionDecision] = {}

    def decide(self, flow: Flow) -> Decision:
        service = self._state.world.services.get(flow.destination)
        if service is None:
            return self._direct(flow, self._place(flow.destination), flow.port)
        decisions = [
            self._direct(flow, backend, number)
            for port in service.ports
            if (port.port, port.protocol) == (flow.port, flow.protocol)
            for backend in self._state.world.backends(service)
            if (number := target_port(port, backend)) is not None
        ]
        answers = {decision.allowed for decision in decisions}
        if len(answers) != 1:  # no backends, or backends that differ: what a client sees is not the policy's doing
            return Decision(flow, None, tuple(side for decision in decisions for side in decision.sides))
        return Decision(flow, answers.pop(), decisions[0].sides)

    def _direct(self, flow: Flow, destination: Pod | Endpoint, number: int) -> Decision:
        source = self._place(flow.source)
        sides = tuple(
            self._side(direction, subject, other, number, flow.protocol, destination)
            for direction, subject, other in (
                (Direction.EGRESS, source, destination),
                (Direction.INGRESS, destination, source),
            )
            if isinstance(subject, Pod)
        )
        return Decision(flow, all(side.allowed for side in sides), sides)

    def _place(self, ref: str) -> Pod | Endpoint:
        world = self._state.world
        return world.endpoints[ref] if ref in world.endpoints else world.pods[ref]

    def _side(
        self,
        direction: Direction,
        subject: Pod,
        other: Pod | Endpoint,
        number: int,
        protocol: Protocol,
        destination: Pod | Endpoint,
    ) -> DirectionDecision:
        selecting = self._policies(subject, direction)
        if not selecting:
            return self._not_isolated(subject, direction)
        matching = tuple(
            evidence
            for policy in selecting
            for evidence in self._matches(policy, direction, other, number, protocol, destination)
        )
        return DirectionDecision(
            direction=direction,
            pod=subject.ref,
            isolated=True,
            allowed=bool(matching),
            selecting=tuple(Evidence(policy.ref, direction, location=policy.location) for policy in selecting),
            matching=matching,
        )

    def _not_isolated(self, pod: Pod, direction: Direction) -> DirectionDecision:
        key = (pod.ref, direction)
        if key not in self._open:
            self._open[key] = DirectionDecision(direction, pod.ref, isolated=False, allowed=True)
        return self._open[key]

    def _policies(self, pod: Pod, direction: Direction) -> tuple[NetworkPolicy, ...]:
        """Return the policies that isolate a pod in a direction: of its namespace, selecting it, with that policyType."""
        key = (pod.ref, direction)
        if key not in self._selecting:
            self._selecting[key] = tuple(
                policy
                for policy in self._state.policies.values()
                if policy.namespace == pod.namespace
                and direction in policy.policy_types
                and pod.phase not in {Phase.SUCCEEDED, Phase.FAILED}
                and selects(policy.pod_selector, pod.labels)
            )
        return self._selecting[key]

    def _matches(
        self,
        policy: NetworkPolicy,
        direction: Direction,
        other: Pod | Endpoint,
        number: int,
        protocol: Protocol,
        destination: Pod | Endpoint,
    ) -> Iterator[Evidence]:
        address = _address(other, destination)
        for index, rule in enumerate(policy.rules(direction)):
            peer_matches, peer = peer_index(rule.peers, policy.namespace, other, address, self._state.world)
            if not peer_matches:
                continue
            port_matches, port = port_index(rule.ports, number, protocol, destination)
            if port_matches:
                yield Evidence(policy.ref, direction, index, peer, port, rule.location)


def _address(other: Pod | Endpoint, destination: Pod | Endpoint) -> str | None:
    """Return which address of the other side a flow uses: a flow goes to its destination's first one, in that family."""
    family = ":" in "".join(destination.addresses[:1])
    return next((address for address in other.addresses if (":" in address) is family), None)
