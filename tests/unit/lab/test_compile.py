"""What policies compile to, asked packet by packet: a tiny walk through the compiled gates, with answers written by hand."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from conformance.lab.netns.compile import Forward, Pass, compile_forwards, compile_rules
from conformance.model.default_world import default_world
from conformance.model.policy import (
    Direction,
    IPBlock,
    LabelSelector,
    NetworkPolicy,
    Operator,
    Peer,
    PolicyPort,
    Requirement,
    Rule,
)
from conformance.model.world import Node, Phase, Pod, Protocol, Server, Service, ServicePort, ServiceType, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.lab.netns.compile import Gate

INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS
TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP
ALL = LabelSelector()
EXT = "172.30.0.100"


def world() -> World:
    """Return the default world with addresses 10.244.<node+1>.<n>, n counting from 2 on each node."""
    found = default_world()
    counts = {0: 2, 1: 2}
    for pod in default_world().pods.values():
        found = found.with_pod(replace(pod, addresses=(f"10.244.{pod.node + 1}.{counts[pod.node]}",)))
        counts[pod.node] += 1
    return found


def labels(**wanted: str) -> LabelSelector:
    return LabelSelector(wanted)


def policy(
    namespace: str = "x",
    selector: LabelSelector = ALL,
    *types: Direction,
    ingress: Sequence[Rule] = (),
    egress: Sequence[Rule] = (),
    name: str = "p",
) -> NetworkPolicy:
    return NetworkPolicy(namespace, name, selector, frozenset(types or (INGRESS,)), tuple(ingress), tuple(egress))


def fits(each: Pass, peer: str, port: int, protocol: Protocol) -> bool:
    address = ip_address(peer)
    return (
        (each.within is None or address in each.within)
        and not any(address in network for network in each.without)
        and (each.protocol is None or each.protocol is protocol)
        and (each.ports is None or each.ports[0] <= port <= each.ports[1])
    )


def passes(found: World, policies: Sequence[NetworkPolicy], flow: str) -> bool:
    """Walk `x/a -> y/b:80/TCP` through the source's node and then the destination's, as a packet would."""
    source, _, rest = flow.partition(" -> ")
    destination, _, port = rest.rpartition(":")
    number, _, protocol = port.partition("/")
    family = int(protocol.partition(" over IPv")[2] or 4)
    protocol = protocol.partition(" ")[0]
    here, there = (
        next(each for each in found.pods[ref].addresses if ip_address(each).version == family)
        if ref in found.pods
        else ref
        for ref in (source, destination)
    )
    rules = compile_rules(found, policies)
    for ref, direction, own, peer in ((source, EGRESS, here, there), (destination, INGRESS, there, here)):
        gates: Sequence[Gate] = rules[found.pods[ref].node].gates if ref in found.pods else ()
        for gate in gates:
            if (
                gate.direction is direction
                and gate.address == ip_address(own)
                and not any(fits(each, peer, int(number), Protocol(protocol)) for each in gate.passes)
            ):
                return False
    return True


def passing(policies: Sequence[NetworkPolicy], flows: Sequence[str], found: World | None = None) -> list[str]:
    return [flow for flow in flows if passes(found or world(), policies, flow)]


def test_without_policies_there_is_no_gate() -> None:
    assert all(not rules.gates for rules in compile_rules(world(), ()).values())


def test_a_gate_is_on_the_pods_own_node_only() -> None:
    rules = compile_rules(world(), [policy("x", labels(pod="b"), INGRESS, EGRESS)])
    assert [len(rules[node].gates) for node in (0, 1)] == [0, 2]


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        ({INGRESS}, ["x/a -> y/a:80/TCP", "y/a -> z/a:80/TCP"]),
        ({EGRESS}, ["y/a -> x/a:80/TCP", "y/a -> z/a:80/TCP"]),
        ({INGRESS, EGRESS}, ["y/a -> z/a:80/TCP"]),
        (set(), ["x/a -> y/a:80/TCP", "y/a -> x/a:80/TCP", "x/a -> x/b:80/TCP", "y/a -> z/a:80/TCP"]),
    ],
)
def test_isolation_is_of_a_direction(types: set[Direction], expected: list[str]) -> None:
    deny = NetworkPolicy("x", "deny", ALL, frozenset(types))
    flows = ["x/a -> y/a:80/TCP", "y/a -> x/a:80/TCP", "x/a -> x/b:80/TCP", "y/a -> z/a:80/TCP"]
    assert passing([deny], flows) == expected


def test_rules_of_a_direction_that_policy_types_leave_out_do_nothing() -> None:
    only_egress = policy("x", ALL, EGRESS, ingress=[Rule()])
    assert passing([only_egress], ["x/a -> y/a:80/TCP", "y/a -> x/a:80/TCP"]) == ["y/a -> x/a:80/TCP"]


def test_an_empty_rule_allows_everything_of_every_protocol() -> None:
    flows = [f"y/a -> x/a:{port}" for port in ("80/TCP", "81/UDP", "82/SCTP")] + [f"{EXT} -> x/a:80/TCP"]
    assert passing([policy(ingress=[Rule()])], flows) == flows


def test_policies_add_up_and_none_takes_away() -> None:
    deny = policy(name="deny")
    from_y = policy(name="y", ingress=[Rule((Peer(namespace_selector=labels(ns="y")),))])
    from_z = policy(name="z", ingress=[Rule((Peer(namespace_selector=labels(ns="z")),))])
    flows = ["y/a -> x/a:80/TCP", "z/a -> x/a:80/TCP", "x/b -> x/a:80/TCP"]
    for order in ([deny, from_y, from_z], [from_z, deny, from_y]):
        assert passing(order, flows) == flows[:2]


SOURCES = [f"{ref} -> x/a:80/TCP" for ref in ("x/b", "x/c", "y/a", "y/b", "z/a", "z/b")] + [f"{EXT} -> x/a:80/TCP"]


@pytest.mark.parametrize(
    ("peers", "expected"),
    [
        ([Peer(pod_selector=ALL)], ["x/b", "x/c"]),
        ([Peer(namespace_selector=ALL)], ["x/b", "x/c", "y/a", "y/b", "z/a", "z/b"]),
        ([Peer(pod_selector=labels(pod="b"), namespace_selector=ALL)], ["x/b", "y/b", "z/b"]),
        ([Peer(pod_selector=labels(pod="b")), Peer(namespace_selector=labels(ns="z"))], ["x/b", "z/a", "z/b"]),
        ([Peer(namespace_selector=LabelSelector({"kubernetes.io/metadata.name": "y"}))], ["y/a", "y/b"]),
        ([Peer(namespace_selector=labels(team="blue"))], ["y/a", "y/b"]),
        ([Peer(pod_selector=labels(team="blue"))], ["x/b"]),
        ([Peer()], []),
    ],
)
def test_peers(peers: list[Peer], expected: list[str]) -> None:
    allowed = passing([policy(ingress=[Rule(tuple(peers))])], SOURCES)
    assert allowed == [f"{ref} -> x/a:80/TCP" for ref in expected]


@pytest.mark.parametrize(
    ("requirement", "expected"),
    [
        (Requirement("team", Operator.IN, ("red", "blue")), ["y/a", "y/b"]),
        (Requirement("team", Operator.NOT_IN, ("red",)), ["y/a", "y/b", "z/a", "z/b"]),
        (Requirement("team", Operator.EXISTS), ["y/a", "y/b"]),
        (Requirement("team", Operator.DOES_NOT_EXIST), ["z/a", "z/b"]),
    ],
)
def test_expressions(requirement: Requirement, expected: list[str]) -> None:
    selector = LabelSelector({}, (requirement, Requirement("ns", Operator.NOT_IN, ("x",))))
    allowed = passing([policy(ingress=[Rule((Peer(namespace_selector=selector),))])], SOURCES)
    assert allowed == [f"{ref} -> x/a:80/TCP" for ref in expected]


def test_an_except_takes_from_its_own_block_only() -> None:
    block = Peer(ip_block=IPBlock("10.244.0.0/16", ("10.244.2.0/24",)))
    first = policy(name="block", ingress=[Rule((block,))])
    flows = ["x/b -> x/a:80/TCP", "y/b -> x/a:80/TCP", f"{EXT} -> x/a:80/TCP"]  # nodes 1 and 0, and outside
    assert passing([first], flows) == flows[1:2]
    again = policy(name="again", ingress=[Rule((Peer(pod_selector=ALL),))])
    assert passing([first, again], flows) == flows[:2]
    assert passing([policy(ingress=[Rule((block, Peer(pod_selector=ALL)))])], flows) == flows[:2]


def test_a_block_of_another_family_matches_nothing() -> None:
    everything = policy(ingress=[Rule((Peer(ip_block=IPBlock("::/0")),))])
    assert passing([everything], SOURCES) == []


def dual() -> World:
    """Return the world as above, each pod with an IPv6 address too: with 10.244.1.2 goes fd00:10:244:1::2."""
    found = world()
    for pod in world().pods.values():
        *network, host = pod.addresses[0].split(".")
        found = found.with_pod(replace(pod, addresses=(*pod.addresses, f"fd00:{':'.join(network)}::{host}")))
    return found


def test_each_family_has_a_gate_that_lets_its_own_pass() -> None:
    flows = [f"{ref} -> x/a:80/TCP over {over}" for ref in ("x/b", "y/a", "y/b") for over in ("IPv4", "IPv6")]
    six = policy(
        ingress=[Rule((Peer(ip_block=IPBlock("::/0", ("fd00:10:244:2::/64",))),))]
    )  # x/b and y/a are on node 1
    assert passing([six], flows, dual()) == [flows[5]]
    four = policy(ingress=[Rule((Peer(ip_block=IPBlock("10.244.2.0/24")),))])
    assert passing([four], flows, dual()) == [flows[0], flows[2]]
    labelled = policy(ingress=[Rule((Peer(pod_selector=ALL),))])
    assert passing([labelled], flows, dual()) == flows[:2]
    assert passing([six, four, labelled], flows, dual()) == [flows[0], flows[1], flows[2], flows[5]]
    assert passing([policy()], flows, dual()) == []


def test_a_name_in_egress_is_a_number_over_each_family_that_the_peer_has() -> None:
    ports = (PolicyPort(TCP, "http"),)
    flows = [
        f"x/a -> {ref}:{port}/TCP over {over}"
        for ref in ("y/a", "y/b")
        for port in (80, 81)
        for over in ("IPv4", "IPv6")
    ]
    six = policy("x", labels(pod="a"), EGRESS, egress=[Rule((Peer(ip_block=IPBlock("::/0")),), ports)])
    assert passing([six], flows, dual()) == [flows[1], flows[7]]
    any_ = policy("x", labels(pod="a"), EGRESS, egress=[Rule((), ports)])
    assert passing([any_], flows, dual()) == [flows[0], flows[1], flows[6], flows[7]]


def test_a_service_is_forwarded_within_a_family() -> None:
    web = Service("x", "web", {"pod": "a"}, (ServicePort(8080, 80),), ("10.96.0.10", "fd00:10:96::10"))
    a = [ip_address(each) for each in dual().pods["x/a"].addresses]
    forwards = compile_forwards(dual().with_service(web), Node())
    assert [(str(each.address), each.backends) for each in forwards] == [
        ("10.96.0.10", ((a[0], 80),)),
        ("fd00:10:96::10", ((a[1], 80),)),
    ]


def test_a_block_need_not_name_its_first_address() -> None:
    block = Peer(ip_block=IPBlock("172.30.0.99/24", ("172.30.0.7/30",)))
    flows = [f"{EXT} -> x/a:80/TCP", "172.30.0.5 -> x/a:80/TCP"]
    assert passing([policy(ingress=[Rule((block,))])], flows) == flows[:1]


PORTS = [f"y/a -> x/a:{port}" for port in ("80/TCP", "81/TCP", "82/TCP", "83/TCP", "80/UDP", "80/SCTP")]


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([PolicyPort(TCP, 80)], ["80/TCP"]),
        ([PolicyPort(UDP, 80)], ["80/UDP"]),
        ([PolicyPort(SCTP, 80)], ["80/SCTP"]),
        ([PolicyPort(TCP)], ["80/TCP", "81/TCP", "82/TCP", "83/TCP"]),
        ([PolicyPort(TCP, 81, 82)], ["81/TCP", "82/TCP"]),
        ([PolicyPort(TCP, 83), PolicyPort(UDP)], ["83/TCP", "80/UDP"]),
        ([PolicyPort(TCP, "http")], ["80/TCP"]),
        ([PolicyPort(UDP, "http")], []),
        ([PolicyPort(UDP, "dns")], ["80/UDP"]),
        ([PolicyPort(TCP, "nothing")], []),
    ],
)
def test_ports(ports: list[PolicyPort], expected: list[str]) -> None:
    allowed = passing([policy(ingress=[Rule((), tuple(ports))])], PORTS)
    assert allowed == [f"y/a -> x/a:{port}" for port in expected]


def test_a_peer_and_a_port_must_both_match_within_one_rule() -> None:
    rules = [
        Rule((Peer(namespace_selector=labels(ns="y")),), (PolicyPort(TCP, 80),)),
        Rule((Peer(namespace_selector=labels(ns="z")),), (PolicyPort(TCP, 81),)),
    ]
    flows = [f"{ns}/a -> x/a:{port}/TCP" for ns in "yz" for port in (80, 81)]
    assert passing([policy(ingress=rules)], flows) == ["y/a -> x/a:80/TCP", "z/a -> x/a:81/TCP"]


@pytest.mark.parametrize("peers", [(), (Peer(namespace_selector=ALL),), (Peer(ip_block=IPBlock("0.0.0.0/0")),)])
def test_a_name_in_egress_is_a_number_of_each_destination(peers: tuple[Peer, ...]) -> None:
    egress = policy("x", labels(pod="a"), EGRESS, egress=[Rule(peers, (PolicyPort(TCP, "http"),))])
    flows = [f"x/a -> {ref}:{port}/TCP" for ref in ("y/a", "y/b", "y/c", EXT) for port in (80, 81)]
    assert passing([egress], flows) == ["x/a -> y/a:80/TCP", "x/a -> y/b:81/TCP"]


def test_a_name_in_egress_respects_excepts() -> None:
    peer = Peer(ip_block=IPBlock("10.244.0.0/16", (f"{world().pods['y/a'].addresses[0]}/32",)))
    egress = policy("x", labels(pod="a"), EGRESS, egress=[Rule((peer,), (PolicyPort(TCP, "http"),))])
    flows = ["x/a -> y/a:80/TCP", "x/a -> z/a:80/TCP"]
    assert passing([egress], flows) == flows[1:]


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED, Phase.PENDING])
def test_a_pod_that_does_not_run_is_no_peer_and_has_no_gate(phase: Phase) -> None:
    found = world()
    found = found.with_pod(replace(found.pods["y/a"], phase=phase))
    stale = found.pods["y/a"].addresses[0]
    everyone = policy(ingress=[Rule((Peer(namespace_selector=ALL),))])
    flows = [f"{stale} -> x/a:80/TCP", "y/b -> x/a:80/TCP"]
    assert passing([everyone], flows, found) == flows[1:]
    gates = compile_rules(found, [policy("y")])
    assert ip_address(stale) not in {gate.address for rules in gates.values() for gate in rules.gates}


def test_a_service_is_forwarded_to_running_backends_by_number_or_by_name() -> None:
    ports = (ServicePort(8080, "http"), ServicePort(53, 80, UDP), ServicePort(9000, "nothing"))
    found = world().with_service(Service("x", "web", {"pod": "a"}, ports, ("10.96.0.10",)))
    found = found.with_pod(Pod("x", "a2", {"pod": "a"}, (Server(90, TCP, "http"),), 1, addresses=("10.244.2.99",)))
    found = found.with_pod(Pod("x", "a3", {"pod": "a"}, (Server(91, TCP, "http"),), phase=Phase.FAILED))
    a, a2 = (ip_address(found.pods[ref].addresses[0]) for ref in ("x/a", "x/a2"))
    forwards = compile_forwards(found, Node())
    assert {(each.port, each.protocol): each.backends for each in forwards} == {
        (8080, TCP): ((a, 80), (a2, 90)),
        (53, UDP): ((a, 80), (a2, 80)),
    }
    assert {each.address for each in forwards} == {ip_address("10.96.0.10")}


def test_a_node_port_is_forwarded_by_each_node_for_its_own_address_with_its_own_source() -> None:
    service = Service(
        "x", "web", {"pod": "a"}, (ServicePort(8080, 80),), ("10.96.0.10",), ServiceType.NODE_PORT, {(8080, TCP): 30080}
    )
    found = replace(world().with_service(service), nodes=(Node(("172.30.0.2",)), Node(("172.30.0.3",))))
    backends = ((ip_address(found.pods["x/a"].addresses[0]), 80),)
    for node, own in enumerate(("172.30.0.2", "172.30.0.3")):
        assert compile_rules(found, ())[node].forwards == (
            Forward(ip_address("10.96.0.10"), 8080, TCP, backends),
            Forward(ip_address(own), 30080, TCP, backends, masquerade=True),
        )


def test_a_node_port_without_backends_is_left_out() -> None:
    service = Service(
        "x", "web", {"pod": "q"}, (ServicePort(8080, 80),), ("10.96.0.10",), ServiceType.NODE_PORT, {(8080, TCP): 30080}
    )
    assert compile_forwards(world().with_service(service), Node(("172.30.0.2",))) == ()


def test_the_same_pass_is_compiled_once() -> None:
    twice = policy(ingress=[Rule((Peer(pod_selector=ALL), Peer(namespace_selector=labels(ns="x"))))])
    rules = compile_rules(world(), [twice])
    assert [len(gate.passes) for node in (0, 1) for gate in rules[node].gates] == [3, 3, 3]


def test_an_address_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="nonsense"):
        compile_rules(world(), [policy(ingress=[Rule((Peer(ip_block=IPBlock("nonsense")),))])])
