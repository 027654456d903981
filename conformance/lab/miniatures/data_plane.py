"""What a plugin makes of the objects that it watches: tables of addresses, brought up to date event by event.

Written from the specification and not from the evaluator, which this room never imports: policies become, for each isolated pod and
direction, a table of what it may exchange with whom, as a plugin would program it into a kernel.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from conformance.model.policy import Direction, Operator
from conformance.model.world import Phase, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.lab.miniatures.defect import Packet
    from conformance.model.policy import LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
    from conformance.model.world import Pod, World

_EVERY_PORT = range(65536)
_NETWORKS = {4: "0.0.0.0/0", 6: "::/0"}
# The same few addresses are looked up for every flow of every reading, and are in the tables again after every event.
_ip = lru_cache(maxsize=4096)(ipaddress.ip_address)
_network = lru_cache(maxsize=4096)(partial(ipaddress.ip_network, strict=False))


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that a pod may do: exchange a protocol with addresses in `within` but not in `without`, on ports."""

    within: ipaddress.IPv4Network | ipaddress.IPv6Network
    without: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]
    protocol: Protocol
    ports: range

    def admits(self, address: str, port: int, protocol: Protocol) -> bool:
        ip = _ip(address)
        return (
            protocol is self.protocol
            and port in self.ports
            and ip in self.within
            and not any(ip in hole for hole in self.without)
        )


#: By address and direction.
Tables = dict[tuple[str, Direction], list[Entry]]


class DataPlane:
    """Tables by address and direction; an address without a table is not isolated."""

    def __init__(self) -> None:
        self._tables: Tables = {}
        self._from: tuple[World, Mapping[str, NetworkPolicy]] | None = None

    def refresh(self, world: World, policies: Mapping[str, NetworkPolicy]) -> None:
        """Program everything anew from what is known of the cluster. It is done when it is first asked for."""
        self._from = world, policies

    @property
    def tables(self) -> Tables:
        if self._from is not None:
            (world, policies), self._from = self._from, None
            self._tables = {}
            for policy in policies.values():
                for pod in world.pods.values():
                    if selects(policy, pod) and _alive(pod):
                        self._program(pod, policy, world)
        return self._tables

    def lets(self, packet: Packet, direction: Direction) -> bool:
        """Tell whether one side of a packet lets it through."""
        if direction is Direction.EGRESS:
            subject, other = packet.source, packet.destination
        else:
            subject, other = packet.destination, packet.source
        table = self.tables.get((subject, direction))
        return table is None or any(entry.admits(other, packet.port, packet.protocol) for entry in table)

    def _program(self, pod: Pod, policy: NetworkPolicy, world: World) -> None:
        for direction in policy.policy_types:
            for address in pod.addresses:
                table = self._tables.setdefault((address, direction), [])
                for rule in policy.rules(direction):
                    table.extend(_entries(rule, direction, pod, policy.namespace, world))


def selects(policy: NetworkPolicy, pod: Pod) -> bool:
    """Tell whether a policy is about a pod."""
    return pod.namespace == policy.namespace and _fits(policy.pod_selector, pod.labels)


def peer_pods(peer: Peer, namespace: str, world: World) -> list[Pod]:
    """Return the pods that a peer of a policy in a namespace selects; an ipBlock selects none."""
    if peer.ip_block is not None:
        return []
    return [pod for pod in world.pods.values() if _alive(pod) and _is_peer(peer, pod, namespace, world)]


def _entries(rule: Rule, direction: Direction, subject: Pod, namespace: str, world: World) -> Iterator[Entry]:
    named = any(isinstance(port.port, str) for port in rule.ports)
    for within, without, owner in _ranges(rule, namespace, world, split=named and direction is Direction.EGRESS):
        receiver = subject if direction is Direction.INGRESS else owner
        for protocol, ports in _ports(rule.ports, receiver):
            yield Entry(within, without, protocol, ports)


def _ranges(rule: Rule, namespace: str, world: World, *, split: bool) -> Iterator[tuple]:  # type: ignore[type-arg]
    """Yield the address ranges of a rule's peers, with the pod that has the address where that is known.

    With `split`, ranges of many addresses are followed by every pod in them, since a port's name differs from pod to pod.
    """
    for peer in rule.peers or (None,):
        for within, without, owner in _peer_ranges(peer, namespace, world):
            yield within, without, owner
            if split and owner is None:
                for pod in world.pods.values():
                    for address in pod.addresses if _alive(pod) else ():
                        ip = _ip(address)
                        if ip in within and not any(ip in hole for hole in without):
                            yield _network(address), (), pod


def _peer_ranges(peer: Peer | None, namespace: str, world: World) -> Iterator[tuple]:  # type: ignore[type-arg]
    if peer is None:
        for network in _NETWORKS.values():
            yield _network(network), (), None
    elif peer.ip_block is not None:
        holes = tuple(_network(text) for text in peer.ip_block.excepts)
        yield _network(peer.ip_block.cidr), holes, None
    else:
        for pod in peer_pods(peer, namespace, world):
            for address in pod.addresses:
                yield _network(address), (), pod


def _is_peer(peer: Peer, pod: Pod, namespace: str, world: World) -> bool:
    if peer.namespace_selector is None:
        right_namespace = pod.namespace == namespace
    else:
        right_namespace = _fits(peer.namespace_selector, world.namespaces[pod.namespace].all_labels)
    return right_namespace and (peer.pod_selector is None or _fits(peer.pod_selector, pod.labels))


def _ports(ports: tuple[PolicyPort, ...], receiver: Pod | None) -> Iterator[tuple[Protocol, range]]:
    if not ports:
        yield from ((protocol, _EVERY_PORT) for protocol in Protocol)
    for port in ports:
        if port.port is None:
            yield port.protocol, _EVERY_PORT
        elif isinstance(port.port, int):
            yield port.protocol, range(port.port, (port.end_port or port.port) + 1)
        elif receiver is not None:
            for server in receiver.servers:
                if server.name == port.port and server.protocol is port.protocol:
                    yield port.protocol, range(server.port, server.port + 1)


def _fits(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    for key, value in selector.match_labels.items():
        if key not in labels or labels[key] != value:
            return False
    for requirement in selector.match_expressions:
        present = requirement.key in labels
        listed = present and labels[requirement.key] in requirement.values
        wanted = {
            Operator.IN: listed,
            Operator.NOT_IN: not listed,
            Operator.EXISTS: present,
            Operator.DOES_NOT_EXIST: not present,
        }
        if not wanted[requirement.operator]:
            return False
    return True


def _alive(pod: Pod) -> bool:
    return pod.phase in {Phase.RUNNING, Phase.PENDING}
