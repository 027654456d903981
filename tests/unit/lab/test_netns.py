"""Real packets through real namespaces: what the lab enforces, and how it comes and goes."""

from __future__ import annotations

import errno
import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.errors import ActionFailed, ArenaFailed, CannotShow, TargetUnavailable
from conformance.lab.netns import machines
from conformance.lab.netns.control import Keeper
from conformance.lab.netns.fault import LabFault
from conformance.lab.netns.target import NetnsTarget
from conformance.model.case import ApplyPolicy, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.default_world import default_world, servers
from conformance.model.flow import DEFAULT_PROBE, Flow, flows
from conformance.model.matrix import Observed
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
from conformance.model.world import (
    IPFamily,
    Namespace,
    Phase,
    Pod,
    Protocol,
    Server,
    Service,
    ServicePort,
    ServiceType,
    World,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.lab.netns.arena import NetnsArena
    from conformance.lab.netns.compile import Gate
    from conformance.lab.netns.netlink import Message
    from conformance.model.matrix import Observation

ROOT = Path(__file__).parents[3]
FAMILY_SIX = Path("/proc/net/if_inet6").exists()
#: In a container nobody may say that IPv6 is to be forwarded.
SIX_HERE = FAMILY_SIX and not os.statvfs("/proc/sys/net").f_flag & os.ST_RDONLY
INGRESS, EGRESS = Direction.INGRESS, Direction.EGRESS
TCP, UDP = Protocol.TCP, Protocol.UDP
ALL = LabelSelector()
QUICK, PATIENT = 0.5, 3.0


@pytest.fixture(scope="module")
def target() -> Iterator[NetnsTarget]:
    found = NetnsTarget()
    yield found
    found.close()
    found.close()


@pytest.fixture(scope="module")
def shared(target: NetnsTarget) -> NetnsArena:
    try:
        return target.open_arena(default_world(), "shared")
    except ArenaFailed:
        raise
    except TargetUnavailable as error:
        pytest.skip(str(error))


@pytest.fixture
def arena(shared: NetnsArena) -> Iterator[NetnsArena]:
    """Give the shared arena, and see to it that it is afterwards as it was before."""
    yield shared
    for ref in list(shared._state.policies):
        shared.change([DeletePolicy(ref)])
    for ref in list(shared.world.services):
        shared.delete_service(ref)
    for ref in shared.world.pods.keys() - default_world().pods.keys():
        shared.delete_pod(ref)
    for name in shared.world.namespaces.keys() - default_world().namespaces.keys():
        shared.delete_namespace(name)


@pytest.fixture
def small(target: NetnsTarget, shared: NetnsArena, request: pytest.FixtureRequest) -> Iterator[NetnsArena]:
    """Give an arena of a test's own, with one pod on each node."""
    assert not shared.closed
    found = target.open_arena(small_world(), request.node.name)
    yield found
    found.close()


def small_world() -> World:
    pods = [Pod("n", name, {"pod": name}, (Server(80, TCP), Server(80, UDP)), node) for node, name in enumerate("ab")]
    return World({"n": Namespace("n")}, {pod.ref: pod for pod in pods})


def policy(
    namespace: str,
    *types: Direction,
    selector: LabelSelector = ALL,
    ingress: Sequence[Rule] = (),
    egress: Sequence[Rule] = (),
    name: str = "p",
) -> NetworkPolicy:
    return NetworkPolicy(namespace, name, selector, frozenset(types), tuple(ingress), tuple(egress))


def read(arena: NetnsArena, wanted: Iterable[Flow], expected: Iterable[Flow]) -> dict[Flow, Observation]:
    """Read flows; what is not as expected is read once more with more patience, for a machine that is busy."""
    allowed = set(expected)
    seen = dict(arena.probe(list(wanted), QUICK))
    odd = [
        flow
        for flow, each in seen.items()
        if (each.observed is Observed.ALLOWED) is not (flow in allowed) or each.observed is Observed.FAILED
    ]
    return {**seen, **arena.probe(odd, PATIENT)}


def check(arena: NetnsArena, blocked: Iterable[Flow], wanted: Iterable[Flow] | None = None) -> None:
    """Assert that exactly these flows are blocked, of the full matrix or of those wanted, and that all could be measured."""
    every = list(flows(arena.world, DEFAULT_PROBE, external=True) if wanted is None else wanted)
    expected = set(blocked)
    seen = read(arena, every, set(every) - expected)
    bad = {flow for flow, each in seen.items() if each.observed in {Observed.FAILED, Observed.MISDELIVERED}}
    assert not bad, {str(flow): seen[flow] for flow in bad}
    assert {flow for flow, each in seen.items() if each.observed is not Observed.ALLOWED} == expected


def matrix(arena: NetnsArena) -> tuple[Flow, ...]:
    return flows(arena.world, DEFAULT_PROBE, external=True)


def parsed(*texts: str) -> list[Flow]:
    return [Flow.parse(text) for text in texts]


# What is enforced -------------------------------------------------------------------------------------------------------


def test_without_policies_everything_passes(arena: NetnsArena) -> None:
    assert len(matrix(arena)) == 360
    check(arena, [])


def test_every_pod_has_an_address_on_its_node(arena: NetnsArena) -> None:
    addresses = [pod.addresses[0] for pod in arena.world.pods.values()]
    assert len(set(addresses)) == 9
    assert all(pod.addresses[0].startswith(f"10.244.{pod.node + 1}.") for pod in arena.world.pods.values())
    assert arena.world.endpoints["ext"].addresses[0] == "172.30.0.100"


def test_ingress_is_denied_on_both_nodes(arena: NetnsArena) -> None:
    arena.change([ApplyPolicy(policy("x", INGRESS))])
    check(arena, [flow for flow in matrix(arena) if flow.destination.startswith("x/")])


def test_egress_is_denied_on_both_nodes(arena: NetnsArena) -> None:
    arena.change([ApplyPolicy(policy("x", EGRESS))])
    check(arena, [flow for flow in matrix(arena) if flow.source.startswith("x/")])


def test_a_packet_between_two_pods_of_one_node_is_asked_for_both_directions(arena: NetnsArena) -> None:
    source, destination = arena.world.pods["x/a"], arena.world.pods["x/c"]
    assert source.node == destination.node
    wanted = parsed("x/a -> x/c:80/TCP", "x/a -> x/c:80/UDP")
    to_c = Rule((Peer(pod_selector=LabelSelector({"pod": "c"})),))
    arena.change([ApplyPolicy(policy("x", EGRESS, selector=LabelSelector({"pod": "a"}), egress=[to_c], name="out"))])
    check(arena, [], wanted)
    arena.change([ApplyPolicy(policy("x", INGRESS, selector=LabelSelector({"pod": "c"}), name="in"))])
    check(arena, wanted, wanted)


def test_a_policy_is_replaced_in_place_and_deleted(arena: NetnsArena) -> None:
    wanted = parsed("y/a -> x/a:80/TCP", "z/a -> x/a:80/TCP")
    for namespace, blocked in (("y", wanted[1:]), ("z", wanted[:1])):
        peer = Peer(namespace_selector=LabelSelector({"ns": namespace}))
        arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[Rule((peer,))]))])
        check(arena, blocked, wanted)
    arena.change([DeletePolicy("x/p")])
    check(arena, [], wanted)


def test_ports_protocols_and_ranges(arena: NetnsArena) -> None:
    wanted = [Flow("y/a", "x/a", port, protocol) for protocol in (TCP, UDP) for port in (79, 80, 81, 82, 83)]
    rule = Rule((), (PolicyPort(TCP, 80, 82), PolicyPort(UDP, 83)))
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[rule]))])
    passing = {(80, TCP), (81, TCP), (82, TCP), (83, UDP)}
    check(arena, [flow for flow in wanted if (flow.port, flow.protocol) not in passing], wanted)
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[Rule((), (PolicyPort(UDP),))]))])
    check(arena, [flow for flow in wanted if flow.protocol is TCP], wanted)


def test_an_except_takes_from_its_own_block_only(arena: NetnsArena) -> None:
    wanted = parsed("y/a -> x/a:80/TCP", "y/b -> x/a:80/TCP", "y/c -> x/a:80/TCP", "ext -> x/a:80/TCP")
    gone = tuple(f"{arena.world.pods[ref].addresses[0]}/32" for ref in ("y/a", "y/b"))
    block = Rule((Peer(ip_block=IPBlock("10.244.0.0/16", gone)),))
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[block]))])
    check(arena, [wanted[0], wanted[1], wanted[3]], wanted)
    back = Rule((Peer(pod_selector=LabelSelector({"pod": "b"}), namespace_selector=ALL),))
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[back], name="back"))])
    check(arena, [wanted[0], wanted[3]], wanted)


def test_port_names_are_the_destinations(arena: NetnsArena) -> None:
    into = [Flow("y/c", f"x/{pod}", port, TCP) for pod in "abc" for port in (80, 81)]
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[Rule((), (PolicyPort(TCP, "http"),))]))])
    check(arena, [into[1], into[2], into[4], into[5]], into)
    out = [Flow("z/a", ref, port, TCP) for ref in ("y/a", "y/b", "y/c", "ext") for port in (80, 81)]
    arena.change([ApplyPolicy(policy("z", EGRESS, egress=[Rule((), (PolicyPort(TCP, "http"),))]))])
    check(arena, [out[1], out[2], *out[4:]], out)


def test_ext_as_client_and_as_server(arena: NetnsArena) -> None:
    into = parsed("ext -> x/a:80/TCP", "ext -> x/b:80/UDP", "y/a -> x/a:80/TCP")
    out = parsed("x/a -> ext:80/TCP", "x/b -> ext:80/UDP", "x/a -> y/a:80/TCP")
    ext = Rule((Peer(ip_block=IPBlock(f"{arena.world.endpoints['ext'].addresses[0]}/32")),))
    arena.change([ApplyPolicy(policy("x", INGRESS, EGRESS, ingress=[ext], egress=[ext]))])
    check(arena, [into[2], out[2]], into + out)
    everyone = Rule((Peer(namespace_selector=ALL),))
    arena.change([ApplyPolicy(policy("x", INGRESS, EGRESS, ingress=[everyone], egress=[everyone]))])
    check(arena, [*into[:2], *out[:2]], into + out)


def test_labels_of_pods_and_namespaces(arena: NetnsArena) -> None:
    wanted = parsed("y/a -> x/a:80/TCP", "y/b -> x/a:80/TCP")
    peer = Peer(LabelSelector({"role": "client"}), LabelSelector({"trust": "yes"}))
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[Rule((peer,))]))])
    check(arena, wanted, wanted)
    arena.change([LabelPod("y/a", {"role": "client"})])
    check(arena, wanted, wanted)
    arena.change([LabelNamespace("y", {"trust": "yes"})])
    check(arena, wanted[1:], wanted)
    arena.change([LabelPod("y/a", {"role": None})])
    check(arena, wanted, wanted)
    arena.change([LabelNamespace("y", {"trust": None})])
    assert arena.world.namespaces == default_world().namespaces


def test_a_service_reaches_its_backends_and_policies_see_those(arena: NetnsArena) -> None:
    arena.create_service(Service("x", "web", {"app": "web"}, (ServicePort(8080, "http"), ServicePort(53, 80, UDP))))
    wanted = [Flow(source, "web.x.svc", *port) for source in ("x/b", "y/a", "y/b") for port in ((8080, TCP), (53, UDP))]
    check(arena, [], wanted)
    port_80 = Rule((Peer(namespace_selector=LabelSelector({"ns": "y"})),), (PolicyPort(TCP, 80),))
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[port_80]))])
    check(arena, [flow for flow in wanted if flow.source == "x/b" or flow.protocol is UDP], wanted)


def test_a_node_port_leads_to_the_other_node_and_shows_its_own_as_the_source(arena: NetnsArena) -> None:
    ports = (ServicePort(8080, "http"), ServicePort(53, 80, UDP))
    arena.create_service(Service("x", "web", {"app": "web"}, ports, type=ServiceType.NODE_PORT))
    web = parsed("ext -> web.x.svc:8080/TCP", "ext -> web.x.svc:53/UDP")
    others = parsed("ext -> x/a:80/TCP", "y/b -> web.x.svc:8080/TCP", "y/a -> web.x.svc:53/UDP")
    check(arena, [], [*web, *others])
    entrance = arena.world.entrance(arena.world.services["web.x.svc"])
    assert entrance is not None
    assert entrance.addresses[0] == "172.30.0.3"  # x/a is on the other one
    arena.change([ApplyPolicy(policy("x", INGRESS))])
    check(arena, [*web, *others], [*web, *others])
    node = Rule((Peer(ip_block=IPBlock("172.30.0.3/32")),))
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[node]))])
    check(arena, others, [*web, *others])
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[Rule((), (PolicyPort(UDP, 80),))]))])
    check(arena, [web[0], *others[:2]], [*web, *others])
    arena.change([ApplyPolicy(policy("x", EGRESS))])
    check(arena, [], [*web, *others])


def test_a_node_port_of_a_node_that_a_pod_brings(arena: NetnsArena) -> None:
    """There are two nodes at first; a pod for the fourth makes that one, and those before it."""
    arena.create_pod(Pod("y", "far", {"pod": "far"}, servers(), node=3))
    arena.create_service(Service("y", "far", {"pod": "far"}, (ServicePort(80, 80),), type=ServiceType.NODE_PORT))
    arena.create_service(Service("y", "all", {}, (ServicePort(81, 80),), type=ServiceType.NODE_PORT))
    assert [each.addresses[0] for each in arena.world.nodes] == [f"172.30.0.{number}" for number in (2, 3, 4, 5)]
    flow = Flow("ext", "far.y.svc", 80, TCP)
    check(arena, [], [flow])
    arena.change([ApplyPolicy(policy("y", INGRESS, selector=LabelSelector({"pod": "far"})))])
    check(arena, [flow], [flow])


def test_a_service_spreads_over_its_backends(arena: NetnsArena) -> None:
    for name in "abc":
        arena.change([LabelPod(f"z/{name}", {"tier": name, "group": "all"})])
    arena.create_service(Service("z", "all", {"group": "all"}, (ServicePort(80, 80),)))
    flow = Flow("x/a", "all.z.svc", 80, TCP)
    try:
        check(arena, [], [flow])
        for name in "abc":  # a connection that would go to another backend is dropped; a few tries reach each of them
            others = LabelSelector({}, (Requirement("tier", Operator.NOT_IN, (name,)),))
            arena.change([ApplyPolicy(policy("z", INGRESS, selector=others))])
            assert Observed.ALLOWED in {arena.probe([flow], QUICK)[flow].observed for _ in range(3)}
        arena.change([ApplyPolicy(policy("z", INGRESS))])
        assert arena.probe([flow], QUICK)[flow].observed is Observed.DROPPED
    finally:
        for name in "abc":
            arena.change([LabelPod(f"z/{name}", {"tier": None, "group": None})])


def test_a_service_without_backends_answers_nobody(arena: NetnsArena) -> None:
    arena.create_service(Service("x", "none", {"app": "nobody"}, (ServicePort(80, 80),)))
    flow = Flow("y/a", "none.x.svc", 80, TCP)
    seen = arena.probe([flow], QUICK)[flow]
    assert seen.observed is Observed.FAILED
    assert "no server is behind this Service" in seen.detail
    arena.change([LabelPod("x/a", {"app": "nobody"})])
    try:
        check(arena, [], [flow])
    finally:
        arena.change([LabelPod("x/a", {"app": "web"})])


def test_rules_that_need_many_datagrams(arena: NetnsArena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "DATAGRAM_BYTES", 1000)
    ports = tuple(PolicyPort(protocol, port) for protocol in (TCP, UDP) for port in (80, 82, 83))
    rule = Rule((Peer(namespace_selector=LabelSelector({"team": "blue"})),), ports)
    arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[rule]))])
    check(
        arena,
        [
            flow
            for flow in matrix(arena)
            if flow.destination.startswith("x/") and not (flow.source.startswith("y/") and flow.port == 80)
        ],
    )


# Both families of addresses ---------------------------------------------------------------------------------------------


@pytest.fixture
def dual(arena: NetnsArena) -> NetnsArena:
    if not SIX_HERE:
        pytest.skip("this machine's kernel has no IPv6")
    assert "ipv6" not in arena.unsupported
    return arena


def both(arena: NetnsArena) -> tuple[Flow, ...]:
    return flows(arena.world, DEFAULT_PROBE, external=True, families=tuple(IPFamily))


def over(wanted: Sequence[Flow], family: IPFamily) -> list[Flow]:
    return [replace(flow, family=family) for flow in wanted]


def test_everything_is_reached_over_each_family(dual: NetnsArena) -> None:
    assert len(both(dual)) == 720
    check(dual, [], both(dual))
    owners = (*dual.world.pods.values(), *dual.world.endpoints.values())
    assert all([":" in each for each in owner.addresses] == [False, True] for owner in owners)
    assert dual.world.pods["x/a"].addresses[1].startswith("fd00:10:244:1::")


def test_isolation_and_selectors_are_of_both_families(dual: NetnsArena) -> None:
    from_y = Rule((Peer(namespace_selector=LabelSelector({"ns": "y"})),), (PolicyPort(TCP, 80),))
    dual.change([ApplyPolicy(policy("x", INGRESS, selector=LabelSelector({"pod": "b"}), ingress=[from_y]))])
    check(
        dual,
        [
            flow
            for flow in both(dual)
            if flow.destination == "x/b"
            and not (flow.source.startswith("y/") and (flow.port, flow.protocol) == (80, TCP))
        ],
        both(dual),
    )
    dual.change([ApplyPolicy(policy("x", EGRESS))])
    check(dual, [flow for flow in both(dual) if flow.source.startswith("x/")], both(dual))


@pytest.mark.parametrize(("cidr", "open_"), [("0.0.0.0/0", IPFamily.IPV4), ("::/0", IPFamily.IPV6)])
def test_a_block_opens_its_own_family_only(dual: NetnsArena, cidr: str, open_: IPFamily) -> None:
    rule = Rule((Peer(ip_block=IPBlock(cidr)),))
    dual.change([ApplyPolicy(policy("x", INGRESS, EGRESS, ingress=[rule], egress=[rule]))])
    touched = [flow for flow in both(dual) if "x/" in flow.source or "x/" in flow.destination]
    check(dual, [flow for flow in touched if flow.family is not open_], both(dual))


def test_an_except_of_ipv6_and_ports_by_name_and_range(dual: NetnsArena) -> None:
    gone = f"{dual.world.pods['y/a'].addresses[1]}/128"
    peer, ports = Peer(ip_block=IPBlock("fd00::/16", (gone,))), (PolicyPort(TCP, "http"), PolicyPort(UDP, 79, 80))
    dual.change(
        [ApplyPolicy(policy("x", INGRESS, selector=LabelSelector({"pod": "a"}), ingress=[Rule((peer,), ports)]))]
    )
    into = [flow for flow in both(dual) if flow.destination == "x/a"]
    passing = {flow for flow in into if flow.family is IPFamily.IPV6 and flow.source != "y/a" and flow.port == 80}
    check(dual, [flow for flow in into if flow not in passing], into)


def test_a_service_is_forwarded_over_each_family(dual: NetnsArena) -> None:
    dual.create_service(Service("x", "web", {"app": "web"}, (ServicePort(8080, "http"), ServicePort(53, 80, UDP))))
    wanted = [flow for flow in both(dual) if flow.destination == "web.x.svc"]
    assert len(wanted) == 8 * 2 * 2
    check(dual, [], wanted)
    dual.change(
        [ApplyPolicy(policy("x", INGRESS, ingress=[Rule((Peer(ip_block=IPBlock("::/0")),), (PolicyPort(TCP, 80),))]))]
    )
    passing = [flow for flow in wanted if (flow.family, flow.protocol) == (IPFamily.IPV6, TCP)]
    check(dual, [flow for flow in wanted if flow not in passing], wanted)


def test_a_node_port_is_forwarded_over_each_family(dual: NetnsArena) -> None:
    dual.create_service(Service("x", "web", {"app": "web"}, (ServicePort(8080, "http"),), type=ServiceType.NODE_PORT))
    web = [flow for flow in both(dual) if (flow.source, flow.destination) == ("ext", "web.x.svc")]
    assert [flow.family for flow in web] == list(IPFamily)
    check(dual, [], web)
    entrance = dual.world.entrance(dual.world.services["web.x.svc"])
    assert entrance is not None
    node = Rule((Peer(ip_block=IPBlock(f"{entrance.addresses[1]}/128")),))
    dual.change([ApplyPolicy(policy("x", INGRESS, ingress=[node]))])
    check(dual, web[:1], web)


@pytest.mark.parametrize(
    ("number", "said"),
    [(errno.ENOENT, "this machine's kernel has no IPv6"), (errno.EROFS, "does not let the lab forward IPv6")],
)
def test_without_ipv6_there_is_ipv4_and_the_reason(
    target: NetnsTarget, shared: NetnsArena, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(*_: object) -> None:
        raise LabFault("/proc/sys: no", number)

    assert not shared.closed
    monkeypatch.setattr(Keeper, "set", refuse)
    four = target.open_arena(small_world(), f"four-{number}")
    try:
        assert said in four.unsupported["ipv6"]
        assert four.unsupported["ipv6"] == four.unsupported["dual-stack"]
        assert all(len(pod.addresses) == 1 for pod in four.world.pods.values())
        check(four, [], flows(four.world, DEFAULT_PROBE, external=False))
        four.change([ApplyPolicy(policy("n", INGRESS))])
        wanted = flows(four.world, DEFAULT_PROBE, external=False)
        check(four, wanted, wanted)
    finally:
        four.close()


# Pods that come and go --------------------------------------------------------------------------------------------------


def test_a_restart_puts_the_same_rules_in_force_anew(arena: NetnsArena) -> None:
    arena.create_service(Service("y", "web", {"pod": "b"}, (ServicePort(8080, 80),)))
    arena.change([ApplyPolicy(policy("x", INGRESS))])
    arena.restart_implementation()
    assert arena.still_away() == ()
    into_x = {flow for flow in matrix(arena) if flow.destination.startswith("x/")}
    check(arena, into_x)
    arena.restart_implementation()
    arena.change([DeletePolicy("x/p")])
    check(arena, ())


def test_a_restart_is_one_transaction_a_node_or_none(small: NetnsArena, monkeypatch: pytest.MonkeyPatch) -> None:
    small.change([ApplyPolicy(policy("n", INGRESS))])
    sent: list[str] = []
    really = small._machines._keeper.rules

    def rules(space: str, messages: Sequence[Message]) -> None:
        sent.append(space)
        really(space, messages)

    monkeypatch.setattr(small._machines._keeper, "rules", rules)
    small.restart_implementation()
    assert len(sent) == len(set(sent)) == 2
    monkeypatch.setattr(machines, "DATAGRAM_BYTES", 1000)
    with pytest.raises(CannotShow, match="too many"):
        small.restart_implementation()
    assert len(sent) == 2
    check(small, matrix(small))


def test_a_pod_made_again_has_a_new_address_and_the_same_policies(arena: NetnsArena) -> None:
    arena.change([ApplyPolicy(policy("x", INGRESS, selector=LabelSelector({"pod": "a"})))])
    old = arena.world.pods["x/a"]
    wanted = parsed("y/a -> x/a:80/TCP", "x/a -> y/a:80/TCP", "y/a -> x/b:80/TCP")
    arena.delete_pod("x/a")
    assert "x/a" not in arena.world.pods
    arena.create_pod(replace(old, generation=old.generation + 1, addresses=()))
    assert arena.world.pods["x/a"].addresses != old.addresses
    check(arena, wanted[:1], wanted)
    stale = World(pods={**arena.world.pods, "x/old": replace(old, name="old")})
    lost = Flow("y/a", "x/old", 80, TCP)
    assert arena._prober.probe(stale, [lost], QUICK)[lost].observed is not Observed.ALLOWED


def test_a_new_pod_is_isolated_before_its_agent_starts(arena: NetnsArena, monkeypatch: pytest.MonkeyPatch) -> None:
    arena.change([ApplyPolicy(policy("x", INGRESS, EGRESS, selector=LabelSelector({"pod": "new"})))])
    start = machines.Machines.agent
    gates: list[Gate] = []

    def spy(self: machines.Machines, owner: Pod, from_start: Sequence[str]) -> object:
        gates.extend(gate for gate in self._rules[owner.node].gates if str(gate.address) == owner.addresses[0])
        return start(self, owner, from_start)

    monkeypatch.setattr(machines.Machines, "agent", spy)
    arena.create_pod(Pod("x", "new", {"pod": "new"}, servers(), node=1))
    assert {(gate.direction, gate.passes) for gate in gates} == {(INGRESS, ()), (EGRESS, ())}
    check(arena, [flow for flow in matrix(arena) if "x/new" in {flow.source, flow.destination}])


def test_a_namespace_that_comes_and_goes(arena: NetnsArena) -> None:
    arena.change(
        [
            ApplyPolicy(
                policy("x", INGRESS, ingress=[Rule((Peer(namespace_selector=LabelSelector({"kind": "guest"})),))])
            )
        ]
    )
    arena.create_namespace(Namespace("guest", {"kind": "guest"}))
    arena.create_pod(Pod("guest", "g", {}, servers(), node=5))
    wanted = parsed("guest/g -> x/a:80/TCP", "y/a -> x/a:80/TCP", "x/a -> guest/g:80/UDP")
    check(arena, wanted[1:2], wanted)
    arena.delete_namespace("guest")
    assert "guest/g" not in arena.world.pods
    check(arena, [flow for flow in matrix(arena) if flow.destination.startswith("x/")])


def test_a_pod_that_has_ended_leaves_its_address_to_another(arena: NetnsArena) -> None:
    arena.create_pod(Pod("x", "done", {"role": "job"}, servers(), phase=Phase.SUCCEEDED))
    arena.change([ApplyPolicy(policy("x", INGRESS, EGRESS, selector=LabelSelector({"role": "job"})))])
    arena.create_pod(Pod("x", "next", {}, servers(), address_of="x/done"))
    assert arena.world.pods["x/next"].addresses == arena.world.pods["x/done"].addresses
    check(arena, [], parsed("x/a -> x/next:80/TCP", "x/next -> y/a:80/TCP"))
    arena.delete_pod("x/done")
    assert "x/done" not in arena.world.pods
    check(arena, [], parsed("x/a -> x/next:80/TCP", "x/next -> y/a:80/TCP"))


def test_an_agent_holds_its_own_streams_and_no_others(small: NetnsArena) -> None:
    files = {int(entry.name): str(entry.readlink()) for entry in Path(f"/proc/{agent_of(small, 'n/a')}/fd").iterdir()}
    assert {fd for fd, file in files.items() if "socket:" not in file and "anon_inode" not in file} == {0, 1, 2}


def test_an_agent_that_dies_is_started_again_at_the_same_address(small: NetnsArena) -> None:
    address = small.world.pods["n/a"].addresses
    check(small, [])
    os.kill(agent_of(small, "n/a"), signal.SIGKILL)
    check(small, [])
    assert small.world.pods["n/a"].addresses == address


def test_addresses_are_not_used_again_soon(small: NetnsArena) -> None:
    seen = [small.world.pods["n/a"].addresses[0]]
    for generation in (2, 3):
        pod = small.world.pods["n/a"]
        small.delete_pod("n/a")
        small.create_pod(replace(pod, generation=generation))
        seen.append(small.world.pods["n/a"].addresses[0])
    assert all(one != other for one, other in pairwise(seen))
    assert len(set(seen)) == 3


# What cannot be done ----------------------------------------------------------------------------------------------------


def test_changes_of_what_is_not_there_are_refused(arena: NetnsArena) -> None:
    before = arena.world
    refused: list[tuple[Callable[[], None], str]] = [
        (lambda: arena.change([DeletePolicy("x/none")]), "there is no x/none"),
        (lambda: arena.change([ApplyPolicy(policy("none", INGRESS))]), "there is no none"),
        (lambda: arena.change([LabelPod("x/none", {})]), "there is no x/none"),
        (lambda: arena.change([LabelNamespace("none", {})]), "there is no none"),
        (lambda: arena.delete_namespace("none"), "there is no none"),
        (lambda: arena.delete_pod("x/none"), "there is no x/none"),
        (lambda: arena.delete_service("none.x.svc"), "there is no none.x.svc"),
        (lambda: arena.create_pod(Pod("none", "a")), "there is no none"),
        (lambda: arena.create_pod(Pod("x", "a")), "it is there already"),
        (lambda: arena.create_namespace(Namespace("x")), "it is there already"),
        (lambda: arena.create_pod(Pod("x", "far", node=200)), "no room for node 200"),
        (lambda: arena.create_service(Service("none", "s", {}, ())), "there is no none"),
    ]
    for call, words in refused:
        with pytest.raises(ActionFailed, match=words):
            call()
    assert arena.world == before
    bad = Rule((Peer(ip_block=IPBlock("$(x/none)")),))
    with pytest.raises(ActionFailed, match="an address that is none"):
        arena.change([ApplyPolicy(policy("x", INGRESS, ingress=[bad]))])
    check(arena, [], parsed("y/a -> x/a:80/TCP"))


def test_a_pod_that_cannot_serve_leaves_nothing_behind(arena: NetnsArena) -> None:
    before = arena.world
    twice = (Server(80, TCP), Server(80, TCP))
    with pytest.raises(ActionFailed, match="cannot listen on 80/TCP"):
        arena.create_pod(Pod("x", "twice", {}, twice))
    assert arena.world == before
    check(arena, [], parsed("y/a -> x/a:80/TCP"))


def test_arenas_do_not_see_each_other(arena: NetnsArena, small: NetnsArena) -> None:
    small.change([ApplyPolicy(policy("n", INGRESS))])
    check(small, flows(small.world, DEFAULT_PROBE, external=False), flows(small.world, DEFAULT_PROBE, external=False))
    check(arena, [])


def test_a_closed_arena_refuses_and_its_name_is_free(target: NetnsTarget, small: NetnsArena) -> None:
    name = small_name(small)
    with pytest.raises(ArenaFailed, match="already"):
        target.open_arena(small_world(), name)
    small.close()
    small.close()
    with pytest.raises(ActionFailed, match="closed"):
        small.change([ApplyPolicy(policy("n", INGRESS))])
    flow = Flow("n/a", "n/b", 80, TCP)
    assert small.probe([flow], QUICK)[flow].observed is Observed.FAILED
    again = target.open_arena(small_world(), name)
    check(again, [])
    again.close()


def test_what_it_says_of_itself(target: NetnsTarget, arena: NetnsArena) -> None:
    described = target.describe()
    assert (described.target, described.implementation) == ("netns", "netns-lab")
    assert described.environment["kernel"] == os.uname().release
    assert ("ipv6" in arena.unsupported) is ("dual-stack" in arena.unsupported) is not SIX_HERE
    assert ("IPv6" in described.environment["ip families"]) is FAMILY_SIX
    assert not {"external-client", "external-server"} & arena.unsupported.keys()
    assert list(arena.commands(Flow("x/a", "x/b", 80, TCP), [])) == []


# How it ends ------------------------------------------------------------------------------------------------------------

LIVING = """
    import signal
    import sys
    from conformance.lab.netns.target import NetnsTarget
    from conformance.model.case import ApplyPolicy
    from conformance.model.flow import Flow
    from conformance.model.policy import Direction, LabelSelector, NetworkPolicy
    from conformance.model.world import Namespace, Pod, Protocol, Server, World

    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    pods = [Pod("n", name, {}, (Server(80, Protocol.TCP),), node) for node, name in enumerate("ab")]
    target = NetnsTarget()
    arena = target.open_arena(World({"n": Namespace("n")}, {pod.ref: pod for pod in pods}), sys.argv[1])
    try:
        print("ready", flush=True)
        sys.stdin.read()
    except KeyboardInterrupt:
        flow = Flow("n/a", "n/b", 80, Protocol.TCP)
        print(arena.probe([flow], 3.0)[flow].observed, flush=True)
        arena.change([ApplyPolicy(NetworkPolicy("n", "deny", LabelSelector(), frozenset(Direction)))])
        print(arena.probe([flow], 0.3)[flow].observed, flush=True)
        target.close()
"""


@pytest.fixture
def living(shared: NetnsArena) -> Iterator[subprocess.Popen[str]]:
    """Give another process with an open arena, in a process group of its own as a terminal would have it."""
    assert not shared.closed
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(LIVING), f"living-{os.getpid()}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def test_nothing_outlives_a_killed_process(living: subprocess.Popen[str]) -> None:
    watched = [os.pidfd_open(pid) for pid in descendants(living.pid)]
    assert len(watched) == 3  # the keeper and two agents
    os.kill(living.pid, signal.SIGKILL)
    wait_for_end(watched)


def test_nothing_outlives_a_killed_keeper(living: subprocess.Popen[str]) -> None:
    (keeper,) = (pid for pid in descendants(living.pid) if parent(pid) == living.pid)
    agents = [os.pidfd_open(pid) for pid in descendants(keeper)]
    os.kill(keeper, signal.SIGKILL)
    os.killpg(living.pid, signal.SIGINT)
    wait_for_end(agents)
    assert living.wait(30) != 0  # the change that it tries fails, and says so


def test_ctrl_c_leaves_the_lab_to_its_owner(living: subprocess.Popen[str]) -> None:
    watched = [os.pidfd_open(pid) for pid in descendants(living.pid)]
    os.killpg(living.pid, signal.SIGINT)
    assert living.communicate(timeout=30)[0].split() == ["allowed", "dropped"]
    assert living.returncode == 0
    wait_for_end(watched)


def wait_for_end(pidfds: Sequence[int], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    for pidfd in pidfds:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        ended = poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        os.close(pidfd)
        assert ended, "a process is still there"


def descendants(ancestor: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid in commands():
        children.setdefault(parent(pid), []).append(pid)
    found, new = [], [ancestor]
    while new:
        new = [child for pid in new for child in children.get(pid, ())]
        found += new
    return found


def parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except OSError:  # it ended while we looked
        return 0


def commands() -> dict[int, str]:
    """Return the processes that there are, with their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
    return found


def agent_of(arena: NetnsArena, ref: str) -> int:
    identity = f"--identity {small_name(arena)}/{ref}#1 "
    (found,) = [pid for pid, command in commands().items() if identity in command]
    return found


def small_name(arena: NetnsArena) -> str:
    return arena._machines._arena
