"""A second evaluator, written from the specification and knowing nothing of `conformance.oracle`.

It is slow and plain on purpose: everything is a set. A universe holds every connection that can be named, a policy isolates some of them,
a rule gives some back, and what is neither isolated nor not given back is blocked. Selectors are unions and intersections of sets of
names, address blocks are ranges of whole numbers.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
"""

from __future__ import annotations

import socket
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.model.flow import Flow
    from conformance.model.policy import IPBlock, LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
    from conformance.model.state import State
    from conformance.model.world import Pod, World

DONE = ("Succeeded", "Failed")


class Connection(NamedTuple):
    """From one place to a port of another; a place is a pod's `namespace/name` or an endpoint's name."""

    source: str
    destination: str
    port: int
    protocol: str
    family: str = ""  # of the addresses; by default that of the destination's first one


def allowed(state: State, ports: Iterable[tuple[int, str]]) -> set[Connection]:
    """Enumerate every connection between two different places, on these ports, that the policies let pass, of whatever family."""
    world = state.world
    places = [*world.pods, *world.endpoints]
    universe = {
        Connection(source, destination, port, str(protocol), family)
        for source in places
        for destination in places
        for port, protocol in ports
        for family in ("", "IPv4", "IPv6")
        if source != destination
    }
    return universe - blocked(state, universe)


def blocked(state: State, universe: set[Connection]) -> set[Connection]:
    """Return what some isolated pod, at either end, has no rule for."""
    refused: set[Connection] = set()
    for direction, end, other in (("Ingress", "destination", "source"), ("Egress", "source", "destination")):
        isolated: set[Connection] = set()
        given: set[Connection] = set()
        for policy in state.policies.values():
            if direction in {str(each) for each in policy.policy_types}:
                chosen = subjects(policy, state.world)
                mine = {each for each in universe if getattr(each, end) in chosen}
                isolated |= mine
                for rule in getattr(policy, direction.lower()):
                    given |= given_back(rule, mine, other, policy.namespace, state.world)
        refused |= isolated - given
    return refused


def answers(state: State, flow: Flow) -> set[bool]:
    """Return what a client of a flow may meet: one answer for each backend of a Service, else one.

    What comes from outside by a node port may show any node's address instead of its own.
    """
    world = state.world
    service = world.services.get(flow.destination)
    if service is not None and flow.source in world.endpoints:
        client = world.endpoints[flow.source]
        shown = (
            replace(world, endpoints={flow.source: replace(client, addresses=each.addresses)})
            for each in (client, *world.nodes)
        )
        return {answer for each in shown for answer in met(replace(state, world=each), flow)}
    return met(state, flow)


def met(state: State, flow: Flow) -> set[bool]:
    """Return the answers where every source shows its own address."""
    world = state.world
    service = world.services.get(flow.destination)
    if service is None:
        ends = {(flow.destination, flow.port)}
    else:
        ends = set()
        for port in service.ports:
            if port.port == flow.port and port.protocol == flow.protocol:
                for pod in world.pods.values():
                    behind = pod.namespace == service.namespace and str(pod.phase) == "Running"
                    if (
                        behind
                        and service.selector
                        and all(pod.labels.get(key) == value for key, value in service.selector.items())
                    ):
                        ends |= {(pod.ref, number) for number in numbers(port.target_port, flow.protocol, pod)}
    family = str(flow.family or "")
    tried = {Connection(flow.source, destination, port, str(flow.protocol), family) for destination, port in ends}
    return {each not in blocked(state, {each}) for each in tried}


def subjects(policy: NetworkPolicy, world: World) -> set[str]:
    """Return the pods that a policy is about: of its namespace, selected, and not over."""
    inside = {ref for ref, pod in world.pods.items() if pod.namespace == policy.namespace}
    over = {ref for ref, pod in world.pods.items() if str(pod.phase) in DONE}
    return (inside & selected(policy.pod_selector, {ref: pod.labels for ref, pod in world.pods.items()})) - over


def selected(selector: LabelSelector, labels: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Return the names of what a selector selects."""
    rest = set(labels)
    for key, value in selector.match_labels.items():
        rest &= having(labels, key, {value})
    for requirement in selector.match_expressions:
        with_key = {name for name, mine in labels.items() if requirement.key in mine}
        with_value = having(labels, requirement.key, set(requirement.values))
        rest &= {
            "In": with_value,
            "NotIn": set(labels) - with_value,
            "Exists": with_key,
            "DoesNotExist": set(labels) - with_key,
        }[str(requirement.operator)]
    return rest


def having(labels: Mapping[str, Mapping[str, str]], key: str, values: set[str]) -> set[str]:
    return {name for name, mine in labels.items() if key in mine and mine[key] in values}


def given_back(rule: Rule, mine: set[Connection], other: str, namespace: str, world: World) -> set[Connection]:
    """Return what a rule allows of the connections of its pods: with one of its peers, and on one of its ports."""
    by_peer, by_port = mine, mine
    if rule.peers:
        by_peer = set().union(*(with_peer(peer, mine, other, namespace, world) for peer in rule.peers))
    if rule.ports:
        by_port = {each for each in mine if any(opens(port, each, world) for port in rule.ports)}
    return by_peer & by_port


def with_peer(peer: Peer, mine: set[Connection], other: str, namespace: str, world: World) -> set[Connection]:
    """Return the connections whose other end is what a peer means: pods, or addresses."""
    if peer.ip_block is not None:
        theirs = {each: address_of(getattr(each, other), each, world) for each in mine}
        return {each for each, address in theirs.items() if address is not None and inside(address, peer.ip_block)}
    spaces = {namespace}
    if peer.namespace_selector is not None:
        labels = {name: {**each.labels, "kubernetes.io/metadata.name": name} for name, each in world.namespaces.items()}
        spaces = selected(peer.namespace_selector, labels)
    pods = {ref for ref, pod in world.pods.items() if pod.namespace in spaces}
    if peer.pod_selector is not None:
        pods &= selected(peer.pod_selector, {ref: pod.labels for ref, pod in world.pods.items()})
    return {each for each in mine if getattr(each, other) in pods}


def opens(port: PolicyPort, connection: Connection, world: World) -> bool:
    if str(port.protocol) != connection.protocol:
        return False
    if port.port is None:
        return True
    pod = world.pods.get(connection.destination)
    if isinstance(port.port, str):
        return pod is not None and connection.port in numbers(port.port, connection.protocol, pod)
    last = port.port if port.end_port is None else port.end_port
    return connection.port in set(range(port.port, last + 1))


def numbers(port: int | str, protocol: str, pod: Pod) -> set[int]:
    """Return what a number or a name means on a pod."""
    if isinstance(port, int):
        return {port}
    return {each.port for each in pod.servers if each.name == port and str(each.protocol) == str(protocol)}


def address_of(ref: str, connection: Connection, world: World) -> str | None:
    """Return a place's address in the family that a connection uses: its own, or that of the destination's first address."""
    six = any(":" in address for address in addresses(connection.destination, world)[:1])
    if connection.family:
        six = connection.family == "IPv6"
    mine = [address for address in addresses(ref, world) if (":" in address) == six]
    return mine[0] if mine else None


def addresses(ref: str, world: World) -> tuple[str, ...]:
    return world.pods[ref].addresses if ref in world.pods else world.endpoints[ref].addresses


def inside(address: str, block: IPBlock) -> bool:
    return spans(block.cidr, address) and not any(spans(hole, address) for hole in block.excepts)


@cache
def spans(cidr: str, address: str) -> bool:
    """Compare the leading bits of an address with those of a block of the same family."""
    base, length = cidr.split("/")
    if (":" in base) != (":" in address):
        return False
    family, bits = (socket.AF_INET6, 128) if ":" in base else (socket.AF_INET, 32)
    away = bits - int(length)
    first, mine = (int.from_bytes(socket.inet_pton(family, text), "big") >> away for text in (base, address))
    return first == mine
