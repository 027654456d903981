"""The cluster in memory that does what the specification says."""

from __future__ import annotations

import pytest

from conformance.lab.miniatures.perfect import PerfectTarget
from conformance.model.case import ApplyPolicy
from conformance.model.default_world import default_world
from conformance.model.flow import Flow
from conformance.model.matrix import Observed
from conformance.model.policy import Direction, IPBlock, LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
from conformance.model.world import Protocol, Service, ServicePort, ServiceType

OPEN, NODE = IPBlock("0.0.0.0/0"), IPBlock("172.30.0.2/32")
RULES = {
    "no rule": ((), False),
    "the pod's port": ((Rule((), (PolicyPort(Protocol.TCP, 80),)),), True),
    "the Service's port": ((Rule((), (PolicyPort(Protocol.TCP, 8080),)),), False),
    "every address": ((Rule((Peer(ip_block=OPEN),)),), True),
    "the address of the node, which is the source then": ((Rule((Peer(ip_block=NODE),)),), True),
}


@pytest.mark.parametrize(("rules", "passes"), RULES.values(), ids=RULES)
def test_what_comes_in_by_a_node_port(rules: tuple[Rule, ...], passes: bool) -> None:
    arena = PerfectTarget().open_arena(default_world(), "main-1")
    arena.create_service(Service("x", "web", {"app": "web"}, (ServicePort(8080, 80),), type=ServiceType.NODE_PORT))
    flow = Flow("ext", "web.x.svc", 8080, Protocol.TCP)
    assert arena.probe([flow], 1.0)[flow].observed is Observed.ALLOWED
    arena.change([ApplyPolicy(NetworkPolicy("x", "p", LabelSelector(), frozenset({Direction.INGRESS}), rules))])
    assert (arena.probe([flow], 1.0)[flow].observed is Observed.ALLOWED) is passes
