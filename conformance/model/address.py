"""Addresses that a case names by whose they are: `$(x/a)` in an ipBlock is the address of pod x/a.

`$(x/a)` alone is that one address (/32, or /128 for IPv6); `$(x/a)/16` is the network of that size around it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from conformance.model.world import Endpoint, Pod, Service

if TYPE_CHECKING:
    from conformance.model.policy import IPBlock, NetworkPolicy, Rule
    from conformance.model.world import World

_Owner = TypeVar("_Owner", Pod, Service, Endpoint)

PLACEHOLDER = re.compile(r"^\$\((?P<ref>[^()]+)\)(?:/(?P<prefix>[0-9]{1,3}))?\Z")


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
    if owner is None or not owner.addresses:
        raise KeyError(match["ref"])
    address = ipaddress.ip_address(owner.addresses[0])
    prefix = int(match["prefix"]) if match["prefix"] else address.max_prefixlen
    return str(ipaddress.ip_network(f"{address}/{prefix}", strict=False))


def refs(policy: NetworkPolicy) -> frozenset[str]:
    """Return whose addresses a policy names."""
    blocks = [
        peer.ip_block for rule in (*policy.ingress, *policy.egress) for peer in rule.peers if peer.ip_block is not None
    ]
    texts = [text for block in blocks for text in (block.cidr, *block.excepts)]
    return frozenset(match["ref"] for text in texts if (match := PLACEHOLDER.match(text)))


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


def with_sample_addresses(world: World) -> World:
    """Give every pod, Service and endpoint without an address one of a usual cluster's, for work without a target."""
    if all(each.addresses for owners in (world.pods, world.services, world.endpoints) for each in owners.values()):
        return world
    used = {
        address
        for owners in (world.pods, world.services, world.endpoints)
        for owner in owners.values()
        for address in owner.addresses
    }
    return replace(
        world,
        pods={ref: _addressed(pod, f"10.244.{pod.node + 1}.0/24", used) for ref, pod in world.pods.items()},
        services={ref: _addressed(each, "10.96.0.0/24", used) for ref, each in world.services.items()},
        endpoints={ref: _addressed(each, "172.30.0.128/25", used) for ref, each in world.endpoints.items()},
    )


def _addressed(owner: _Owner, network: str, used: set[str]) -> _Owner:
    if owner.addresses:
        return owner
    free = next(text for host in ipaddress.ip_network(network).hosts() if (text := str(host)) not in used)
    used.add(free)
    return replace(owner, addresses=(free,))
