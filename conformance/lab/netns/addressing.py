"""Which address everything in an arena has.

Arenas cannot reach each other, so each of them uses the same ranges. A pod's address is handed out again only after all others
of its node have been: a rule that still holds the address of a deleted pod must not happen to fit the next one.
With 10.244.1.2 goes fd00:10:244:1::2, and so for everything: who has the one has the other, where the machine has IPv6.
"""

from __future__ import annotations

import itertools
from ipaddress import IPv4Address, IPv4Network, ip_address
from typing import TYPE_CHECKING

from conformance.errors import ActionFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Where the nodes and the machines outside the cluster are.
UNDERLAY = IPv4Network("172.30.0.0/24")
SERVICES = IPv4Network("10.96.0.0/16")
#: What a pod sends everything to; no interface has them, their neighbour entries are enough.
POD_GATEWAYS = ("169.254.1.1", "fe80::1")

_PODS = IPv4Network("10.244.0.0/16")
_FABRIC, _FIRST_NODE, _FIRST_ENDPOINT = 1, 2, 100
_LAST_ENDPOINT = 254
_FIRST_SERVICE = 10  # the first few are often taken by the cluster itself

FABRIC_ADDRESS = str(UNDERLAY[_FABRIC])


def twin(address: str) -> str:
    """Return the IPv6 address that goes with an IPv4 one."""
    *network, host = address.split(".")
    return str(ip_address(f"fd00:{':'.join(network)}::{host}"))


def twin_range(network: IPv4Network) -> str:
    """Return the range of the addresses that go with those of another, which ends between two of its numbers."""
    return f"{twin(str(network.network_address))}/{16 + 2 * network.prefixlen}"


def node_address(node: int) -> str:
    if not 0 <= node < _FIRST_ENDPOINT - _FIRST_NODE:
        raise ActionFailed(f"the lab has no room for node {node}", hint="number nodes from 0; there is room for 98")
    return str(UNDERLAY[_FIRST_NODE + node])


def endpoint_address(number: int) -> str:
    if number > _LAST_ENDPOINT - _FIRST_ENDPOINT:
        raise ActionFailed(f"the lab has room for {number} endpoints outside the cluster, and no more")
    return str(UNDERLAY[_FIRST_ENDPOINT + number])


def pod_range(node: int) -> IPv4Network:
    """Return the range that a node's pods get their addresses from."""
    return IPv4Network((int(_PODS.network_address) + ((node + 1) << 8), 24))


class Addresses:
    """Hands out the addresses of pods and Services."""

    def __init__(self) -> None:
        self._pods: dict[int, Iterator[IPv4Address]] = {}
        self._services = itertools.cycle(SERVICES[number] for number in range(_FIRST_SERVICE, 60000))
        self._taken: set[str] = set()

    def for_pod(self, node: int) -> str:
        network = pod_range(node)
        cycle = self._pods.setdefault(node, itertools.cycle(list(network)[2:-1]))
        return self._free(itertools.islice(cycle, network.num_addresses), f"pods on node {node}")

    def again(self, address: str) -> str:
        """Hand out an address that is free, though it is not its turn."""
        return self._free(iter([IPv4Address(address)]), f"a pod that must have {address}")

    def for_service(self) -> str:
        return self._free(itertools.islice(self._services, SERVICES.num_addresses), "Services")

    def give_back(self, address: str) -> None:
        self._taken.discard(address)

    def _free(self, candidates: Iterator[IPv4Address], users: str) -> str:
        for address in candidates:
            if str(address) not in self._taken:
                self._taken.add(str(address))
                return str(address)
        raise ActionFailed(f"the lab has no address left for {users}")
