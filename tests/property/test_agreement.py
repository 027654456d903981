"""Three evaluators that know nothing of each other agree: the oracle, the brute force, and the miniatures' data plane."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

import pytest
from brute_force import Connection, allowed, answers
from hypothesis import given, settings
from strategies import TRIED, state, states

from conformance.lab.miniatures.data_plane import DataPlane
from conformance.lab.miniatures.defect import Packet, both_ends
from conformance.lab.miniatures.perfect import PerfectArena
from conformance.model.case import ApplyPolicy
from conformance.model.flow import Flow
from conformance.model.matrix import Observed
from conformance.model.world import IPFamily, address_in
from conformance.oracle.evaluate import evaluate

if TYPE_CHECKING:
    from conformance.model.state import State

_WORLDS, _BATCH = 2500, 500


def direct_flows(some: State) -> list[Flow]:
    """Return every connection between two that can be clients or servers: pods that run, and endpoints; over each of their families."""
    places = {each.ref: each for each in (*some.world.running, *some.world.endpoints.values())}
    return [
        Flow(source, destination, port, protocol, family)
        for source in places
        for destination in places
        for port, protocol in TRIED
        for family in (None, *IPFamily)
        if source != destination and all(address_in(places[ref].addresses, family) for ref in (source, destination))
    ]


def differing(some: State) -> list[str]:
    """Return what the three say where they do not all say the same."""
    passing = allowed(some, TRIED)
    plane = DataPlane()
    plane.refresh(some.world, some.policies)
    places = {**some.world.pods, **some.world.endpoints}
    found = []
    for flow, decision in evaluate(some, direct_flows(some)).items():
        named = (flow.source, flow.destination, flow.port, str(flow.protocol), str(flow.family or ""))
        brute = Connection(*named) in passing
        ends = [address_in(places[ref].addresses, flow.family) or "" for ref in (flow.source, flow.destination)]
        packet = both_ends(plane.lets, Packet(ends[0], ends[1], flow.port, flow.protocol))
        if not decision.allowed == packet == brute:
            found.append(f"{flow}: oracle {decision.allowed}, brute force {brute}, data plane {packet}")
    return found


@pytest.mark.parametrize("first", range(0, _WORLDS, _BATCH))
def test_three_evaluators_agree_on_thousands_of_worlds(first: int) -> None:
    differences = {seed: found for seed in range(first, first + _BATCH) if (found := differing(state(Random(seed))))}
    assert not differences


@settings(max_examples=100)
@given(states())
def test_three_evaluators_agree_on_what_hypothesis_makes_small(some: State) -> None:
    assert not differing(some)


def test_the_worlds_are_worth_agreeing_on() -> None:
    """Both answers, and every word of a policy, are common in what is drawn; else agreement would say little."""
    drawn = [state(Random(seed)) for seed in range(200)]
    shares = []
    families: Counter[bool] = Counter()  # of flows of both families between the same two: whether they fare differently
    for some in drawn:
        by_flow = evaluate(some, direct_flows(some))
        decisions = by_flow.values()
        families.update(
            each.allowed is not other.allowed
            for flow, each in by_flow.items()
            if flow.family is IPFamily.IPV4 and (other := by_flow.get(replace(flow, family=IPFamily.IPV6)))
        )
        if decisions:
            shares.append(sum(bool(each.allowed) for each in decisions) / len(decisions))
    mixed = [share for share in shares if 0.02 < share < 0.98]
    assert len(mixed) > len(drawn) / 3
    assert min(families[True], families[False]) > 50, families
    peers = [peer for some in drawn for each in some.policies.values() for rule in each.ingress for peer in rule.peers]
    ports = [port for some in drawn for each in some.policies.values() for rule in each.egress for port in rule.ports]
    assert any(peer.ip_block and peer.ip_block.excepts for peer in peers)
    assert any(peer.pod_selector and peer.namespace_selector for peer in peers)
    assert {type(port.port) for port in ports} == {int, str, type(None)}
    assert any(port.end_port and port.end_port > port.port for port in ports)


def test_a_service_is_decided_where_all_of_its_backends_agree() -> None:
    """The oracle, the brute force and the perfect miniature, through Services whose backends may differ or be none."""
    seen: dict[bool | None, int] = {True: 0, False: 0, None: 0}
    for seed in range(1500):
        some = state(Random(seed))
        arena = PerfectArena(some.world)
        for policy in some.policies.values():
            arena.change([ApplyPolicy(policy)])
        for flow in service_flows(some):
            met = answers(some, flow)
            expected = next(iter(met)) if len(met) == 1 else None
            seen[expected] += 1
            assert evaluate(some, [flow])[flow].allowed is expected, (seed, flow)
            observed = arena.probe([flow], 1.0)[flow].observed
            assert (observed is Observed.ALLOWED) is (expected is True), (seed, flow)
    assert min(seen.values()) > 50, seen


def service_flows(some: State) -> list[Flow]:
    return [
        Flow(source.ref, service.ref, port.port, port.protocol, family)
        for service in some.world.services.values()
        for port in service.ports
        for source in some.world.running
        for family in (None, *IPFamily)
        if source not in some.world.backends(service) and address_in(source.addresses, family)
    ]
