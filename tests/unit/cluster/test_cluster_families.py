"""What an arena makes of the families of addresses that a cluster gave to its pods and Services."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.cluster.arena import KubernetesArena
from conformance.cluster.client import Api
from conformance.cluster.manifests import Setting
from conformance.cluster.naming import Names
from conformance.cluster.options import KubernetesOptions
from conformance.model.flow import Flow
from conformance.model.world import Namespace, Pod, Service, ServicePort, World

if TYPE_CHECKING:
    from conftest import FakeServer

FOUR, SIX = "10.244.1.2", "fd00:10:244:1::2"
SERVICES = "/api/v1/namespaces/netpol-abc123-main-1-x/services"


@pytest.fixture
def arena(kubeconfig: str) -> KubernetesArena:
    options = KubernetesOptions("test", kubeconfig, "image:1", "abc123", external_command=("true",), disruptive=True)
    setting = Setting(Names("abc123", "main-1"), "image:1", ("worker-1",), "the agent's text")
    return KubernetesArena(Api("test", kubeconfig, options.timeouts), options, setting, "", ())


def world(*addresses: tuple[str, ...]) -> World:
    pods = [Pod("x", f"p{number}", addresses=each) for number, each in enumerate(addresses)]
    return World({"x": Namespace("x")}, {pod.ref: pod for pod in pods})


@pytest.mark.parametrize(
    ("addresses", "lacking"),
    [
        ([(FOUR,), (FOUR,)], {"ipv6", "dual-stack"}),
        ([(SIX,), (SIX,)], {"dual-stack"}),
        ([(FOUR, SIX), (SIX, FOUR)], set()),
        ([(FOUR, SIX), (FOUR,)], {"ipv6", "dual-stack"}),
        ([(FOUR, SIX), (SIX,)], {"dual-stack"}),
    ],
)
def test_a_family_that_a_pod_lacks_cannot_be_shown(
    addresses: list[tuple[str, ...]], lacking: set[str], arena: KubernetesArena
) -> None:
    arena._world = world(*addresses)
    assert arena.unsupported.keys() == lacking
    assert all("gives its pods no IPv" in reason for reason in arena.unsupported.values())


def test_a_service_has_all_the_addresses_that_the_cluster_gives_it(server: FakeServer, arena: KubernetesArena) -> None:
    web = Service("x", "web", {"app": "web"}, (ServicePort(80, 80),))
    server.answer(f"POST {SERVICES}", 201, {"spec": {"clusterIPs": ["fd00::5", "10.96.0.5"], "ports": []}})
    arena._world = world()
    arena.create_service(web)
    assert arena.world.services["web.x.svc"].addresses == ("fd00::5", "10.96.0.5")
    ((_, _, body),) = [each for each in server.asked if each[0].startswith("POST")]
    assert body["spec"]["ipFamilyPolicy"] == "PreferDualStack"


@pytest.mark.parametrize(
    ("over", "address", "loopback"),
    [("", FOUR, "127.0.0.1"), (" over IPv4", FOUR, "127.0.0.1"), (" over IPv6", SIX, "::1")],
)
def test_commands_reach_the_address_of_the_flow_s_family(
    over: str, address: str, loopback: str, arena: KubernetesArena
) -> None:
    arena._world = world((), (FOUR, SIX))
    there, alive = arena.commands(Flow.parse(f"x/p0 -> x/p1:80/TCP{over}"), ())
    assert f"s.connect(('{address}',80))" in there
    assert f"s.connect(('{loopback}',80))" in alive
    assert ("AF_INET6" in there) is ("AF_INET6" in alive) is (":" in address)
