"""What an arena learns from the API server's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.cluster.arena import KubernetesArena
from conformance.cluster.client import Api
from conformance.cluster.manifests import Setting
from conformance.cluster.naming import Names
from conformance.cluster.options import KubernetesOptions
from conformance.model.world import Namespace, Node, Protocol, Service, ServicePort, ServiceType

if TYPE_CHECKING:
    from conftest import FakeServer

TCP, UDP = Protocol.TCP, Protocol.UDP
PORTS = (ServicePort(8080, 80), ServicePort(53, 80, UDP))
GIVEN = [{"port": 8080, "nodePort": 31234}, {"port": 53, "protocol": "UDP", "nodePort": 30053}]


@pytest.mark.parametrize(
    ("kind", "answered", "node_ports"),
    [
        (ServiceType.NODE_PORT, GIVEN, {(8080, TCP): 31234, (53, UDP): 30053}),
        (ServiceType.CLUSTER_IP, [{"port": 8080, "protocol": "TCP"}, {"port": 53, "protocol": "UDP"}], {}),
    ],
)
def test_the_addresses_and_node_ports_of_a_service_are_read_back(
    kind: ServiceType, answered: object, node_ports: object, server: FakeServer, kubeconfig: str
) -> None:
    setting = Setting(Names("abc123", "main-1"), "image", ("worker-1",), "agent")
    nodes = (Node(("172.18.0.2",)),)
    arena = KubernetesArena(Api("test", kubeconfig), KubernetesOptions("test", kubeconfig), setting, "", nodes)
    path = f"/api/v1/namespaces/{setting.names.namespace('x')}/services"
    server.answer(f"POST {path}", 201, {"spec": {"clusterIP": "10.96.0.7", "ports": answered}})
    arena.create_service(Service("x", "web", {"app": "web"}, PORTS, type=kind))
    made = arena.world.services["web.x.svc"]
    assert (made.addresses, made.node_ports, arena.world.nodes) == (("10.96.0.7",), node_ports, nodes)
    (body,) = [each for request, _, each in server.asked if request.startswith("POST")]
    assert body["spec"]["type"] == str(kind)


def test_only_a_namespace_of_the_same_name_waits_for_one_that_was_discarded(
    server: FakeServer, kubeconfig: str
) -> None:
    setting = Setting(Names("abc123", "main-1"), "image", ("worker-1",), "agent")
    arena = KubernetesArena(Api("test", kubeconfig), KubernetesOptions("test", kubeconfig), setting, "", ())
    path = f"/api/v1/namespaces/{setting.names.namespace('w')}"
    for name in ("w", "v"):
        server.answer("POST /api/v1/namespaces", 201, {"metadata": {"uid": f"uid-{name}"}})
        server.answer(f"POST /api/v1/namespaces/{setting.names.namespace(name)}/configmaps", 201, {})
    server.answer(f"DELETE {path}", 200, {})
    server.answer(f"DELETE {path}/pods", 200, {})
    server.answer(f"GET {path}", 200, {"metadata": {"uid": "uid-w"}})
    server.answer(f"GET {path}", 404, {})
    arena.create_namespace(Namespace("w"))
    arena.discard([], ["w"])
    assert "w" not in arena.world.namespaces
    arena.create_namespace(Namespace("v"))
    assert not [request for request, *_ in server.asked if request.startswith("GET")]
    arena.create_namespace(Namespace("w"))
    assert [request for request, *_ in server.asked if request.startswith("GET")] == [f"GET {path}"] * 2
    assert arena.world.namespaces.keys() == {"v", "w"}
