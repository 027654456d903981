"""Which connections a reading tries, and how a connection is written."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.model.address import with_sample_addresses
from conformance.model.default_world import default_world
from conformance.model.flow import DEFAULT_PROBE, Flow, flows, reached_at
from conformance.model.world import (
    IPFamily,
    Node,
    Phase,
    Pod,
    Protocol,
    Service,
    ServicePort,
    ServiceType,
    World,
    target_port,
)

TCP, UDP = Protocol.TCP, Protocol.UDP


@pytest.mark.parametrize(
    "text",
    [
        "x/a -> y/b:80/TCP",
        "x/a -> y/b:80/TCP over IPv6",
        "x/a -> web.y.svc:80/UDP over IPv4",
        "ext -> x/a:65535/UDP",
        "x/a -> web.y.svc:8080/SCTP",
    ],
)
def test_a_flow_is_read_back_from_its_text(text: str) -> None:
    assert str(Flow.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x/a",
        "x/a -> y/b",
        "x/a -> y/b:80",
        "x/a->y/b:80/TCP",
        "x/a -> y/b:http/TCP",
        "x/a -> y/b:80/tcp",
        "x/a -> y/b:80/TCP over IPv5",
        "x/a -> y/b:80/TCP over ",
    ],
)
def test_what_is_no_flow(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Flow.parse(text)


def test_every_pod_tries_every_other_on_every_probed_port() -> None:
    tried = flows(default_world(), DEFAULT_PROBE, external=False)
    assert len(tried) == len(set(tried)) == 9 * 8 * 4
    assert not any(flow.source == flow.destination for flow in tried)
    assert {(flow.port, flow.protocol) for flow in tried} == {(80, TCP), (81, TCP), (80, UDP), (81, UDP)}


def test_outside_endpoints_are_tried_only_where_asked_for_and_never_by_each_other() -> None:
    world = default_world()
    world = world.with_endpoint(replace(world.endpoints["ext"], name="out"))
    tried = flows(world, [(80, TCP)], external=True)
    outside = {str(flow) for flow in tried if {flow.source, flow.destination} & {"ext", "out"}}
    assert len(outside) == 2 * 9 * 2
    assert "ext -> out:80/TCP" not in outside
    assert not any("ext" in str(flow) for flow in flows(world, [(80, TCP)], external=False))


def test_ports_that_nobody_serves_are_not_tried() -> None:
    assert flows(default_world(), [(9, TCP), (78, Protocol.SCTP)], external=True) == ()


def test_each_family_is_tried_where_both_ends_have_an_address_of_it() -> None:
    world = with_sample_addresses(default_world(), tuple(IPFamily))
    both = flows(world, DEFAULT_PROBE, external=True, families=tuple(IPFamily))
    once = flows(world, DEFAULT_PROBE, external=True)
    assert len(both) == len(set(both)) == 2 * len(once)
    assert {replace(flow, family=None) for flow in both} == set(once)
    assert {flow.family for flow in flows(world, DEFAULT_PROBE, external=True, families=[IPFamily.IPV6])} == {
        IPFamily.IPV6
    }
    world = world.with_pod(replace(world.pods["x/a"], addresses=("10.0.0.1",)))
    world = world.with_endpoint(replace(world.endpoints["ext"], addresses=()))
    web = Service("x", "web", {"app": "web"}, (ServicePort(80, 80),), addresses=("10.96.0.1",))
    left = flows(world.with_service(web), [(80, TCP)], external=True, families=tuple(IPFamily))
    assert {flow.family for flow in left if "x/a" in {flow.source, flow.destination}} == {IPFamily.IPV4}
    assert {flow.family for flow in left if flow.destination == "web.x.svc"} == {IPFamily.IPV4}
    assert not any("ext" in {flow.source, flow.destination} for flow in left)
    assert len([flow for flow in left if flow.family is IPFamily.IPV6]) == 8 * 7


@pytest.mark.parametrize("phase", [Phase.PENDING, Phase.SUCCEEDED, Phase.FAILED])
def test_pods_that_do_not_run_are_not_tried(phase: Phase) -> None:
    world = default_world()
    world = world.with_pod(replace(world.pods["x/a"], phase=phase))
    assert not any("x/a" in (flow.source, flow.destination) for flow in flows(world, DEFAULT_PROBE, external=True))


def test_a_service_is_tried_on_all_of_its_ports_by_all_but_its_backends_and_what_is_outside() -> None:
    ports = (ServicePort(8080, 80), ServicePort(53, "dns", UDP))
    world = default_world().with_service(Service("x", "web", {"app": "web"}, ports))
    tried = [flow for flow in flows(world, [(80, TCP)], external=True) if flow.destination == "web.x.svc"]
    assert {flow.source for flow in tried} == set(world.pods) - {"x/a"}
    assert {(flow.port, flow.protocol) for flow in tried} == {(8080, TCP), (53, UDP)}


WEB = Service(
    "x", "web", {"app": "web"}, (ServicePort(8080, 80), ServicePort(53, "dns", UDP)), type=ServiceType.NODE_PORT
)


def with_web(*nodes: Node, **changes: Pod) -> World:
    """Return the default world with a NodePort Service of x/a, which is on the first worker, and with nodes of a test's own."""
    world = default_world().with_service(WEB)
    for pod in changes.values():
        world = world.with_pod(pod)
    return replace(world, nodes=nodes or world.nodes)


def test_a_node_port_is_tried_from_outside_and_pods_keep_to_the_address() -> None:
    world = with_web()
    tried = [flow for flow in flows(world, [(80, TCP)], external=True) if flow.destination == "web.x.svc"]
    assert {flow.source for flow in tried} == {*world.pods, "ext"} - {"x/a"}
    assert len(tried) == 9 * 2
    assert not any(flow.source == "ext" for flow in flows(world, [(80, TCP)], external=False))


FIRST, SECOND, CONTROL = Node(("172.30.0.2",)), Node(("172.30.0.3",)), Node(("172.30.0.4",), worker=False)
BESIDE, ACROSS = (Pod("x", "d", {"app": "web"}, node=node) for node in (2, 1))


@pytest.mark.parametrize(
    ("world", "entrance"),
    [
        pytest.param(with_web(FIRST, SECOND), SECOND, id="a worker without backends"),
        pytest.param(with_web(FIRST, SECOND, CONTROL), SECOND, id="rather a worker than another node"),
        pytest.param(
            with_web(FIRST, SECOND, CONTROL, d=ACROSS), CONTROL, id="another node, where every worker has a backend"
        ),
        pytest.param(
            with_web(FIRST, SECOND, d=BESIDE),
            SECOND,
            id="two backends on one worker, by a number that is counted round",
        ),
        pytest.param(with_web(FIRST, SECOND, d=ACROSS), None, id="every node has a backend"),
        pytest.param(with_web(FIRST), None, id="one node"),
        pytest.param(with_web(FIRST, CONTROL), CONTROL, id="one worker"),
    ],
)
def test_a_node_port_is_tried_on_a_node_without_backends(world: World, entrance: Node | None) -> None:
    assert world.entrance(WEB) == entrance
    tried = [flow for flow in flows(world, [(80, TCP)], external=True) if flow.destination == "web.x.svc"]
    assert any(flow.source == "ext" for flow in tried) is (entrance is not None)


def test_another_type_has_no_entrance() -> None:
    assert with_web().entrance(replace(WEB, type=ServiceType.CLUSTER_IP)) is None


def test_where_a_flow_goes() -> None:
    world = with_sample_addresses(with_web(FIRST, SECOND))
    web, pod = world.services["web.x.svc"], world.pods["x/a"]
    assert reached_at(Flow("y/a", "x/a", 80, TCP), world) == (pod.addresses[0], 80)
    assert reached_at(Flow("ext", "x/a", 80, TCP), world) == (pod.addresses[0], 80)
    assert reached_at(Flow("y/a", "web.x.svc", 8080, TCP), world) == (web.addresses[0], 8080)
    assert reached_at(Flow("ext", "web.x.svc", 8080, TCP), world) == ("172.30.0.3", web.node_ports[8080, TCP])
    assert reached_at(Flow("ext", "web.x.svc", 53, UDP), world) == ("172.30.0.3", web.node_ports[53, UDP])


def test_where_a_flow_goes_is_not_known_without_addresses() -> None:
    unknown = [("y/a", "x/a"), ("y/a", "web.x.svc"), ("ext", "web.x.svc"), ("y/a", "ext"), ("y/a", "x/nobody")]
    assert [reached_at(Flow(*each, 8080, TCP), with_web()) for each in unknown] == [None] * 5


def test_a_service_without_a_selector_has_no_backends() -> None:
    world = default_world()
    assert world.backends(Service("x", "web", {}, (ServicePort(80, 80),))) == ()


def test_a_target_port_by_name_has_a_protocol() -> None:
    pod = default_world().pods["x/a"]
    assert target_port(ServicePort(53, "dns", UDP), pod) == 80
    assert target_port(ServicePort(53, "dns", TCP), pod) is None
    assert target_port(ServicePort(53, 5353), pod) == 5353
