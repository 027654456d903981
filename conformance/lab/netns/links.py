"""Requests about interfaces, addresses, routes and neighbours (rtnetlink)."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

from conformance.lab.netns.netlink import (
    CREATE,
    EXCLUSIVE,
    REPLACE,
    Message,
    attribute,
    native32,
    nested,
    text,
)

LOOPBACK = 1  # the index of `lo` in every network namespace

_NEWLINK, _DELLINK, _NEWADDR, _NEWROUTE, _NEWNEIGH = 16, 17, 20, 24, 28
_UP = 0x1
_PERMANENT = 0x80
_TABLE_MAIN, _PROTOCOL_STATIC, _UNICAST, _BLACKHOLE, _ON_LINK = 254, 4, 1, 6, 0x4
_SCOPE_ANYWHERE, _SCOPE_LINK = 0, 253
_ADDRESS, _NAME, _LINK_INFO, _AF_SPEC, _NAMESPACE_FD = 1, 3, 18, 26, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_INET_CONF, _FORWARDING = 1, 1
_DESTINATION, _OUT, _GATEWAY = 1, 4, 5


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a cable. The index is chosen here, so that nobody has to ask the kernel for it."""

    name: str
    index: int
    mac: bytes


def cable(near: Interface, far: Interface, far_namespace: int) -> Message:
    """Make a veth pair whose far end is in the namespace that this file descriptor of the keeper stands for."""
    peer = _header(far.index) + _identity(far) + native32(_NAMESPACE_FD, far_namespace)
    info = nested(_LINK_INFO, text(_INFO_KIND, "veth"), nested(_INFO_DATA, attribute(_VETH_PEER, peer)))
    body = _header(near.index) + _identity(near) + info
    return Message(f"make the cable {near.name}", "veth", _NEWLINK, CREATE | EXCLUSIVE, body)


def up(index: int) -> Message:
    return Message(f"bring interface {index} up", "", _NEWLINK, 0, _header(index, flags=_UP))


def forwarding(index: int) -> Message:
    """Let packets that come in here be routed on. A sysctl does the same, but in a container those are read-only."""
    setting = nested(_INET_CONF, native32(_FORWARDING, 1))
    body = _header(index) + nested(_AF_SPEC, nested(socket.AF_INET, setting))
    return Message(f"forward packets from interface {index}", "", _NEWLINK, 0, body)


def unplug(index: int) -> Message:
    """Remove a cable, with its other end wherever that is."""
    return Message(f"remove interface {index}", "", _DELLINK, 0, _header(index))


def address(owner: str, index: int) -> Message:
    raw = _raw(owner)
    body = struct.pack("=BBBBI", _family(raw), len(raw) * 8, 0, _SCOPE_ANYWHERE, index)
    body += attribute(1, raw) + attribute(2, raw)
    return Message(f"give interface {index} the address {owner}", "", _NEWADDR, CREATE | EXCLUSIVE, body)


def neighbour(owner: str, mac: bytes, index: int) -> Message:
    """Say once and for all who has an address: one that had to be asked for first could look like a policy."""
    raw = _raw(owner)
    body = struct.pack("=BxHiHBB", _family(raw), 0, index, _PERMANENT, 0, 0) + attribute(1, raw) + attribute(2, mac)
    return Message(f"name the neighbour {owner} on interface {index}", "", _NEWNEIGH, CREATE | REPLACE, body)


def route(destination: str, index: int, gateway: str | None = None) -> Message:
    """Send packets for a network out of an interface, to a gateway or straight to the destination itself."""
    attributes = native32(_OUT, index)
    if gateway is not None:
        attributes += attribute(_GATEWAY, _raw(gateway))
    scope = _SCOPE_LINK if gateway is None else _SCOPE_ANYWHERE
    flags = 0 if gateway is None else _ON_LINK
    return _route(f"route {destination} to interface {index}", destination, _UNICAST, scope, flags, attributes)


def swallow(destination: str) -> Message:
    """Drop packets for a network. The kernel would answer only some of them with `unreachable`: those are limited in rate."""
    return _route(f"swallow packets for {destination}", destination, _BLACKHOLE, _SCOPE_ANYWHERE, 0, b"")


def _route(purpose: str, destination: str, kind: int, scope: int, flags: int, attributes: bytes) -> Message:
    network = ipaddress.ip_network(destination)
    raw = network.network_address.packed
    header = struct.pack(
        "=BBBBBBBBI", _family(raw), network.prefixlen, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, kind, flags
    )
    if network.prefixlen:
        attributes = attribute(_DESTINATION, raw) + attributes
    return Message(purpose, "", _NEWROUTE, CREATE | EXCLUSIVE, header + attributes)


def _header(index: int, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _identity(interface: Interface) -> bytes:
    return text(_NAME, interface.name) + attribute(_ADDRESS, interface.mac)


def _raw(owner: str) -> bytes:
    return ipaddress.ip_address(owner).packed


def _family(raw: bytes) -> int:
    return socket.AF_INET if len(raw) == 4 else socket.AF_INET6  # noqa: PLR2004 -- four bytes are an IPv4 address
