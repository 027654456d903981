"""Does a rule match: its peers the other side, its ports the destination's port."""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import TYPE_CHECKING

from conformance.model.world import Pod
from conformance.oracle.selectors import selects

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model.policy import IPBlock, Peer, PolicyPort
    from conformance.model.world import Endpoint, Protocol, World

Match = tuple[bool, int | None]

_EVERYWHERE = {False: "0.0.0.0/0", True: "::/0"}


def peer_index(
    peers: Sequence[Peer], policy_namespace: str, other: Pod | Endpoint, address: str | None, world: World
) -> Match:
    """Return whether any peer matches and which; no peers at all match everything, pods or not.

    `address` is the one of the other side's addresses that the flow uses.
    """
    if not peers:
        return True, None
    for index, peer in enumerate(peers):
        if _peer_matches(peer, policy_namespace, other, address, world):
            return True, index
    return False, None


def whoever_index(peers: Sequence[Peer], *, ipv6: bool) -> tuple[bool | None, int | None]:
    """Return whether a rule lets in any source of a family, and by which peer; None where that depends on which source it is."""
    if not peers:
        return True, None
    for index, peer in enumerate(peers):
        if peer.ip_block is not None and not peer.ip_block.excepts and peer.ip_block.cidr == _EVERYWHERE[ipv6]:
            return True, index
    return (False if all(_is_of_other_family(peer, ipv6=ipv6) for peer in peers) else None), None


def _is_of_other_family(peer: Peer, *, ipv6: bool) -> bool:
    return peer.ip_block is not None and (":" in peer.ip_block.cidr) is not ipv6


def port_index(ports: Sequence[PolicyPort], number: int, protocol: Protocol, destination: Pod | Endpoint) -> Match:
    """Return whether any port item matches and which; no items at all match every port of every protocol."""
    if not ports:
        return True, None
    for index, port in enumerate(ports):
        if _port_matches(port, number, protocol, destination):
            return True, index
    return False, None


def _peer_matches(peer: Peer, policy_namespace: str, other: Pod | Endpoint, address: str | None, world: World) -> bool:
    if peer.ip_block is not None:
        return address is not None and in_block(peer.ip_block, address)
    if not isinstance(other, Pod):
        return False  # selectors select pods only, never addresses outside the cluster
    if peer.namespace_selector is None:
        if other.namespace != policy_namespace:
            return False
    elif not selects(peer.namespace_selector, world.namespaces[other.namespace].all_labels):
        return False
    return peer.pod_selector is None or selects(peer.pod_selector, other.labels)


def in_block(block: IPBlock, address: str) -> bool:
    """Tell whether an address is in a block's CIDR and in none of its excepts; a block has one address family only."""
    return _contains(block.cidr, address) and not any(_contains(cut, address) for cut in block.excepts)


@lru_cache(maxsize=65536)
def _contains(cidr: str, address: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(cidr, strict=False)


def _port_matches(port: PolicyPort, number: int, protocol: Protocol, destination: Pod | Endpoint) -> bool:
    if port.protocol is not protocol:
        return False
    if port.port is None:
        return True
    if isinstance(port.port, str):
        return isinstance(destination, Pod) and any(
            (server.name, server.protocol, server.port) == (port.port, protocol, number)
            for server in destination.servers
        )
    return port.port <= number <= (port.end_port or port.port)
