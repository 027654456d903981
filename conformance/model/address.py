"""Addresses that a case names by whose they are: `$(x/a)` in an ipBlock is the address of pod x/a.

`$(x/a)` alone is that one address (/32, or /128 for IPv6); `$(x/a)/16` is the network of that size around it. The address is the first
one, and with `$(x/a over IPv6)` the first one of that family.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.model.world import Endpoint, IPFamily, Node, Pod, Protocol, Service, ServiceType, address_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from conformance.model.policy import IPBlock, NetworkPolicy, Rule
    from conformance.model.world import World

_Owner = TypeVar("_Owner", Pod, Service, Endpoint, Node)

#: The range that Kubernetes takes them from: https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport
NODE_PORTS = range(30000, 32768)
PLACEHOLDER = re.compile(r"^\$\((?P<ref>[^() ]+)(?: over (?P<family>IPv[46]))?\)(?:/(?P<prefix>[0-9]{1,3}))?\Z")

#: For each family, the ranges of a usual cluster: of the pods of a node, of Services, outside, and of nodes.
_SAMPLES = {
    IPFamily.IPV4: ("10.244.{}.0/24", "10.96.0.0/24", "172.30.0.128/25", "172.30.0.0/25"),
    IPFamily.IPV6: ("fd00:10:244:{}::/64", "fd00:10:96::/112", "fd00:172:30:1::/64", "fd00:172:30::/64"),
}


def fill_in(policy: NetworkPolicy, world: World) -> NetworkPolicy:
    """Replace every named address by the one that the world has for it; KeyError for one that it does not have."""
    return replace(
        policy,
        ingress=tuple(_rule(rule, world) for rule in policy.ingress),
        egress=tuple(_rule(rule, world) for rule in policy.egress),
        manifest=_manifest(policy.manifest, world),
    )


def resolve(text: str, world: World) -> str:
    """Return a CIDR with a named address filled in, unchanged where it has none."""
    match = PLACEHOLDER.match(text)
    if not match:
        return text
    owner = world.pods.get(match["ref"]) or world.endpoints.get(match["ref"])
    found = address_in(owner.addresses, _family(match)) if owner else None
    if found is None:
        raise KeyError(match["ref"])
    address = ipaddress.ip_address(found)
    prefix = int(match["prefix"]) if match["prefix"] else address.max_prefixlen
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


def refs(policy: NetworkPolicy) -> frozenset[tuple[str, IPFamily | None]]:
    """Return whose addresses a policy names, and of which family where it says so."""
    blocks = [
        peer.ip_block for rule in (*policy.ingress, *policy.egress) for peer in rule.peers if peer.ip_block is not None
    ]
    texts = [text for block in blocks for text in (block.cidr, *block.excepts)]
    return frozenset((match["ref"], _family(match)) for text in texts if (match := PLACEHOLDER.match(text)))


def _family(match: re.Match[str]) -> IPFamily | None:
    return IPFamily(match["family"]) if match["family"] else None


def _rule(rule: Rule, world: World) -> Rule:
    return replace(
        rule,
        peers=tuple(
            replace(peer, ip_block=_block(peer.ip_block, world)) if peer.ip_block else peer for peer in rule.peers
        ),
    )


def _block(block: IPBlock, world: World) -> IPBlock:
    return replace(
        block, cidr=resolve(block.cidr, world), excepts=tuple(resolve(text, world) for text in block.excepts)
    )


def _manifest(value: Any, world: World) -> Any:
    if isinstance(value, dict):
        return {key: _manifest(item, world) for key, item in value.items()}
    if isinstance(value, list):
        return [_manifest(item, world) for item in value]
    return resolve(value, world) if isinstance(value, str) else value


def with_sample_addresses(
    world: World, families: Collection[IPFamily] = (IPFamily.IPV4,), taken: Collection[str] = ()
) -> World:
    """Give everything without an address those of a usual cluster, one of each family, for work without a target.

    NodePort Services get their node ports too. None is given an address that is `taken`.
    """
    owners: list[Pod | Service | Endpoint | Node] = [
        *world.pods.values(),
        *world.services.values(),
        *world.endpoints.values(),
        *world.nodes,
    ]
    if all(owner.addresses for owner in owners):
        return world
    used = {address for owner in owners for address in owner.addresses}.union(taken)
    of_pods, of_services, outside, of_nodes = zip(*(_SAMPLES[family] for family in families), strict=True)
    services = {ref: _addressed(each, of_services, used) for ref, each in world.services.items()}
    return replace(
        world,
        pods={
            ref: _addressed(pod, [each.format(pod.node + 1) for each in of_pods], used)
            for ref, pod in world.pods.items()
        },
        services=_with_node_ports(services),
        endpoints={ref: _addressed(each, outside, used) for ref, each in world.endpoints.items()},
        nodes=tuple(_addressed(each, of_nodes, used) for each in world.nodes),
    )


def _with_node_ports(services: Mapping[str, Service]) -> Mapping[str, Service]:
    """Give NodePort Services without node ports some that are free."""
    taken = [number for each in services.values() for number in each.node_ports.values()]
    free = iter(number for number in NODE_PORTS if number not in taken)
    return {
        ref: replace(each, node_ports=given_node_ports(each, free)) if not each.node_ports else each
        for ref, each in services.items()
    }


def given_node_ports(service: Service, free: Iterator[int]) -> Mapping[tuple[int, Protocol], int]:
    """Return a node port out of those that are free for each port of a NodePort Service; none for another type."""
    if service.type is not ServiceType.NODE_PORT:
        return {}
    return {(port.port, port.protocol): next(free) for port in service.ports}


def _addressed(owner: _Owner, networks: Iterable[str], used: set[str]) -> _Owner:
    if owner.addresses:
        return owner
    free = tuple(
        next(text for host in ipaddress.ip_network(each).hosts() if (text := str(host)) not in used)
        for each in networks
    )
    used.update(free)
    return replace(owner, addresses=free)
