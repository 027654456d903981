"""What a peer reads of a pod or an endpoint: those of whom it reads the same, it cannot tell apart.

This decides nothing. It says of whom one stands for all, so that a rule is asked once and not for each of thousands.
"""

from __future__ import annotations

import ipaddress
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from conformance.model.world import Pod, address_in, family_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from conformance.model.policy import IPBlock, LabelSelector, Peer
    from conformance.model.world import Endpoint, IPFamily, World


@dataclass(frozen=True, slots=True)
class Read:
    """Labels of the pod, labels of its namespace, which namespace it is, or between which `borders` the address is."""

    pod_keys: tuple[str, ...] = ()
    namespace_keys: tuple[str, ...] = ()
    namespace: bool = False
    borders: tuple[int, ...] = ()
    family: IPFamily | None = None

    def of(self, place: Pod | Endpoint, world: World) -> Hashable:
        """Return what is read of one place."""
        if self.borders:
            address = address_in(place.addresses, self.family)
            if address is None:
                return None
            return family_of(address), bisect_right(self.borders, _number(address))
        if not isinstance(place, Pod):
            return None
        namespace = world.namespaces[place.namespace].all_labels if self.namespace_keys else {}
        return (
            tuple(map(place.labels.get, self.pod_keys)),
            tuple(map(namespace.get, self.namespace_keys)),
            self.namespace and place.namespace,
        )


def read_by(peer: Peer, family: IPFamily | None) -> Read:
    """Return what a peer reads, of addresses that of a family or the first one."""
    if peer.ip_block is not None:
        return Read(borders=_borders(peer.ip_block), family=family)
    return Read(_keys(peer.pod_selector), _keys(peer.namespace_selector), namespace=peer.namespace_selector is None)


def named_ports(place: Pod | Endpoint) -> Hashable:
    """Return all that ports of rules can read of a destination: where its named ports are, which no endpoint has."""
    return isinstance(place, Pod) and frozenset(
        (each.name, each.protocol, each.port) for each in place.servers if each.name
    )


def _keys(selector: LabelSelector | None) -> tuple[str, ...]:
    if selector is None:
        return ()
    return tuple(sorted({*selector.match_labels, *(each.key for each in selector.match_expressions)}))


def _borders(block: IPBlock) -> tuple[int, ...]:
    """Return the first address of a block and of each hole in it, and the first after each, in order."""
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in (block.cidr, *block.excepts)]
    ends = {int(each.network_address) for each in networks} | {int(each.broadcast_address) + 1 for each in networks}
    return tuple(sorted(ends))


@lru_cache(maxsize=65536)
def _number(address: str) -> int:
    return int(ipaddress.ip_address(address))
