"""Requests about interfaces, addresses, routes and neighbours (rtnetlink)."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from pyroute2.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, nla
from pyroute2.netlink.rtnl import (
    RTM_DELLINK,
    RTM_NEWADDR,
    RTM_NEWLINK,
    RTM_NEWNEIGH,
    RTM_NEWROUTE,
    rt_proto,
    rt_scope,
    rt_type,
)
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import IFF_UP, ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import NUD_PERMANENT, ndmsg
from pyroute2.netlink.rtnl.rtmsg import RTNH_F_ONLINK, rtmsg

from conformance.lab.netns.netlink import Message, encoded

LOOPBACK = 1  # the index of `lo` in every network namespace

_TABLE_MAIN = 254
_NO_DAD = (
    0x02  # IFA_F_NODAD: to ask for a second whether somebody has the address would make every start that much slower
)
_SIX = 6
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class Interface:
    """One end of a cable. The index is chosen here, so that nobody has to ask the kernel for it."""

    name: str
    index: int
    mac: bytes


class _Settings(ifinfmsg):  # type: ignore[misc]
    """A link whose IPv4 settings can be set. pyroute2's own form is what the kernel answers, which differs from what it takes."""

    class af_spec_inet(nla):  # type: ignore[misc]  # noqa: N801 -- pyroute2 looks for this name
        nla_map = ((int(socket.AF_INET), "AF_INET", "inet"),)

        class inet(nla):  # type: ignore[misc]  # noqa: N801
            nla_map = ((1, "IFLA_INET_CONF", "conf"),)

            class conf(nla):  # type: ignore[misc]  # noqa: N801
                nla_map = ((1, "IPV4_DEVCONF_FORWARDING", "uint32"),)


def cable(near: Interface, far: Interface, far_namespace: int) -> Message:
    """Make a veth pair whose far end is in the namespace that this file descriptor of the keeper stands for."""
    peer = {"index": far.index, "attrs": [*_identity(far), ("IFLA_NET_NS_FD", far_namespace)]}
    info = [("IFLA_INFO_KIND", "veth"), ("IFLA_INFO_DATA", {"attrs": [("VETH_INFO_PEER", peer)]})]
    body = encoded(ifinfmsg, {"index": near.index}, [*_identity(near), ("IFLA_LINKINFO", {"attrs": info})])
    return Message(f"make the cable {near.name}", "veth", RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)


def up(index: int) -> Message:
    body = encoded(ifinfmsg, {"index": index, "flags": IFF_UP, "change": IFF_UP})
    return Message(f"bring interface {index} up", "", RTM_NEWLINK, 0, body)


def forwarding(index: int) -> Message:
    """Let IPv4 packets that come in here be routed on. A sysctl does the same, but in a container those are read-only."""
    conf = {"attrs": [("IFLA_INET_CONF", {"attrs": [("IPV4_DEVCONF_FORWARDING", 1)]})]}
    body = encoded(_Settings, {"index": index}, [("IFLA_AF_SPEC", {"attrs": [("AF_INET", conf)]})])
    return Message(f"forward packets from interface {index}", "", RTM_NEWLINK, 0, body)


def unplug(index: int) -> Message:
    """Remove a cable, with its other end wherever that is."""
    return Message(f"remove interface {index}", "", RTM_DELLINK, 0, encoded(ifinfmsg, {"index": index}))


def address(owner: str, index: int) -> Message:
    own = ip_address(owner)
    fields = {"family": _FAMILY[own.version], "prefixlen": own.max_prefixlen, "index": index}
    if own.version == _SIX:
        fields["flags"] = _NO_DAD
    body = encoded(ifaddrmsg, fields, [("IFA_ADDRESS", owner), ("IFA_LOCAL", owner)])
    return Message(f"give interface {index} the address {owner}", "", RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, body)


def neighbour(owner: str, mac: bytes, index: int) -> Message:
    """Say once and for all who has an address: one that had to be asked for first could look like a policy."""
    fields = {"family": _FAMILY[ip_address(owner).version], "ifindex": index, "state": NUD_PERMANENT}
    body = encoded(ndmsg, fields, [("NDA_DST", owner), ("NDA_LLADDR", mac.hex(":"))])
    return Message(
        f"name the neighbour {owner} on interface {index}", "", RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, body
    )


def route(destination: str, index: int, gateway: str | None = None) -> Message:
    """Send packets for a network out of an interface, to a gateway or straight to the destination itself."""
    purpose = f"route {destination} to interface {index}"
    if gateway is None:
        return _route(purpose, destination, {"type": rt_type["unicast"], "scope": rt_scope["link"]}, ("RTA_OIF", index))
    fields = {"type": rt_type["unicast"], "scope": rt_scope["universe"], "flags": RTNH_F_ONLINK}
    return _route(purpose, destination, fields, ("RTA_OIF", index), ("RTA_GATEWAY", gateway))


def default_route(index: int, gateway: str) -> Message:
    """Send all packets of a gateway's family to it."""
    return route("::/0" if ip_address(gateway).version == _SIX else "0.0.0.0/0", index, gateway)


def swallow(destination: str) -> Message:
    """Drop packets for a network. The kernel would answer only some of them with `unreachable`: those are limited in rate."""
    fields = {"type": rt_type["blackhole"], "scope": rt_scope["universe"]}
    return _route(f"swallow packets for {destination}", destination, fields)


def _route(purpose: str, destination: str, fields: dict[str, int], *attributes: tuple[str, object]) -> Message:
    network = ip_network(destination)
    fields |= {
        "family": _FAMILY[network.version],
        "dst_len": network.prefixlen,
        "table": _TABLE_MAIN,
        "proto": rt_proto["static"],
    }
    if network.prefixlen:
        attributes = (("RTA_DST", str(network.network_address)), *attributes)
    return Message(purpose, "", RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, encoded(rtmsg, fields, attributes))


def _identity(interface: Interface) -> list[tuple[str, object]]:
    return [("IFLA_IFNAME", interface.name), ("IFLA_ADDRESS", interface.mac.hex(":"))]
