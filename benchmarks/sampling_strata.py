"""What must be seen in a very large world, and what of it a sample should tell apart: who is judged, by what, and what comes close to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from large_worlds import PORTS

from conformance.model.policy import Direction, LabelSelector, Peer, Rule
from conformance.model.world import Protocol
from conformance.oracle.classes import GroupedEvaluator
from conformance.oracle.evaluate import Evaluator
from conformance.oracle.representatives import Representatives, numbers_in, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from conformance.model.policy import NetworkPolicy
    from conformance.model.state import State

#: A source, a destination and a port, as numbers.
Cell = tuple[int, int, int]

#: The ports that policies name, and the one after their range.
PROBE = (*PORTS, (82, Protocol.TCP))

_SHORT_LIST = 200


class Truth:
    """What must be seen in one state, side by side, between pods that are known by their numbers."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.pods = tuple(state.world.pods.values())
        grouped = GroupedEvaluator(state)
        self.reaches = [grouped.reach(*port) for port in PROBE]
        self.classes = [grouped.classes.of[pod.ref] for pod in self.pods]
        self.evaluator = Evaluator(state)
        self.node_of = [pod.node for pod in self.pods]
        self.on_node: dict[int, list[int]] = defaultdict(list)
        for number, node in enumerate(self.node_of):
            self.on_node[node].append(number)

    def sides(self, cell: Cell) -> tuple[bool, bool]:
        """Return whether the source's egress and the destination's ingress let a cell pass."""
        source, destination, port = cell
        one, other, reach = self.classes[source], self.classes[destination], self.reaches[port]
        return bool(reach.out[one] >> other & 1), bool(reach.into[one] >> other & 1)


@dataclass(frozen=True)
class Group:
    """Pods that the same policies isolate in a direction, and strata of others: of two in one stratum these policies say the same."""

    direction: Direction
    subjects: tuple[int, ...]
    strata: tuple[tuple[int, ...], ...]
    isolated: bool


def groups(truth: Truth, random: Random) -> list[Group]:
    """Group the pods for each direction; of each stratum of the others a short list is drawn."""
    them = Representatives(truth.state.world, truth.pods)
    found = []
    for direction in Direction:
        isolating: dict[tuple[str, ...], tuple[NetworkPolicy, ...]] = {}
        subjects: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for number, pod in enumerate(truth.pods):
            policies = truth.evaluator.isolating(pod.ref, direction)
            refs = tuple(policy.ref for policy in policies)
            isolating[refs] = policies
            subjects[refs].append(number)
        for refs, policies in isolating.items():
            strata = tuple(_short(cell, random) for cell in _strata(them, policies, direction))
            found.append(Group(direction, tuple(subjects[refs]), strata, isolated=bool(policies)))
    return found


def _strata(them: Representatives, policies: Sequence[NetworkPolicy], direction: Direction) -> list[int]:
    """Cut the others by what each rule says of them, and add those that a rule would match with one of its conditions away."""
    rules = [(policy.namespace, rule) for policy in policies for rule in policy.rules(direction)]
    matched = [(namespace, rule, them.matching(rule, namespace, None)) for namespace, rule in rules]
    differences = {each for *_, each in matched}
    if direction is Direction.EGRESS:  # named ports are where the other one has them
        differences |= {them.on_port(rule, *port) for _, rule in rules for port in PROBE}
    found = dict.fromkeys(split([them.everybody], differences))
    for namespace, rule, mine in matched:
        for peer in rule.peers:
            for weaker in weaker_peers(peer):
                missed = them.matching(Rule((weaker,)), namespace, None) & ~mine
                if missed:
                    found[missed] = None
    return list(found)


def weaker_peers(peer: Peer) -> Iterator[Peer]:
    """Yield a peer with one condition away: a label, an expression, the limit to its namespace, a hole of a block."""
    if peer.ip_block is not None:
        for hole in peer.ip_block.excepts:
            excepts = tuple(each for each in peer.ip_block.excepts if each != hole)
            yield Peer(ip_block=replace(peer.ip_block, excepts=excepts))
        return
    if peer.pod_selector is not None:
        yield from (replace(peer, pod_selector=weaker) for weaker in weaker_selectors(peer.pod_selector))
    if peer.namespace_selector is None:
        yield replace(peer, namespace_selector=LabelSelector())
    else:
        yield from (replace(peer, namespace_selector=weaker) for weaker in weaker_selectors(peer.namespace_selector))


def weaker_selectors(selector: LabelSelector) -> Iterator[LabelSelector]:
    """Yield a selector with one label or one expression away."""
    for key in selector.match_labels:
        labels = {each: value for each, value in selector.match_labels.items() if each != key}
        yield replace(selector, match_labels=labels)
    for number in range(len(selector.match_expressions)):
        kept = selector.match_expressions[:number] + selector.match_expressions[number + 1 :]
        yield replace(selector, match_expressions=kept)


def _short(others: int, random: Random) -> tuple[int, ...]:
    found = list(numbers_in(others))
    return tuple(random.sample(found, min(_SHORT_LIST, len(found))))
