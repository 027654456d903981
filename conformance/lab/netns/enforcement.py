"""From what a node enforces now to what it must enforce next: the requests that make the difference; pure.

    forward   (every forwarded packet)  known connections pass; jump egress; jump ingress
    egress    by source address, to the chain of that pod's egress gate
    ingress   by destination address, to the chain of that pod's ingress gate
    egress-ADDRESS, ingress-ADDRESS     go back where one of the gate's passes fits; else drop
    services  (before routing)          change the destination of what is sent to a Service, and mark what comes by a node port
    sources   (after routing)           change the source of what is marked

A gate's chain goes back instead of accepting, because a packet that may leave its source may still not enter its destination.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from conformance.lab.netns import nftables
from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.lab.netns.compile import Forward, Gate, NodeRules, Pass
    from conformance.lab.netns.netlink import Message

_FORWARD, _SERVICES, _SOURCES = "forward", "services", "sources"
_BY_NODE_PORT = 1  # the mark
_ENTRANCE = {Direction.EGRESS: "egress", Direction.INGRESS: "ingress"}
_OWN_SIDE = {Direction.EGRESS: nftables.source, Direction.INGRESS: nftables.destination}
_PEER_SIDE = {Direction.EGRESS: nftables.destination, Direction.INGRESS: nftables.source}


def foundation() -> list[Message]:
    """Return what a new node needs before it can enforce anything."""
    return [
        nftables.table(),
        nftables.hooked_chain(_FORWARD, "filter", nftables.FORWARD, nftables.FILTER_PRIORITY),
        nftables.hooked_chain(_SERVICES, "nat", nftables.PREROUTING, nftables.DESTINATION_NAT_PRIORITY),
        nftables.hooked_chain(_SOURCES, "nat", nftables.POSTROUTING, nftables.SOURCE_NAT_PRIORITY),
        *(nftables.chain(name) for name in _ENTRANCE.values()),
        nftables.rule(_FORWARD, [*nftables.known_connection(), nftables.verdict(nftables.ACCEPT)], "nft_ct"),
        *(nftables.rule(_FORWARD, [nftables.jump(name)]) for name in _ENTRANCE.values()),
    ]


def difference(old: NodeRules, new: NodeRules) -> list[Message]:
    """Return requests that lead from one to the other, in an order in which none of them is ever in the way of the next."""
    before = {_name(gate): gate for gate in old.gates}
    after = {_name(gate): gate for gate in new.gates}
    messages: list[Message] = []
    for name, gate in after.items():
        if gate != before.get(name):
            messages.append(nftables.flush(name) if name in before else nftables.chain(name))
            messages.extend(_rules(name, gate))
    for direction, entrance in _ENTRANCE.items():
        leading = {name: gate for name, gate in after.items() if gate.direction is direction}
        if leading.keys() != {name for name, gate in before.items() if gate.direction is direction}:
            messages.append(nftables.flush(entrance))
            messages.extend(_jump(entrance, name, gate) for name, gate in leading.items())
    messages.extend(nftables.delete_chain(name) for name in before.keys() - after.keys())
    if old.forwards != new.forwards:
        messages.append(nftables.flush(_SERVICES))
        messages.extend(rule for forward in new.forwards for rule in _redirections(forward))
        messages.append(nftables.flush(_SOURCES))
        messages.extend(_masquerades(new.forwards))
    return messages


def _name(gate: Gate) -> str:
    return f"{_ENTRANCE[gate.direction]}-{gate.address}"


def _rules(name: str, gate: Gate) -> list[Message]:
    passing = [nftables.rule(name, [*_conditions(each, gate.direction), nftables.go_back()]) for each in gate.passes]
    return [*passing, nftables.rule(name, [nftables.verdict(nftables.DROP)])]


def _conditions(each: Pass, direction: Direction) -> list[bytes]:
    """Return a pass as one rule's conditions; what is cut out of a block is cut out of this rule alone."""
    peer = _PEER_SIDE[direction]
    conditions = [] if each.within is None else peer(each.within)
    for network in each.without:
        conditions += peer(network, outside=True)
    if each.protocol is not None:
        conditions += nftables.protocol(each.protocol)
        if each.ports is not None:
            conditions += nftables.ports(*each.ports)
    return conditions


def _jump(entrance: str, name: str, gate: Gate) -> Message:
    return nftables.rule(entrance, [*_OWN_SIDE[gate.direction](ip_network(gate.address)), nftables.jump(name)])


def _redirections(forward: Forward) -> list[Message]:
    """Return one rule for each backend: the first takes one of n connections, the next one of the n-1 left, and so on."""
    conditions = [
        *nftables.destination(ip_network(forward.address)),
        *nftables.protocol(forward.protocol),
        *nftables.ports(forward.port, forward.port),
    ]
    left = len(forward.backends)
    rules = []
    for address, port in forward.backends:
        turn = nftables.every(left) if left > 1 else []
        mark = nftables.mark(_BY_NODE_PORT) if forward.masquerade else []
        needs = "nft_numgen" if turn else "nft_nat"
        rules.append(nftables.rule(_SERVICES, [*conditions, *turn, *mark, *nftables.redirect(address, port)], needs))
        left -= 1
    return rules


def _masquerades(forwards: Iterable[Forward]) -> Iterator[Message]:
    """Yield a rule for each of the node's addresses that it masquerades by: it has one in a family."""
    for address in dict.fromkeys(forward.address for forward in forwards if forward.masquerade):
        conditions = nftables.marked(_BY_NODE_PORT)
        yield nftables.rule(_SOURCES, [*conditions, *nftables.masquerade(address)], "nft_nat")
