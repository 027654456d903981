"""From what a node enforces now to what it must enforce next: the requests that make the difference; pure.

    forward   (every forwarded packet)  known connections pass; jump egress; jump ingress
    egress    by source address, to the chain of that pod's egress gate
    ingress   by destination address, to the chain of that pod's ingress gate
    egress-ADDRESS, ingress-ADDRESS     go back where one of the gate's passes fits; else drop
    services  (before routing)          change the destination of what is sent to a Service, and mark what comes by a node port
    sources   (after routing)           change the source of what is marked

Each family of addresses has a table of its own with all of these: a gate is in that of its pod's address.
A gate's chain goes back instead of accepting, because a packet that may leave its source may still not enter its destination.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING

from conformance.lab.netns import nftables
from conformance.lab.netns.compile import NodeRules
from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.lab.netns.compile import Forward, Gate, Pass
    from conformance.lab.netns.netlink import Message

_FORWARD, _SERVICES, _SOURCES = "forward", "services", "sources"
_BY_NODE_PORT = 1  # the mark
_ENTRANCE = {Direction.EGRESS: "egress", Direction.INGRESS: "ingress"}
_OWN_SIDE = {Direction.EGRESS: nftables.source, Direction.INGRESS: nftables.destination}
_PEER_SIDE = {Direction.EGRESS: nftables.destination, Direction.INGRESS: nftables.source}


def foundation(*, ipv6: bool) -> list[Message]:
    """Return what a new node needs before it can enforce anything."""
    return [message for version in _versions(ipv6=ipv6) for message in _foundation(version)]


def anew(rules: NodeRules, *, ipv6: bool) -> list[Message]:
    """Return what has a node begin again from nothing with the rules that it has."""
    gone = [nftables.delete_table(version) for version in _versions(ipv6=ipv6)]
    return [*gone, *foundation(ipv6=ipv6), *difference(NodeRules(), rules)]


def _versions(*, ipv6: bool) -> tuple[int, ...]:
    return (4, 6) if ipv6 else (4,)


def _foundation(version: int) -> list[Message]:
    known = [*nftables.known_connection(), nftables.verdict(nftables.ACCEPT)]
    return [
        nftables.table(version),
        nftables.hooked_chain(version, _FORWARD, "filter", nftables.FORWARD, nftables.FILTER_PRIORITY),
        nftables.hooked_chain(version, _SERVICES, "nat", nftables.PREROUTING, nftables.DESTINATION_NAT_PRIORITY),
        nftables.hooked_chain(version, _SOURCES, "nat", nftables.POSTROUTING, nftables.SOURCE_NAT_PRIORITY),
        *(nftables.chain(version, name) for name in _ENTRANCE.values()),
        nftables.rule(version, _FORWARD, known, "nft_ct"),
        *(nftables.rule(version, _FORWARD, [nftables.jump(name)]) for name in _ENTRANCE.values()),
    ]


def difference(old: NodeRules, new: NodeRules) -> list[Message]:
    """Return requests that lead from one to the other, in an order in which none of them is ever in the way of the next."""
    return [message for version in (4, 6) for message in _difference(version, _of(version, old), _of(version, new))]


def _of(version: int, rules: NodeRules) -> NodeRules:
    """Return what of a node's rules is about addresses of one version."""
    gates = tuple(gate for gate in rules.gates if gate.address.version == version)
    return NodeRules(gates, tuple(forward for forward in rules.forwards if forward.address.version == version))


def _difference(version: int, old: NodeRules, new: NodeRules) -> list[Message]:
    before = {_name(gate): gate for gate in old.gates}
    after = {_name(gate): gate for gate in new.gates}
    messages: list[Message] = []
    for name, gate in after.items():
        if gate != before.get(name):
            messages.append(nftables.flush(version, name) if name in before else nftables.chain(version, name))
            messages.extend(_rules(name, gate))
    for direction, entrance in _ENTRANCE.items():
        leading = {name: gate for name, gate in after.items() if gate.direction is direction}
        if leading.keys() != {name for name, gate in before.items() if gate.direction is direction}:
            messages.append(nftables.flush(version, entrance))
            messages.extend(_jump(entrance, name, gate) for name, gate in leading.items())
    messages.extend(nftables.delete_chain(version, name) for name in before.keys() - after.keys())
    if old.forwards != new.forwards:
        messages.append(nftables.flush(version, _SERVICES))
        messages.extend(rule for forward in new.forwards for rule in _redirections(forward))
        messages.append(nftables.flush(version, _SOURCES))
        messages.extend(_masquerades(new.forwards))
    return messages


def _name(gate: Gate) -> str:
    return f"{_ENTRANCE[gate.direction]}-{gate.address}"


def _rules(name: str, gate: Gate) -> list[Message]:
    version = gate.address.version
    passing = [[*_conditions(each, gate.direction), nftables.go_back()] for each in gate.passes]
    return [nftables.rule(version, name, each) for each in (*passing, [nftables.verdict(nftables.DROP)])]


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
    own = _OWN_SIDE[gate.direction](ip_network(gate.address))
    return nftables.rule(gate.address.version, entrance, [*own, nftables.jump(name)])


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
        expressions = [*conditions, *turn, *mark, *nftables.redirect(address, port)]
        rules.append(nftables.rule(forward.address.version, _SERVICES, expressions, needs))
        left -= 1
    return rules


def _masquerades(forwards: Iterable[Forward]) -> Iterator[Message]:
    """Yield a rule for each of the node's addresses that it masquerades by: it has one in a family."""
    for address in dict.fromkeys(forward.address for forward in forwards if forward.masquerade):
        conditions = nftables.marked(_BY_NODE_PORT)
        yield nftables.rule(address.version, _SOURCES, [*conditions, *nftables.masquerade(address)], "nft_nat")
