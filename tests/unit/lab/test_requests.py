"""The requests to the kernel, read back by the library that wrote them."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from pyroute2.netlink.nfnetlink.nftsocket import nft_rule_msg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from conformance.lab.netns import links, netlink, nftables
from conformance.model.world import Protocol

ROOT = Path(__file__).parents[3]


def test_an_attribute_that_is_not_known_is_not_left_out_in_silence() -> None:
    with pytest.raises(ValueError, match="ifinfmsg has no IFLA_NAME"):
        netlink.encoded(ifinfmsg, {"index": 1}, [("IFLA_NAME", "eth0")])


def test_a_rule_is_read_back_as_it_was_meant() -> None:
    block = nftables.source(ip_network("10.0.0.0/20"), outside=True)
    conditions = [*block, *nftables.protocol(Protocol.TCP), *nftables.every(3)]
    message = nft_rule_msg(netlink.packed([nftables.rule(4, "c", [*conditions, nftables.jump("d")])]))
    message.decode()
    assert message.get_attr("NFTA_RULE_CHAIN") == "c"
    expressions = message.get_attr("NFTA_RULE_EXPRESSIONS")
    names = [each.get_attr("NFTA_EXPR_NAME") for each in expressions]
    assert names == ["payload", "bitwise", "cmp", "meta", "cmp", "numgen", "cmp", "immediate"]
    data = [each.get_attr("NFTA_EXPR_DATA") for each in expressions]
    assert data[1].get_nested("NFTA_BITWISE_MASK", "NFTA_DATA_VALUE") == bytes([255, 255, 240, 0])
    assert data[2].get_attr("NFTA_CMP_OP") == "NFT_CMP_NEQ"
    assert data[5].get_attr("NFTA_NG_MODULUS") == 3
    verdict = data[7].get_nested("NFTA_IMMEDIATE_DATA", "NFTA_DATA_VERDICT")
    assert (verdict.get_attr("NFTA_VERDICT_CODE"), verdict.get_attr("NFTA_VERDICT_CHAIN")) == ("NFT_JUMP", "d")


def test_a_cable_is_read_back_as_it_was_meant() -> None:
    near, far = (links.Interface(name, index, bytes([2, 0, 0, 0, 0, index])) for name, index in (("n", 7), ("f", 2)))
    message = ifinfmsg(netlink.packed([links.cable(near, far, 99)]))
    message.decode()
    assert (message["index"], message.get_attr("IFLA_IFNAME")) == (7, "n")
    peer = message.get_nested("IFLA_LINKINFO", "IFLA_INFO_DATA", "VETH_INFO_PEER")
    assert (peer["index"], peer.get_attr("IFLA_IFNAME"), peer.get_attr("IFLA_NET_NS_FD")) == (2, "f", 99)
    assert peer.get_attr("IFLA_ADDRESS") == "02:00:00:00:00:02"


def test_forwarding_is_one_setting_inside_three_lists() -> None:
    lists = struct.pack("=8HI", 20, 26, 16, socket.AF_INET, 12, 1, 8, 1, 1)  # IFLA_AF_SPEC, AF_INET, IFLA_INET_CONF
    assert links.forwarding(7).body == struct.pack("=BxHiII", 0, 0, 7, 0, 0) + lists


def test_the_library_is_not_imported_before_an_arena_is_opened() -> None:
    code = "import sys; from conformance.lab.netns.target import NetnsTarget as T; T().describe(); T().close()"
    code += "; sys.exit('pyroute2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
