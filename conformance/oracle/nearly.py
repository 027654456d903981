"""Which rules nearly let a flow pass: of each rule of the policies that isolate a pod, what of it matches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.decision import Evidence, NearMiss
from conformance.model.policy import Direction
from conformance.oracle.evaluate import Evaluator, address_of
from conformance.oracle.rules import peer_index, port_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model.decision import DirectionDecision
    from conformance.model.flow import Flow
    from conformance.model.state import State


def near_misses(state: State, flow: Flow, side: DirectionDecision) -> Iterator[NearMiss]:
    """Yield every rule that could have let a flow pass on a side that blocks it. The flow goes to a pod or an endpoint."""
    evaluator = Evaluator(state)
    peer = evaluator.place(flow.destination if side.direction is Direction.EGRESS else flow.source)
    target = evaluator.place(flow.destination)
    address = address_of(peer, target, flow.family)
    for policy in evaluator.isolating(side.pod, side.direction):
        for index, rule in enumerate(policy.rules(side.direction)):
            ports_match, port = port_index(rule.ports, flow.port, flow.protocol, target)
            peers_match, item = peer_index(rule.peers, policy.namespace, peer, address, state.world)
            at = Evidence(policy.ref, side.direction, index, item, port, rule.location)
            yield NearMiss(at, peers=peers_match, ports=ports_match)
