"""Defects of a simulated implementation of a very large world: each makes some cells differ from what must be seen.

A defect is placed at random: on a node, a pod, a namespace, a policy. `rectangles` bound where it can show, as sources times
destinations; `sides` says what the two sides of a cell do with it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sampling_plan import side_of
from sampling_strata import weaker_selectors

from conformance.model.policy import Direction, LabelSelector
from conformance.model.state import State
from conformance.model.world import Endpoint, Pod
from conformance.oracle.evaluate import Evaluator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable
    from random import Random

    from sampling_strata import Cell, Truth

    from conformance.model.policy import NetworkPolicy, Peer, PolicyPort, Rule

    Sides = Callable[[Cell], tuple[bool, bool]]

_KNOWN_PODS = 8192


@dataclass(frozen=True)
class Placed:
    """One defect in one place."""

    truth: Truth
    sides: Sides
    rectangles: tuple[tuple[Collection[int], Collection[int]], ...]

    def shows(self, cell: Cell) -> bool:
        return all(self.sides(cell)) is not all(self.truth.sides(cell))


def _of(truth: Truth, subjects: Iterable[int], sides: Sides) -> Placed:
    """Place what is wrong with some pods, whoever is at the other end."""
    chosen, everybody = frozenset(subjects), range(len(truth.pods))
    return Placed(truth, sides, ((everybody, chosen), (chosen, everybody)))


def _without_rules(truth: Truth, subjects: Collection[int], *directions: Direction) -> Placed:
    chosen = frozenset(subjects)

    def sides(cell: Cell) -> tuple[bool, bool]:
        out, into = truth.sides(cell)
        return (
            out or (Direction.EGRESS in directions and cell[0] in chosen),
            into or (Direction.INGRESS in directions and cell[1] in chosen),
        )

    return _of(truth, chosen, sides)


def _other_state(truth: Truth, state: State, subjects: Iterable[int] | None = None) -> Placed:
    """Place what makes some pods, or all that it concerns, do what another state would ask of them."""
    wrong = Evaluator(state)
    if subjects is None:
        changed = {ref for ref, policy in truth.state.policies.items() if state.policies.get(ref) is not policy}
        subjects = isolated_by(truth, changed)
    chosen = frozenset(subjects)

    def sides(cell: Cell) -> tuple[bool, bool]:
        out, into = truth.sides(cell)
        return (
            side_of(wrong, truth, Direction.EGRESS, cell) if cell[0] in chosen else out,
            side_of(wrong, truth, Direction.INGRESS, cell) if cell[1] in chosen else into,
        )

    return _of(truth, chosen, sides)


def isolated_by(truth: Truth, refs: Collection[str]) -> list[int]:
    return [
        number
        for number, pod in enumerate(truth.pods)
        if any(policy.ref in refs for side in Direction for policy in truth.evaluator.isolating(pod.ref, side))
    ]


def _not_known(truth: Truth, unknown: Collection[int], nodes: Collection[int] | None = None) -> Placed:
    """Place what makes pods strangers to all selectors of peers, everywhere or on some nodes: only their address is seen."""
    world = truth.state.world
    hidden = {truth.pods[number].ref: truth.pods[number] for number in unknown}
    strangers = {ref: Endpoint(ref, pod.servers, pod.addresses) for ref, pod in hidden.items()}
    wrong = Evaluator(State(replace(world, endpoints={**world.endpoints, **strangers}), truth.state.policies))
    chosen = frozenset(unknown)
    where = range(len(truth.pods)) if nodes is None else [pod for node in nodes for pod in truth.on_node[node]]

    def sides(cell: Cell) -> tuple[bool, bool]:
        source, destination, _ = cell
        out, into = truth.sides(cell)
        if destination in chosen and source not in chosen and (nodes is None or truth.node_of[source] in nodes):
            out = side_of(wrong, truth, Direction.EGRESS, cell)
        if source in chosen and destination not in chosen and (nodes is None or truth.node_of[destination] in nodes):
            into = side_of(wrong, truth, Direction.INGRESS, cell)
        return out, into

    return Placed(truth, sides, ((where, chosen), (chosen, where)))


def _with_policies(truth: Truth, change: Callable[[NetworkPolicy], NetworkPolicy | None]) -> State:
    changed = {ref: change(policy) for ref, policy in truth.state.policies.items()}
    return State(truth.state.world, {ref: policy for ref, policy in changed.items() if policy is not None})


def _with_rules(policy: NetworkPolicy, change: Callable[[Rule], Rule]) -> NetworkPolicy:
    rules = {"ingress": tuple(map(change, policy.ingress)), "egress": tuple(map(change, policy.egress))}
    return policy if rules == {"ingress": policy.ingress, "egress": policy.egress} else replace(policy, **rules)


def _with_peers(truth: Truth, change: Callable[[Peer], Peer]) -> State:
    def changed(rule: Rule) -> Rule:
        return replace(rule, peers=tuple(map(change, rule.peers)))

    return _with_policies(truth, lambda policy: _with_rules(policy, changed))


# The defects, by the dimension in which they show. Each is given the policy that the last change applied.


def node_enforces_nothing(truth: Truth, random: Random, _: str) -> Placed:
    return _without_rules(truth, truth.on_node[_node(truth, random)], *Direction)


def node_enforces_no_egress(truth: Truth, random: Random, _: str) -> Placed:
    return _without_rules(truth, truth.on_node[_node(truth, random)], Direction.EGRESS)


def node_missed_the_last_change(truth: Truth, random: Random, changed: str) -> Placed:
    before = _with_policies(truth, lambda policy: None if policy.ref == changed else policy)
    concerned = {truth.node_of[pod] for pod in isolated_by(truth, {changed})}
    return _other_state(truth, before, truth.on_node[random.choice(sorted(concerned))])


def node_lost_a_policy(truth: Truth, random: Random, _: str) -> Placed:
    lost = random.choice(list(truth.state.policies))
    concerned = isolated_by(truth, {lost}) or [0]
    without = _with_policies(truth, lambda policy: None if policy.ref == lost else policy)
    return _other_state(truth, without, truth.on_node[truth.node_of[random.choice(concerned)]])


def pod_without_rules(truth: Truth, random: Random, _: str) -> Placed:
    return _without_rules(truth, [random.randrange(len(truth.pods))], *Direction)


def pod_unknown_as_a_peer(truth: Truth, random: Random, _: str) -> Placed:
    return _not_known(truth, [random.randrange(len(truth.pods))])


def pod_unknown_as_a_peer_on_one_node(truth: Truth, random: Random, _: str) -> Placed:
    return _not_known(truth, [random.randrange(len(truth.pods))], [_node(truth, random)])


def pods_after_the_8192nd_unknown(truth: Truth, _: Random, __: str) -> Placed:
    return _not_known(truth, range(_KNOWN_PODS, len(truth.pods)))


def namespace_not_watched(truth: Truth, random: Random, _: str) -> Placed:
    name = random.choice(sorted({policy.namespace for policy in truth.state.policies.values()}))
    return _other_state(truth, _with_policies(truth, lambda policy: None if policy.namespace == name else policy))


def policy_lost(truth: Truth, random: Random, _: str) -> Placed:
    lost = random.choice(list(truth.state.policies))
    return _other_state(truth, _with_policies(truth, lambda policy: None if policy.ref == lost else policy))


def labels_of_a_namespace_unknown(truth: Truth, random: Random, _: str) -> Placed:
    name = random.choice(list(truth.state.world.namespaces))
    world = truth.state.world
    bare = replace(world, namespaces={**world.namespaces, name: replace(world.namespaces[name], labels={})})
    wrong = Evaluator(State(bare, truth.state.policies))
    inside = frozenset(number for number, pod in enumerate(truth.pods) if pod.namespace == name)
    return Placed(
        truth,
        lambda cell: tuple(side_of(wrong, truth, side, cell) for side in (Direction.EGRESS, Direction.INGRESS)),
        ((range(len(truth.pods)), inside), (inside, range(len(truth.pods)))),
    )


def except_ignored(truth: Truth, _: Random, __: str) -> Placed:
    return _other_state(
        truth,
        _with_peers(truth, lambda peer: replace(peer, ip_block=peer.ip_block and replace(peer.ip_block, excepts=()))),
    )


def except_of_one_policy_ignored(truth: Truth, random: Random, _: str) -> Placed:
    having = [
        policy.ref
        for policy in truth.state.policies.values()
        if any(
            peer.ip_block and peer.ip_block.excepts for rule in (*policy.ingress, *policy.egress) for peer in rule.peers
        )
    ]
    chosen = random.choice(having)
    without = _with_peers(
        truth, lambda peer: replace(peer, ip_block=peer.ip_block and replace(peer.ip_block, excepts=()))
    )
    return _other_state(
        truth, _with_policies(truth, lambda policy: without.policies[chosen] if policy.ref == chosen else policy)
    )


def key_of_pods_ignored(truth: Truth, _: Random, __: str) -> Placed:
    return _other_state(
        truth, _with_peers(truth, lambda peer: replace(peer, pod_selector=_without_key(peer.pod_selector, "tier")))
    )


def key_of_one_policy_ignored(truth: Truth, random: Random, _: str) -> Placed:
    having = [
        (policy.ref, weaker, peer)
        for policy in truth.state.policies.values()
        for rule in (*policy.ingress, *policy.egress)
        for peer in rule.peers
        if peer.pod_selector
        for weaker in weaker_selectors(peer.pod_selector)
    ]
    chosen, weaker, wrong = random.choice(having)
    other = _with_peers(truth, lambda peer: replace(peer, pod_selector=weaker) if peer is wrong else peer)
    return _other_state(
        truth, _with_policies(truth, lambda each: other.policies[chosen] if each.ref == chosen else each)
    )


def selector_means_every_namespace(truth: Truth, _: Random, __: str) -> Placed:
    return _other_state(
        truth,
        _with_peers(
            truth,
            lambda peer: (
                peer if peer.ip_block or peer.namespace_selector else replace(peer, namespace_selector=LabelSelector())
            ),
        ),
    )


def range_ends_one_too_late(truth: Truth, _: Random, __: str) -> Placed:
    def port(old: PolicyPort) -> PolicyPort:
        return replace(old, end_port=old.end_port + 1) if old.end_port else old

    def rule(old: Rule) -> Rule:
        return replace(old, ports=tuple(map(port, old.ports)))

    return _other_state(truth, _with_policies(truth, lambda policy: _with_rules(policy, rule)))


def ingress_only_across_nodes(truth: Truth, _: Random, __: str) -> Placed:
    def sides(cell: Cell) -> tuple[bool, bool]:
        out, into = truth.sides(cell)
        return out, into or truth.node_of[cell[0]] == truth.node_of[cell[1]]

    return Placed(truth, sides, tuple((pods, pods) for pods in truth.on_node.values()))


def one_node_enforces_only_across_nodes(truth: Truth, random: Random, _: str) -> Placed:
    pods = truth.on_node[_node(truth, random)]
    within = frozenset(pods)

    def sides(cell: Cell) -> tuple[bool, bool]:
        same = cell[0] in within and cell[1] in within
        out, into = truth.sides(cell)
        return out or same, into or same

    return Placed(truth, sides, ((pods, pods),))


def workloads_taken_for_each_other(truth: Truth, random: Random, _: str) -> Placed:
    """Two sets of labels have the same identity: the pods of one are let in where those of the other are."""
    one, other = random.sample(range(len(truth.pods)), 2)
    alike = frozenset(number for number, pod in enumerate(truth.pods) if _identity(pod) == _identity(truth.pods[one]))

    def sides(cell: Cell) -> tuple[bool, bool]:
        source, destination, port = cell
        out, into = truth.sides(cell)
        if destination in alike:
            out = truth.sides((source, other, port))[0]
        if source in alike:
            into = truth.sides((other, destination, port))[1]
        return out, into

    return _of(truth, alike, sides)


def node_cannot_reach_another(truth: Truth, random: Random, _: str) -> Placed:
    one, other = (truth.on_node[node] for node in random.sample(list(truth.on_node), 2))
    return Placed(
        truth,
        lambda cell: (False, False) if cell[0] in one and cell[1] in other else truth.sides(cell),
        ((one, other),),
    )


def _identity(pod: Pod) -> tuple[str, frozenset[tuple[str, str]]]:
    return pod.namespace, frozenset(pod.labels.items())


def _without_key(selector: LabelSelector | None, key: str) -> LabelSelector | None:
    labels = selector and {each: value for each, value in selector.match_labels.items() if each != key}
    return selector and replace(selector, match_labels=labels)


def _node(truth: Truth, random: Random) -> int:
    return random.choice(list(truth.on_node))
