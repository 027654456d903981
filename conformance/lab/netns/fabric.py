"""How the namespaces of an arena are wired: pods to their nodes, nodes and outside machines to the fabric; pure.

             pods                node 0 --- fabric --- node 1               pods
    10.244.1.2  10.244.1.3 ...     |          |          |      10.244.2.2  10.244.2.3 ...
                                           ext 172.30.0.100

Every line is a veth pair with a leaf at one end and a router at the other, and packets go from one to another only by routing. So
two pods of one node reach each other only through the node's forward hook, as they would have to in a cluster; a bridge would
carry them past it. The fabric has no rules and no connection tracking; it stands for the network between machines. Where there is IPv6,
everything has an address of that too (see `addressing`), and goes the same ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from conformance.lab.netns import links
from conformance.lab.netns.addressing import (
    FABRIC_ADDRESS,
    POD_GATEWAYS,
    SERVICES,
    node_address,
    pod_range,
    twin,
    twin_range,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.lab.netns.netlink import Message

LEAF_INDEX = 2  # of the only cable at a leaf's end; `lo` is 1


@dataclass(frozen=True, slots=True)
class Wire:
    """One cable: a leaf with an address of each family, and a router that sends it these, and perhaps ranges behind them."""

    name: str
    index: int
    leaf_name: str
    addresses: tuple[str, ...]
    gateways: tuple[str, ...]
    behind: tuple[str, ...] = ()

    def router_side(self, leaf_namespace: int) -> list[Message]:
        return [
            links.cable(self._near, self._far, leaf_namespace),
            links.up(self.index),
            links.forwarding(self.index),
            *(links.neighbour(each, self._far.mac, self.index) for each in self.addresses),
            *(links.route(str(ip_network(each)), self.index) for each in self.addresses),
            *(links.route(each, self.index, via) for each, via in zip(self.behind, self.addresses, strict=False)),
        ]

    def leaf_side(self) -> list[Message]:
        return [
            links.up(links.LOOPBACK),
            *(links.address(each, LEAF_INDEX) for each in self.addresses),
            links.up(LEAF_INDEX),
            *(links.neighbour(each, self._near.mac, LEAF_INDEX) for each in self.gateways),
            *(links.default_route(LEAF_INDEX, each) for each in self.gateways),
            *([links.forwarding(LEAF_INDEX)] if self.behind else ()),
        ]

    @property
    def _near(self) -> links.Interface:
        return links.Interface(self.name, self.index, b"\x02\x01" + ip_address(self.addresses[0]).packed)

    @property
    def _far(self) -> links.Interface:
        return links.Interface(self.leaf_name, LEAF_INDEX, b"\x02\x02" + ip_address(self.addresses[0]).packed)


def addresses(address: str, *, ipv6: bool) -> tuple[str, ...]:
    """Return an IPv4 address, with the IPv6 one that goes with it where there is IPv6."""
    return (address, twin(address)) if ipv6 else (address,)


def fabric(*, ipv6: bool) -> list[Message]:
    """Return what the fabric itself needs: addresses to send errors from."""
    own = addresses(FABRIC_ADDRESS, ipv6=ipv6)
    return [links.up(links.LOOPBACK), *(links.address(each, links.LOOPBACK) for each in own)]


def node_wire(node: int, *, ipv6: bool) -> Wire:
    own, gateways = addresses(node_address(node), ipv6=ipv6), addresses(FABRIC_ADDRESS, ipv6=ipv6)
    pods = pod_range(node)
    behind = (str(pods), twin_range(pods)) if ipv6 else (str(pods),)
    return Wire(f"node{node}", _index(own), "uplink", own, gateways, behind)


def endpoint_wire(number: int, own: Sequence[str]) -> Wire:
    gateways = addresses(FABRIC_ADDRESS, ipv6=len(own) > 1)
    return Wire(f"outside{number}", _index(own), "eth0", tuple(own), gateways)


def pod_wire(own: Sequence[str]) -> Wire:
    return Wire(f"pod-{_index(own) - 1000}", _index(own), "eth0", tuple(own), POD_GATEWAYS[: len(own)])


def node_routes(*, ipv6: bool) -> list[Message]:
    """Return what a node needs besides its wire: a Service that nobody answers for must not be sent to the fabric."""
    return [links.swallow(str(SERVICES)), *([links.swallow(twin_range(SERVICES))] if ipv6 else ())]


def _index(own: Sequence[str]) -> int:
    """Return an interface's index; the last number of an IPv4 address is unique at the router it is connected to."""
    return 1000 + ip_address(own[0]).packed[-1]
