"""Mistakes on the way of a packet: M28, M29, M35 to M38."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import selects
from conformance.lab.miniatures.defect import Defect, both_ends
from conformance.model.policy import Direction, LabelSelector
from conformance.model.world import CANARY, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance.lab.miniatures.defect import Carries, Hears, Lets, Packet
    from conformance.model.case import Action
    from conformance.model.state import State
    from conformance.model.world import Pod

#: Where a client's own port may be, which no policy of the suite's cases opens.
_SOURCE_PORT = 40000
_NODE_ADDRESS = "172.31.255.1"
#: A label that no case has, by which one pod of its namespace is selected.
_PICKED = "picked.miniature"


def _egress_is_enough(lets: Lets, packet: Packet) -> bool:
    return lets(packet, Direction.EGRESS)


def _ingress_is_enough(lets: Lets, packet: Packet) -> bool:
    return lets(packet, Direction.INGRESS)


def _either_is_enough(lets: Lets, packet: Packet) -> bool:
    return lets(packet, Direction.EGRESS) or lets(packet, Direction.INGRESS)


def _isolates_only(picked: Callable[[Sequence[Pod]], Sequence[Pod]]) -> Hears:
    """Isolate of the pods that a policy selects on one node only some."""

    def hears(_: State, __: Action, true: State) -> State:
        world, taken = true.world, {}
        for policy in true.policies.values():
            by_node: dict[int, list[Pod]] = defaultdict(list)
            for pod in true.world.pods.values():
                if selects(policy, pod) and pod.namespace != CANARY:
                    by_node[pod.node].append(pod)
            kept = [pod for pods in by_node.values() for pod in picked(pods)]
            if policy.namespace == CANARY or len(kept) == sum(map(len, by_node.values())):
                taken[policy.ref] = policy
                continue
            for number, pod in enumerate(kept):
                world = world.with_pod(replace(pod, labels={**pod.labels, _PICKED: pod.name}))
                copy = replace(policy, name=f"{policy.name}.{number}", pod_selector=LabelSelector({_PICKED: pod.name}))
                taken[copy.ref] = copy
        return true if world is true.world else replace(true, world=world, policies=taken)

    return hears


def _when(holds: Callable[[Packet], bool], carries: Carries) -> Carries:
    """Carry some packets in a wrong way, and all others rightly."""
    return lambda lets, packet: carries(lets, packet) if holds(packet) else both_ends(lets, packet)


def _always(_: Lets, __: Packet) -> bool:
    return True


def _also_replies(lets: Lets, packet: Packet) -> bool:
    """Judge what comes back as a connection of its own."""
    return both_ends(lets, packet) and both_ends(lets, packet.answered(_SOURCE_PORT))


def _at_the_front(lets: Lets, packet: Packet) -> bool:
    """Judge the way out by the Service's address and port, not by where it is forwarded to."""
    if packet.service is None:
        return both_ends(lets, packet)
    front = replace(packet, destination=packet.service.addresses[0], port=packet.front, receiver=None)
    return lets(front, Direction.EGRESS) and lets(packet, Direction.INGRESS)


def _port_of_the_front(lets: Lets, packet: Packet) -> bool:
    """Judge by the Service's port."""
    if packet.service is None:
        return both_ends(lets, packet)
    return both_ends(lets, replace(packet, port=packet.front))


def _from_a_node(lets: Lets, packet: Packet) -> bool:
    """Judge the way in of what a Service forwards by a node's address."""
    if packet.service is None:
        return both_ends(lets, packet)
    return lets(packet, Direction.EGRESS) and lets(
        replace(packet, source=_NODE_ADDRESS, sender=None), Direction.INGRESS
    )


DEFECTS = (
    Defect("egress-is-enough", "M28", "does not look at the receiver's ingress", carries=_egress_is_enough),
    Defect("ingress-is-enough", "M28", "does not look at the sender's egress", carries=_ingress_is_enough),
    Defect("either-is-enough", "M28", "carries what one of the two sides lets through", carries=_either_is_enough),
    Defect("egress-is-enough-on-a-node", "M28", "does not look at the receiver's ingress where both pods are on one node", carries=_when(lambda each: each.stays_on_a_node, _egress_is_enough)),
    Defect("egress-is-enough-across-nodes", "M28", "does not look at the receiver's ingress where the pods are on different nodes", carries=_when(lambda each: each.crosses_nodes, _egress_is_enough)),
    Defect("ingress-is-enough-on-a-node", "M28", "does not look at the sender's egress where both pods are on one node", carries=_when(lambda each: each.stays_on_a_node, _ingress_is_enough)),
    Defect("isolates-first-of-a-node", "M29", "isolates of the pods that a policy selects on one node only the first", _isolates_only(lambda pods: pods[:1])),
    Defect("isolates-last-of-a-node", "M29", "isolates of the pods that a policy selects on one node only the last", _isolates_only(lambda pods: pods[-1:])),
    Defect("isolates-two-of-a-node", "M29", "isolates of the pods that a policy selects on one node only two", _isolates_only(lambda pods: pods[:2])),
    Defect("filters-nothing-on-a-node", "M29", "filters only what goes from one node to another", carries=_when(lambda each: each.stays_on_a_node, _always)),
    Defect("filters-nothing-across-nodes", "M38", "filters only what stays on a node", carries=_when(lambda each: each.crosses_nodes, _always)),
    Defect("filters-nothing-from-outside", "M38", "does not filter what comes from outside the cluster", carries=_when(lambda each: each.sender is None, _always)),
    Defect("filters-nothing-to-outside", "M38", "does not filter what leaves the cluster", carries=_when(lambda each: each.receiver is None, _always)),
    Defect("stateless", "M36", "judges replies as connections of their own", carries=_also_replies),
    Defect("stateless-for-udp", "M36", "judges replies over UDP as connections of their own", carries=_when(lambda each: each.protocol is Protocol.UDP, _also_replies)),
    Defect("open-by-services", "M37", "filters nothing that is sent to a Service", carries=_when(lambda each: each.service is not None, _always)),
    Defect("egress-open-by-services", "M37", "does not look at the sender's egress where it sends to a Service", carries=_when(lambda each: each.service is not None, _ingress_is_enough)),
    Defect("service-address-decides", "M37", "judges egress by the Service's address", carries=_at_the_front),
    Defect("service-port-decides", "M37", "judges by the port of the Service, and not of the pod", carries=_port_of_the_front),
    Defect("services-hide-the-sender", "M37", "judges what a Service forwards as sent by a node", carries=_from_a_node),
    Defect("open-at-start", "M35", "isolates a pod only after it has started", open_at_start=True),
)  # fmt: skip
