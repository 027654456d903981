"""`$(x/a)` in an ipBlock: the address of that pod or endpoint, filled in when the policy is applied."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.model import address
from conformance.model.default_world import default_world
from conformance.model.policy import IPBlock, LabelSelector, NetworkPolicy, Peer, Rule
from conformance.model.world import IPFamily, Protocol, Service, ServicePort, ServiceType, family_of

WORLD = address.with_sample_addresses(default_world())
BOTH = address.with_sample_addresses(default_world(), tuple(IPFamily))
SIX = WORLD.with_pod(replace(WORLD.pods["x/a"], addresses=("fd00::5", "10.0.0.5")))


@pytest.mark.parametrize(
    ("text", "world", "filled"),
    [
        ("$(x/a)", WORLD, "10.244.1.1/32"),
        ("$(x/a)/16", WORLD, "10.244.0.0/16"),
        ("$(x/a)/0", WORLD, "0.0.0.0/0"),
        ("$(x/b)", WORLD, "10.244.2.1/32"),
        ("$(ext)", WORLD, "172.30.0.129/32"),
        ("$(x/a)", SIX, "fd00::5/128"),
        ("$(x/a)/0", SIX, "::/0"),
        ("$(x/a)/16", SIX, "fd00::/16"),
        ("$(x/a over IPv4)", SIX, "10.0.0.5/32"),
        ("$(x/a over IPv6)", SIX, "fd00::5/128"),
        ("$(x/a over IPv6)/64", BOTH, "fd00:10:244:1::/64"),
        ("$(x/b over IPv6)", BOTH, "fd00:10:244:2::1/128"),
        ("$(x/b over IPv4)/16", BOTH, "10.244.0.0/16"),
        ("$(ext over IPv6)/0", BOTH, "::/0"),
        ("$(x/a over IPv5)", BOTH, "$(x/a over IPv5)"),
        ("10.0.0.0/8", WORLD, "10.0.0.0/8"),
        ("$(x/a)x", WORLD, "$(x/a)x"),
        ("$(x/a)\n", WORLD, "$(x/a)\n"),
    ],
)
def test_an_address_is_filled_in(text: str, world: object, filled: str) -> None:
    assert address.resolve(text, world) == filled  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "world"), [("$(x/q)", WORLD), ("$(x/a over IPv6)", WORLD), ("$(x/a)", default_world())]
)
def test_nobodys_address_is_a_key_error(text: str, world: object) -> None:
    with pytest.raises(KeyError, match="x/"):
        address.resolve(text, world)  # type: ignore[arg-type]


def test_rules_and_manifest_are_filled_in_alike() -> None:
    manifest = {"spec": {"egress": [{"to": [{"ipBlock": {"cidr": "$(x/a)/16", "except": ["$(x/b)"]}}]}], "n": 5}}
    rule = Rule((Peer(ip_block=IPBlock("$(x/a)/16", ("$(x/b)",))), Peer(pod_selector=LabelSelector())))
    policy = NetworkPolicy("x", "p", LabelSelector(), frozenset(), ingress=(rule,), egress=(rule,), manifest=manifest)
    assert address.refs(policy) == {("x/a", None), ("x/b", None)}
    filled = address.fill_in(policy, WORLD)
    block = IPBlock("10.244.0.0/16", ("10.244.2.1/32",))
    assert [peer.ip_block for peer in (*filled.ingress[0].peers, *filled.egress[0].peers)] == [block, None, block, None]
    assert filled.manifest == {
        "spec": {"egress": [{"to": [{"ipBlock": {"cidr": "10.244.0.0/16", "except": ["10.244.2.1/32"]}}]}], "n": 5}
    }
    assert policy.manifest is manifest
    assert not address.refs(filled)


def test_whose_addresses_of_which_families_a_policy_names() -> None:
    rule = Rule(
        (Peer(ip_block=IPBlock("$(x/a over IPv6)/64", ("$(x/a over IPv6)",))), Peer(ip_block=IPBlock("$(ext)")))
    )
    policy = NetworkPolicy("x", "p", LabelSelector(), frozenset(), egress=(rule,))
    assert address.refs(policy) == {("x/a", IPFamily.IPV6), ("ext", None)}


def test_sample_addresses_are_unique_and_stay() -> None:
    owners = (*WORLD.pods.values(), *WORLD.endpoints.values(), *WORLD.nodes)
    given = [each.addresses[0] for each in owners]
    assert len(set(given)) == len(given)
    dual = (*BOTH.pods.values(), *BOTH.endpoints.values(), *BOTH.nodes)
    six = [each.addresses[1] for each in dual]
    assert len(set(six)) == len(six)
    assert [each.addresses[0] for each in dual] == given
    assert all(family_of(each) is IPFamily.IPV6 for each in six)
    assert address.with_sample_addresses(WORLD) == WORLD
    assert address.with_sample_addresses(SIX).pods["x/a"].addresses == ("fd00::5", "10.0.0.5")


def test_sample_node_ports_are_unique_and_only_of_services_of_that_type() -> None:
    ports = (ServicePort(80, 80), ServicePort(80, 80, Protocol.UDP))
    world = WORLD
    for name, kind in (
        ("one", ServiceType.NODE_PORT),
        ("two", ServiceType.NODE_PORT),
        ("three", ServiceType.CLUSTER_IP),
    ):
        world = address.with_sample_addresses(world.with_service(Service("x", name, {"app": "web"}, ports, type=kind)))
    given = [number for each in world.services.values() for number in each.node_ports.values()]
    assert len(given) == len(set(given)) == 4
    assert set(given) <= set(range(30000, 32768))
    assert not world.services["three.x.svc"].node_ports


def test_a_replaced_pod_may_get_another_address_but_never_one_in_use() -> None:
    empty = WORLD.with_pod(replace(WORLD.pods["x/a"], addresses=()))
    again = address.with_sample_addresses(empty).pods["x/a"].addresses[0]
    assert again not in {pod.addresses[0] for ref, pod in WORLD.pods.items() if ref != "x/a"}
