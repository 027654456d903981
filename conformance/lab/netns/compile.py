"""From policies to what each node must enforce; pure.

A node enforces both directions of its own pods and nothing of other nodes' pods: a packet from one node to another is asked
about its egress on the first and about its ingress on the second; a packet between two pods of one node is asked twice there.
Everything is an address by then, since a kernel knows no labels.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING

from conformance.lab.netns.selection import chosen, selects
from conformance.model.policy import Direction
from conformance.model.world import target_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conformance.model.policy import NetworkPolicy, Peer, PolicyPort, Rule
    from conformance.model.world import Node, Pod, Protocol, Service, ServicePort, World

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Pass:
    """What may pass a gate: the peer's address is in `within` and in none of `without`, and the destination port fits.

    None stands for any: any address, any protocol, any port.
    """

    within: Network | None = None
    without: tuple[Network, ...] = ()
    protocol: Protocol | None = None
    ports: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """A pod's isolation in one direction: a new connection must fit one of `passes`, or it is dropped."""

    address: Address
    direction: Direction
    passes: tuple[Pass, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """One port of a Service, and the servers that it is forwarded to in turn.

    A node that masquerades puts its own address, which `address` is then, in the place of the source's, so that answers come back to it.
    """

    address: Address
    port: int
    protocol: Protocol
    backends: tuple[tuple[Address, int], ...]
    masquerade: bool = False


@dataclass(frozen=True, slots=True)
class NodeRules:
    """All that one node enforces and forwards."""

    gates: tuple[Gate, ...] = ()
    forwards: tuple[Forward, ...] = ()


def compile_rules(world: World, policies: Iterable[NetworkPolicy]) -> Mapping[int, NodeRules]:
    """Return what each node must do."""
    in_force = tuple(policies)
    gates: dict[int, list[Gate]] = defaultdict(list)
    for pod in world.running:
        for direction in Direction:
            gates[pod.node].extend(_gates(pod, direction, world, in_force))
    return {
        number: NodeRules(tuple(gates[number]), compile_forwards(world, node))
        for number, node in enumerate(world.nodes)
    }


def compile_forwards(world: World, node: Node) -> tuple[Forward, ...]:
    """Return what one node forwards; a Service's port without backends is left out, so that nobody answers there."""
    return tuple(forward for service in world.services.values() for forward in _forwards(service, node, world))


def _gates(pod: Pod, direction: Direction, world: World, policies: tuple[NetworkPolicy, ...]) -> Iterator[Gate]:
    selecting = [
        policy
        for policy in policies
        if policy.namespace == pod.namespace
        and direction in policy.policy_types
        and selects(policy.pod_selector, pod.labels)
    ]
    if not selecting:
        return
    passes = dict.fromkeys(
        each
        for policy in selecting
        for rule in policy.rules(direction)
        for each in _passes(rule, policy.namespace, pod, direction, world)
    )
    for text in pod.addresses:
        address = ip_address(text)
        yield Gate(address, direction, tuple(each for each in passes if _same_family(each, address)))


def _passes(rule: Rule, home: str, pod: Pod, direction: Direction, world: World) -> Iterator[Pass]:
    peers = [place for peer in rule.peers for place in _places(peer, home, world)] if rule.peers else [Pass()]
    for peer in peers:
        if not rule.ports:
            yield peer
        for port in rule.ports:
            if isinstance(port.port, str):
                yield from _named(peer, port, pod, direction, world)
            else:
                yield Pass(peer.within, peer.without, port.protocol, _range(port))


def _places(peer: Peer, home: str, world: World) -> Iterator[Pass]:
    """Yield a peer's addresses. An address block means every address in it; selectors mean pods only."""
    if peer.ip_block is not None:
        excepts = tuple(ip_network(text, strict=False) for text in peer.ip_block.excepts)
        yield Pass(ip_network(peer.ip_block.cidr, strict=False), excepts)
        return
    for pod in chosen(peer, home, world):
        for address in pod.addresses:
            yield Pass(ip_network(address))


def _range(port: PolicyPort) -> tuple[int, int] | None:
    if not isinstance(port.port, int):
        return None
    return (port.port, port.port if port.end_port is None else port.end_port)


def _named(peer: Pass, port: PolicyPort, pod: Pod, direction: Direction, world: World) -> Iterator[Pass]:
    """Yield what a port's name means: a number of each destination's own, and nothing outside the cluster."""
    if direction is Direction.INGRESS:
        for number in _numbers(pod, port):
            yield Pass(peer.within, peer.without, port.protocol, (number, number))
        return
    for destination in world.running:
        for number in _numbers(destination, port):
            for address in destination.addresses:
                if _is_at(peer, ip_address(address)):
                    yield Pass(ip_network(address), (), port.protocol, (number, number))


def _numbers(pod: Pod, port: PolicyPort) -> Iterator[int]:
    for server in pod.servers:
        if server.name == port.port and server.protocol is port.protocol:
            yield server.port


def _is_at(peer: Pass, address: Address) -> bool:
    return (peer.within is None or address in peer.within) and not any(address in each for each in peer.without)


def _same_family(each: Pass, address: Address) -> bool:
    return each.within is None or each.within.version == address.version


def _forwards(service: Service, node: Node, world: World) -> Iterator[Forward]:
    """Yield what arrives for a Service's own address, and, by its node ports, for the node's."""
    for port in service.ports:
        for address in map(ip_address, service.addresses):
            if backends := _backends(service, port, address, world):
                yield Forward(address, port.port, port.protocol, backends)
        number = service.node_ports.get((port.port, port.protocol))
        for address in map(ip_address, node.addresses if number else ()):
            if number and (backends := _backends(service, port, address, world)):
                yield Forward(address, number, port.protocol, backends, masquerade=True)


def _backends(service: Service, port: ServicePort, to: Address, world: World) -> tuple[tuple[Address, int], ...]:
    """Return where a port is forwarded to, in the family of the address that it is on."""
    return tuple(
        (backend, number)
        for pod in world.backends(service)
        if (number := target_port(port, pod)) is not None
        for backend in map(ip_address, pod.addresses)
        if backend.version == to.version
    )
