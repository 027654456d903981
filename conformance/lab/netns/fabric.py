"""How the namespaces of an arena are wired: pods to their nodes, nodes and outside machines to the fabric; pure.

             pods                node 0 --- fabric --- node 1               pods
    10.244.1.2  10.244.1.3 ...     |          |          |      10.244.2.2  10.244.2.3 ...
                                           ext 172.30.0.100

Every line is a veth pair with a leaf at one end and a router at the other, and packets go from one to another only by routing. So
two pods of one node reach each other only through the node's forward hook, as they would have to in a cluster; a bridge would
carry them past it. The fabric has no rules and no connection tracking; it stands for the network between machines.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from conformance.lab.netns import links
from conformance.lab.netns.addressing import (
    FABRIC_ADDRESS,
    POD_GATEWAY,
    SERVICES,
    endpoint_address,
    node_address,
    pod_range,
)

if TYPE_CHECKING:
    from conformance.lab.netns.netlink import Message

LEAF_INDEX = 2  # of the only cable at a leaf's end; `lo` is 1


@dataclass(frozen=True, slots=True)
class Wire:
    """One cable: a leaf with one address, and a router that sends it that address and perhaps a range behind it."""

    name: str
    index: int
    leaf_name: str
    address: str
    gateway: str
    behind: str | None = None

    def router_side(self, leaf_namespace: int) -> list[Message]:
        return [
            links.cable(self._near, self._far, leaf_namespace),
            links.up(self.index),
            links.forwarding(self.index),
            links.neighbour(self.address, self._far.mac, self.index),
            links.route(f"{self.address}/32", self.index),
            *([links.route(self.behind, self.index, self.address)] if self.behind else ()),
        ]

    def leaf_side(self) -> list[Message]:
        return [
            links.up(links.LOOPBACK),
            links.address(self.address, LEAF_INDEX),
            links.up(LEAF_INDEX),
            links.neighbour(self.gateway, self._near.mac, LEAF_INDEX),
            links.route("0.0.0.0/0", LEAF_INDEX, self.gateway),
            *([links.forwarding(LEAF_INDEX)] if self.behind else ()),
        ]

    @property
    def _near(self) -> links.Interface:
        return links.Interface(self.name, self.index, b"\x02\x01" + ip_address(self.address).packed)

    @property
    def _far(self) -> links.Interface:
        return links.Interface(self.leaf_name, LEAF_INDEX, b"\x02\x02" + ip_address(self.address).packed)


def fabric() -> list[Message]:
    """Return what the fabric itself needs: an address to send errors from."""
    return [links.up(links.LOOPBACK), links.address(FABRIC_ADDRESS, links.LOOPBACK)]


def node_wire(node: int) -> Wire:
    address = node_address(node)
    return Wire(f"node{node}", _index(address), "uplink", address, FABRIC_ADDRESS, str(pod_range(node)))


def endpoint_wire(number: int) -> Wire:
    address = endpoint_address(number)
    return Wire(f"outside{number}", _index(address), "eth0", address, FABRIC_ADDRESS)


def pod_wire(address: str) -> Wire:
    return Wire(f"pod-{_index(address) - 1000}", _index(address), "eth0", address, POD_GATEWAY)


def node_routes() -> list[Message]:
    """Return what a node needs besides its wire: a Service that nobody answers for must not be sent to the fabric."""
    return [links.swallow(str(SERVICES))]


def _index(address: str) -> int:
    """Return an interface's index; the last number of an address is unique at the router it is connected to."""
    return 1000 + ip_address(address).packed[-1]
