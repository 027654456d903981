"""Classes of pods against pods one by one: the two doors of the evaluator give the same answers on every world."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from strategies import TRIED, policy, state, states

from conformance.model.flow import Flow
from conformance.model.policy import Direction
from conformance.model.state import State
from conformance.model.world import Endpoint, IPFamily, Pod
from conformance.oracle.classes import GroupedEvaluator
from conformance.oracle.evaluate import evaluate

_WORLDS, _BATCH = 600, 300
_FAMILIES = (None, *IPFamily)


def differing(some: State) -> list[str]:
    """Return every connection on which the doors differ, between all places: also those that ended, or lack the family."""
    grouped = GroupedEvaluator(some)
    places = [*some.world.pods, *some.world.endpoints]
    found = []
    for port, protocol in TRIED:
        for family in _FAMILIES:
            reach = grouped.reach(port, protocol, family)
            flows = [Flow(one, other, port, protocol, family) for one in places for other in places]
            found += [
                f"{flow}: {decision.allowed} alone"
                for flow, decision in evaluate(some, flows).items()
                if reach.passes(flow.source, flow.destination) is not decision.allowed
            ]
    return found


def copied(some: State, random: Random) -> State:
    """Return a state with more pods, each like one that is there but for its address, which may be any of the world's."""
    world = some.world
    addresses = [pod.addresses for pod in world.pods.values()]
    for pod in some.world.pods.values():
        for copy in range(random.randint(0, 3)):
            world = world.with_pod(replace(pod, name=f"{pod.name}-{copy}", addresses=random.choice(addresses)))
    return State(world, some.policies)


@pytest.mark.parametrize("first", range(0, _WORLDS, _BATCH))
def test_both_doors_agree_on_hundreds_of_worlds(first: int) -> None:
    differences = {seed: found for seed in range(first, first + _BATCH) if (found := differing(state(Random(seed))))}
    assert not differences


@settings(max_examples=100)
@given(states())
def test_both_doors_agree_on_what_hypothesis_makes_small(some: State) -> None:
    assert not differing(some)


def test_both_doors_agree_where_classes_have_several_members_and_policies_are_many() -> None:
    sizes: Counter[int] = Counter()
    for seed in range(60):
        random = Random(seed)
        some = copied(state(random), random)
        more = [policy(random, f"more{number}") for number in range(random.randint(0, 8))]
        some = State(some.world, {**some.policies, **{each.ref: each for each in more}})
        assert not differing(some), seed
        sizes.update(len(members) for members in GroupedEvaluator(some).classes.members)
    assert sizes[1] > 50, sizes  # some are told apart
    assert sum(number for size, number in sizes.items() if size > 1) > 100, sizes  # and some are not


@settings(max_examples=40)
@given(states())
def test_classes_are_a_partition(some: State) -> None:
    classes = GroupedEvaluator(some).classes
    refs = [ref for members in classes.members for ref in members]
    assert sorted(refs) == sorted((*some.world.pods, *some.world.endpoints))
    assert all(ref in classes.members[number] for ref, number in classes.of.items())


@settings(max_examples=40)
@given(states())
def test_each_side_says_what_it_says_of_a_flow_alone(some: State) -> None:
    grouped = GroupedEvaluator(some)
    port, protocol = TRIED[0]
    reach = grouped.reach(port, protocol)
    places = [*some.world.pods, *some.world.endpoints]
    for flow, decision in evaluate(
        some, [Flow(one, other, port, protocol) for one in places for other in places]
    ).items():
        source, destination = (grouped.classes.of[ref] for ref in (flow.source, flow.destination))
        said = {
            Direction.EGRESS: reach.out[source] >> destination & 1,
            Direction.INGRESS: reach.into[source] >> destination & 1,
        }
        alone = {side.direction: side.allowed for side in decision.sides}
        assert said == {direction: alone.get(direction, True) for direction in Direction}, flow


@settings(max_examples=40)
@given(states())
def test_a_twin_is_in_the_class_of_its_pod(some: State) -> None:
    """What no policy can read makes no class: a name, a node, a generation, which container serves."""
    world = some.world
    for pod in some.world.pods.values():
        world = world.with_pod(replace(pod, name=f"{pod.name}-twin", node=pod.node + 1, generation=7))
    classes = GroupedEvaluator(State(world, some.policies)).classes
    assert all(classes.of[ref] == classes.of[f"{ref}-twin"] for ref in some.world.pods)
    assert len(classes.members) == len(GroupedEvaluator(some).classes.members)


@settings(max_examples=40)
@given(states())
def test_without_policies_only_families_and_being_a_pod_make_classes(some: State) -> None:
    places: list[Pod | Endpoint] = [*some.world.pods.values(), *some.world.endpoints.values()]
    kinds = {
        (isinstance(place, Pod), tuple(IPFamily.IPV6 if ":" in each else IPFamily.IPV4 for each in place.addresses))
        for place in places
    }
    assert len(GroupedEvaluator(State(some.world)).classes.members) <= len(kinds)


@settings(max_examples=40)
@given(states())
def test_what_is_counted_and_what_is_listed_are_all_flows_between_different_places(some: State) -> None:
    grouped = GroupedEvaluator(some)
    places = [*some.world.pods, *some.world.endpoints]
    port, protocol = TRIED[0]
    reach = grouped.reach(port, protocol)
    listed = {
        flow: passes for source, destination, passes in reach.pairs() for flow in reach.flows(source, destination)
    }
    flows = [Flow(one, other, port, protocol) for one in places for other in places if one != other]
    decided = {flow: decision.allowed for flow, decision in evaluate(some, flows).items()}
    assert listed == decided
    assert reach.count() == (sum(decided.values()), len(decided) - sum(decided.values()))


def test_both_doors_agree_where_pods_have_families_in_another_order_or_lack_some() -> None:
    for seed in range(100):
        random = Random(seed)
        some = state(random)
        world = some.world
        for pod in some.world.pods.values():
            addresses = random.choice((pod.addresses, pod.addresses[::-1], pod.addresses[:1], ()))
            world = world.with_pod(replace(pod, addresses=addresses))
        assert not differing(State(world, some.policies)), seed
