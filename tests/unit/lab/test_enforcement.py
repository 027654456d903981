"""The requests by which a node gets from one set of rules to another."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network

from conformance.lab.netns import netlink
from conformance.lab.netns.compile import Forward, Gate, NodeRules, Pass
from conformance.lab.netns.enforcement import difference
from conformance.model.policy import Direction
from conformance.model.world import Protocol

ONE, TWO = ip_address("10.244.1.2"), ip_address("10.244.1.3")
CLOSED = Gate(ONE, Direction.INGRESS, ())
OPEN = Gate(ONE, Direction.INGRESS, (Pass(ip_network("10.244.0.0/16"), (), Protocol.TCP, (80, 90)),))
OTHER = Gate(TWO, Direction.EGRESS, ())


def purposes(old: NodeRules, new: NodeRules) -> list[str]:
    return [message.purpose for message in difference(old, new)]


def test_what_is_the_same_is_left_alone() -> None:
    rules = NodeRules((CLOSED, OTHER), (Forward(ONE, 80, Protocol.TCP, ((TWO, 80),)),))
    assert difference(rules, rules) == []
    assert difference(rules, NodeRules(tuple(reversed(rules.gates)), rules.forwards)) == []


def test_a_new_gate_is_complete_before_packets_are_sent_to_it() -> None:
    assert purposes(NodeRules((OTHER,)), NodeRules((OTHER, CLOSED))) == [
        "make the chain ingress-10.244.1.2",
        "add a rule to the chain ingress-10.244.1.2",
        "empty the chain ingress",
        "add a rule to the chain ingress",
    ]


def test_a_gate_that_changes_is_changed_alone() -> None:
    assert purposes(NodeRules((CLOSED, OTHER)), NodeRules((OPEN, OTHER))) == [
        "empty the chain ingress-10.244.1.2",
        "add a rule to the chain ingress-10.244.1.2",
        "add a rule to the chain ingress-10.244.1.2",
    ]


def test_a_gate_goes_after_the_jump_to_it() -> None:
    assert purposes(NodeRules((CLOSED,)), NodeRules()) == [
        "empty the chain ingress",
        "delete the chain ingress-10.244.1.2",
    ]


def test_only_what_comes_by_a_node_port_is_masqueraded() -> None:
    service = Forward(ONE, 80, Protocol.TCP, ((TWO, 80),))
    assert purposes(NodeRules(), NodeRules((), (service,))) == [
        "empty the chain services",
        "add a rule to the chain services",
        "empty the chain sources",
    ]
    node = ip_address("172.30.0.2")
    by_node_port = tuple(Forward(node, port, Protocol.TCP, ((TWO, 80),), masquerade=True) for port in (30080, 30081))
    assert purposes(NodeRules(), NodeRules((), (service, *by_node_port))) == [
        "empty the chain services",
        *["add a rule to the chain services"] * 3,
        "empty the chain sources",
        "add a rule to the chain sources",
    ]


def test_each_family_has_a_table_of_its_own() -> None:
    six = Gate(ip_address("fd00::2"), Direction.INGRESS, (Pass(), Pass(ip_network("fd00::/64"))))
    four = difference(NodeRules(), NodeRules((OPEN,)))
    assert difference(NodeRules((six,)), NodeRules((six, OPEN))) == four
    alone = difference(NodeRules(), NodeRules((six,), (Forward(six.address, 80, Protocol.TCP, ((six.address, 81),)),)))
    assert {message.body[0] for message in four} == {socket.AF_INET}  # the family that a request is about comes first
    assert {message.body[0] for message in alone} == {socket.AF_INET6}
    assert purposes(NodeRules(), NodeRules((six,)))[0] == "make the chain ingress-fd00::2"


def test_datagrams_keep_order_and_limit() -> None:
    gates = tuple(Gate(ip_address(f"10.244.1.{n}"), Direction.INGRESS, OPEN.passes) for n in range(2, 60))
    messages = difference(NodeRules(), NodeRules(gates))
    parts = list(netlink.in_datagrams(messages, 2000))
    assert [message for part in parts for message in part] == messages
    assert len(parts) > 10
    assert all(len(netlink.packed(part)) <= 2000 for part in parts)
    assert list(netlink.in_datagrams(messages, 1)) == [[message] for message in messages]
    assert list(netlink.in_datagrams([], 1)) == []
