"""What holds of every world and every set of policies, whatever they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import strategies
from brute_force import subjects
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.model.flow import Flow
from conformance.model.policy import Direction, LabelSelector, Peer, PolicyPort, Requirement, Rule
from conformance.model.state import State
from conformance.model.world import NAMESPACE_NAME_LABEL, World
from conformance.oracle.evaluate import evaluate
from conformance.oracle.nearly import near_misses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from random import Random
    from typing import TypeVar

    from conformance.model.policy import NetworkPolicy

    T = TypeVar("T")

randoms = st.randoms(use_true_random=False)
law = settings(max_examples=60)


def answers(state: State) -> Mapping[Flow, bool | None]:
    """Return what the evaluator says of every connection between two different places."""
    places = [*state.world.pods, *state.world.endpoints]
    flows = [
        Flow(source, destination, port, protocol)
        for source in places
        for destination in places
        for port, protocol in strategies.TRIED
        if source != destination
    ]
    return {flow: decision.allowed for flow, decision in evaluate(state, flows).items()}


def passing(state: State) -> set[Flow]:
    return {flow for flow, allowed in answers(state).items() if allowed}


def with_policies(state: State, change: Callable[[NetworkPolicy], NetworkPolicy]) -> State:
    changed = [change(policy) for policy in state.policies.values()]
    return State(state.world, {policy.ref: policy for policy in changed})


@law
@given(randoms)
def test_order_of_policies_rules_peers_and_ports_does_not_matter(random: Random) -> None:
    def shuffled(some: Sequence[T]) -> tuple[T, ...]:
        return tuple(random.sample(some, len(some)))

    def reordered(rule: Rule) -> Rule:
        return Rule(shuffled(rule.peers), shuffled(rule.ports))

    state = strategies.state(random)
    other = with_policies(
        state,
        lambda each: replace(
            each,
            ingress=shuffled([reordered(rule) for rule in each.ingress]),
            egress=shuffled([reordered(rule) for rule in each.egress]),
        ),
    )
    other = State(state.world, dict(shuffled(list(other.policies.items()))))
    assert answers(other) == answers(state)


@law
@given(randoms)
def test_an_added_rule_never_blocks(random: Random) -> None:
    state, rule = strategies.state(random), strategies.rule(random)
    direction = random.choice(("ingress", "egress"))
    wider = with_policies(state, lambda each: replace(each, **{direction: (*getattr(each, direction), rule)}))
    assert passing(state) <= passing(wider)


@law
@given(randoms)
def test_a_rule_without_peers_and_ports_allows_all_that_the_policy_is_about(random: Random) -> None:
    state = strategies.state(random)
    opened = with_policies(state, lambda each: replace(each, ingress=(Rule(),), egress=(*each.egress, Rule())))
    assert all(answers(opened).values())


@law
@given(randoms)
def test_an_added_policy_only_ever_blocks_where_nothing_isolated_before(random: Random) -> None:
    """Policies add up: one more can close a pod that was open, and can only open one that was closed."""
    state, policy = strategies.state(random), strategies.policy(random, "more")
    before, after = answers(state), answers(State(state.world, {**state.policies, policy.ref: policy}))
    isolated = {
        direction: {
            ref
            for each in state.policies.values()
            if direction in each.policy_types
            for ref in subjects(each, state.world)
        }
        for direction in Direction
    }
    for flow, allowed in before.items():
        already = flow.source in isolated[Direction.EGRESS] or flow.source in state.world.endpoints
        if already and (flow.destination in isolated[Direction.INGRESS] or flow.destination in state.world.endpoints):
            assert after[flow] or not allowed, flow


@law
@given(randoms)
def test_a_policy_changes_nothing_for_pods_that_it_does_not_select(random: Random) -> None:
    state, policy = strategies.state(random), strategies.policy(random, "more")
    before, after = answers(state), answers(State(state.world, {**state.policies, policy.ref: policy}))
    chosen = subjects(policy, state.world)
    for flow, allowed in before.items():
        concerned = (Direction.INGRESS in policy.policy_types and flow.destination in chosen) or (
            Direction.EGRESS in policy.policy_types and flow.source in chosen
        )
        assert concerned or after[flow] is allowed, flow


@law
@given(randoms)
def test_both_sides_must_allow_and_nobody_else_is_asked(random: Random) -> None:
    state = strategies.state(random)
    sides = [
        passing(
            State(
                state.world,
                {
                    ref: replace(policy, policy_types=frozenset({direction}))
                    for ref, policy in state.policies.items()
                    if direction in policy.policy_types
                },
            )
        )
        for direction in Direction
    ]
    assert passing(state) == sides[0] & sides[1]


@law
@given(randoms)
def test_a_policy_is_the_sum_of_its_rules(random: Random) -> None:
    """A policy may be cut into one policy for each rule, or for each peer and port, without a difference."""
    state = strategies.state(random)
    pieces: dict[str, NetworkPolicy] = {}
    for policy in state.policies.values():
        whole = replace(policy, ingress=(), egress=())
        cut = [replace(whole, ingress=(piece,)) for rule in policy.ingress for piece in _pieces(rule)]
        cut += [replace(whole, egress=(piece,)) for rule in policy.egress for piece in _pieces(rule)]
        for number, each in enumerate((whole, *cut)):
            pieces[f"{policy.ref}-{number}"] = replace(each, name=f"{policy.name}-{number}")
    assert answers(State(state.world, pieces)) == answers(state)


def _pieces(rule: Rule) -> list[Rule]:
    peers: list[tuple[Peer, ...]] = [(peer,) for peer in rule.peers] or [()]
    ports: list[tuple[PolicyPort, ...]] = [(port,) for port in rule.ports] or [()]
    return [Rule(peer, port) for peer in peers for port in ports]


@law
@given(randoms)
def test_namespaces_may_be_renamed(random: Random) -> None:
    """Names of namespaces mean nothing but themselves: change all of them, also where a selector says one, and nothing changes."""
    state = strategies.state(random)
    names = dict(zip(strategies.NAMESPACES, random.choice((("n1", "n2", "n0"), ("a", "b", "c"))), strict=True))

    def ref(old: str) -> str:
        namespace, slash, name = old.partition("/")
        return f"{names[namespace]}/{name}" if slash else old

    world = World(
        {names[name]: replace(each, name=names[name]) for name, each in state.world.namespaces.items()},
        {ref(old): replace(pod, namespace=names[pod.namespace]) for old, pod in state.world.pods.items()},
        endpoints=state.world.endpoints,
    )
    renamed = State(world, {ref(old): _renamed(each, names) for old, each in state.policies.items()})
    expected = {
        replace(flow, source=ref(flow.source), destination=ref(flow.destination)): allowed
        for flow, allowed in answers(state).items()
    }
    assert answers(renamed) == expected


def _renamed(policy: NetworkPolicy, names: Mapping[str, str]) -> NetworkPolicy:
    def selector(old: LabelSelector | None) -> LabelSelector | None:
        return old and LabelSelector(
            {key: names[value] if key == NAMESPACE_NAME_LABEL else value for key, value in old.match_labels.items()},
            tuple(
                Requirement(each.key, each.operator, tuple(names[value] for value in each.values))
                if each.key == NAMESPACE_NAME_LABEL
                else each
                for each in old.match_expressions
            ),
        )

    def rules(old: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            replace(
                rule,
                peers=tuple(replace(peer, namespace_selector=selector(peer.namespace_selector)) for peer in rule.peers),
            )
            for rule in old
        )

    return replace(
        policy, namespace=names[policy.namespace], ingress=rules(policy.ingress), egress=rules(policy.egress)
    )


@law
@given(randoms)
def test_evidence_is_what_decides(random: Random) -> None:
    """A side is open for want of policies or because a named rule matches: with that rule, peer and port alone it still does."""
    state = strategies.state(random)
    for flow, decision in evaluate(state, answers(state)).items():
        assert decision.allowed is all(side.allowed for side in decision.sides)
        for side in decision.sides:
            assert side.isolated is bool(side.selecting)
            assert side.allowed is (not side.isolated or bool(side.matching))
            assert {each.policy for each in side.matching} <= {each.policy for each in side.selecting}
            for each in side.matching:
                policy = state.policies[each.policy]
                rule = policy.rules(each.direction)[each.rule]
                alone = Rule(
                    () if each.peer is None else (rule.peers[each.peer],),
                    () if each.port is None else (rule.ports[each.port],),
                )
                only = replace(policy, ingress=(alone,), egress=(alone,), policy_types=frozenset({each.direction}))
                assert evaluate(State(state.world, {policy.ref: only}), [flow])[flow].allowed, each


@law
@given(strategies.states())
def test_a_rule_that_nearly_matches_lacks_one_condition_at_least_and_none_is_left_out(state: State) -> None:
    for flow, decision in evaluate(state, answers(state)).items():
        for side in decision.sides:
            if side.allowed:
                continue
            misses = list(near_misses(state, flow, side))
            assert not any(miss.peers and miss.ports for miss in misses)
            rules = sum(len(state.policies[each.policy].rules(side.direction)) for each in side.selecting)
            assert len(misses) == rules
