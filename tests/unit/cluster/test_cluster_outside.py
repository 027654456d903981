"""What an arena lacks because of its endpoints outside: told as features with reasons, before any policy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.cluster.manifests import Setting
from conformance.cluster.naming import Names
from conformance.cluster.options import ClusterTimeouts, KubernetesOptions
from conformance.cluster.outside import Outside
from conformance.errors import CannotShow
from conformance.model.address import with_sample_addresses
from conformance.model.default_world import default_world
from conformance.model.matrix import Observation, Observed
from conformance.model.world import Pod, Protocol, Service, ServicePort, ServiceType, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model.flow import Flow

PORTS = (ServicePort(8080, 80), ServicePort(53, 80, Protocol.UDP))
WEB = Service("x", "web", {"app": "web"}, PORTS, type=ServiceType.NODE_PORT)


class Probes:
    """A prober to which every flow looks as a test says, one reading after another; the last one is repeated."""

    def __init__(self, *readings: Observed) -> None:
        self.readings = list(readings)
        self.tried: list[Flow] = []

    def probe(self, _: World, flows: Sequence[Flow], __: float) -> Mapping[Flow, Observation]:
        self.tried.extend(flows)
        seen = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        return {flow: Observation(seen, 0.0, "nobody answered" if seen is Observed.DROPPED else "") for flow in flows}


def outside(reach: float = 0.0, command: tuple[str, ...] = ("somewhere",)) -> Outside:
    options = KubernetesOptions("test", external_command=command, timeouts=ClusterTimeouts(external_reach=reach))
    return Outside(options, Setting(Names("abc123", "main-1"), "image", ("worker-1",), "agent"), "172.18.0.2")


def with_web(*pods: Pod) -> World:
    world = default_world().with_service(WEB)
    for pod in pods:
        world = world.with_pod(pod)
    return with_sample_addresses(world)


def test_without_a_command_nothing_that_needs_somebody_outside_can_be_shown() -> None:
    found = outside(command=())
    assert found.addresses(default_world().endpoints["ext"], Probes(Observed.ALLOWED)) == ()  # type: ignore[arg-type]
    assert set(found.unsupported) == {"external-client", "external-server", "node-port"}
    assert all("--netpol-external" in reason for reason in found.unsupported.values())


def test_a_node_port_is_waited_for_from_outside_alone() -> None:
    probes = Probes(Observed.DROPPED, Observed.ALLOWED)
    outside(reach=10.0).reach(WEB, with_web(), probes)  # type: ignore[arg-type]
    assert {str(flow) for flow in probes.tried} == {"ext -> web.x.svc:8080/TCP", "ext -> web.x.svc:53/UDP"}


def test_a_node_port_that_nobody_reaches_cannot_be_shown() -> None:
    said = r"node-port: without any policy, 2 of 2 flows do not connect: ext -> web\.x\.svc:.* dropped nobody answered"
    with pytest.raises(CannotShow, match=said):
        outside().reach(WEB, with_web(), Probes(Observed.DROPPED))  # type: ignore[arg-type]


def test_a_node_port_cannot_be_shown_where_every_node_has_a_backend() -> None:
    with pytest.raises(CannotShow, match=r"node-port: every node has a backend of web\.x\.svc"):
        outside().reach(WEB, with_web(Pod("x", "d", {"app": "web"}, node=1)), Probes(Observed.ALLOWED))  # type: ignore[arg-type]


def test_a_node_port_whose_backends_are_yet_to_come_is_not_waited_for() -> None:
    probes = Probes(Observed.DROPPED)
    outside().reach(WEB, with_web().without_pod("x/a"), probes)  # type: ignore[arg-type]
    assert probes.tried == []


def test_an_endpoint_that_did_not_come_up_is_not_asked() -> None:
    world = with_web()
    probes = Probes(Observed.DROPPED)
    outside().reach(WEB, world.with_endpoint(replace(world.endpoints["ext"], addresses=())), probes)  # type: ignore[arg-type]
    assert probes.tried == []
