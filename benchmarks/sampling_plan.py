"""The plan of docs/scale.md: which cells of a very large world to try, and in which order; and random cells to compare it with.

Who can afford fewer cells tries a shorter beginning of the plan. Nearly every cell of it is decided by one side alone, the other side
being open: what two sides block hides what one of them lets through.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING

from sampling_strata import PROBE, Cell, Group, Truth

from conformance.model.flow import Flow
from conformance.model.policy import Direction
from conformance.model.state import State
from conformance.oracle.evaluate import Evaluator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from random import Random

_STRATA_TRIED, _OTHERS_TRIED = 16, 6
_FLIPS_OF_A_POD, _SAME_NODE_TRIES, _MORE_ROUNDS = 2, 60, 10


def uniform(truth: Truth, random: Random, most: int) -> list[Cell]:
    """Draw different cells at random, each as likely as any other."""
    found: dict[Cell, None] = {}
    pods = len(truth.pods)
    while len(found) < most:
        source, destination = random.randrange(pods), random.randrange(pods)
        if source != destination:
            found[source, destination, random.randrange(len(PROBE))] = None
    return list(found)


def planned(truth: Truth, groups: Iterable[Group], changed: str, random: Random, most: int) -> list[Cell]:
    """Draw the plan for a step that applied one policy: what it flipped, every node, pairs on one node, every pod, every stratum."""
    let_in: Counter[int] = Counter()
    turns = [_Turns(truth, group, let_in, random) for group in groups]
    mine: dict[int, list[_Turns]] = defaultdict(list)
    for each in turns:
        for subject in each.group.subjects:
            mine[subject].append(each)
    rounds = _rounds(truth, random)
    cells = chain(
        _flipped(truth, mine, changed, random),
        _visits(rounds[0], mine),
        chain.from_iterable(_on_one_node(truth, pods, random) for pods in truth.on_node.values()),
        *(_visits(each, mine) for each in rounds[1:]),
        _unfinished(rounds, mine, turns),
    )
    return list(islice(_different(cells), most))


def _different(cells: Iterable[Cell]) -> Iterator[Cell]:
    seen: set[Cell] = set()
    for cell in cells:
        if cell not in seen:
            seen.add(cell)
            yield cell


class _Turns:
    """The strata and ports of a group in a drawn order; pods of the group take them in turn, for blocked cells and for others."""

    def __init__(self, truth: Truth, group: Group, let_in: Counter[int], random: Random) -> None:
        self.group, self._truth, self._random = group, truth, random
        self._let_in = let_in  # how often each pod was one that a rule must know, so that each is at some time
        self._order = [(stratum, port) for stratum in group.strata for port in range(len(PROBE))]
        random.shuffle(self._order)
        self._next = {True: 0, False: 0}

    def unfinished(self) -> bool:
        """Tell whether a stratum on some port had no turn so far."""
        return min(self._next.values()) < len(self._order)

    def cell(self, subject: int, passes: bool) -> Cell | None:
        """Draw a cell that this side of the subject decides, so that it passes or is blocked; None where the next strata have none."""
        for _ in range(min(_STRATA_TRIED, len(self._order))):
            stratum, port = self._order[self._next[passes] % len(self._order)]
            self._next[passes] += 1
            for other in self._others(stratum, passes):
                egress = self.group.direction is Direction.EGRESS
                cell = (subject, other, port) if egress else (other, subject, port)
                out, into = self._truth.sides(cell)
                own, open_there = (out, into) if egress else (into, out)
                if own is not passes:
                    break  # as for all of the stratum
                if open_there and other != subject:
                    self._let_in[other] += passes and self.group.isolated
                    return cell
        return None

    def _others(self, stratum: tuple[int, ...], passes: bool) -> list[int]:
        drawn = self._random.sample(stratum, min(_OTHERS_TRIED, len(stratum)))
        return sorted(drawn, key=self._let_in.__getitem__) if passes and self.group.isolated else drawn


def _rounds(truth: Truth, random: Random) -> list[list[int]]:
    """Put the pods in rounds: one of each node, then a second one of each, until none is left."""
    shuffled = [random.sample(pods, len(pods)) for pods in truth.on_node.values()]
    return [[pod for pod in each if pod is not None] for each in zip_longest(*shuffled)]


def _visits(pods: Iterable[int], mine: dict[int, list[_Turns]]) -> Iterator[Cell]:
    for pod in pods:
        for turns in mine[pod]:
            for passes in (False, True):
                if cell := turns.cell(pod, passes):
                    yield cell


def _unfinished(rounds: Iterable[list[int]], mine: dict[int, list[_Turns]], turns: Iterable[_Turns]) -> Iterator[Cell]:
    """Go on with the groups of which some strata had no turn, and then with all."""
    while any(each.unfinished() for each in turns):
        for pods in rounds:
            yield from _visits(pods, {pod: [each for each in mine[pod] if each.unfinished()] for pod in pods})
    for _ in range(_MORE_ROUNDS):
        for pods in rounds:
            yield from _visits(pods, mine)


def _on_one_node(truth: Truth, pods: list[int], random: Random) -> Iterator[Cell]:
    """Draw cells between pods of one node: one that only egress blocks, one that only ingress blocks, one that passes."""
    wanted = {(False, True), (True, False), (True, True)}
    for _ in range(_SAME_NODE_TRIES if len(pods) > 1 else 0):
        cell = (*random.sample(pods, 2), random.randrange(len(PROBE)))
        if (sides := truth.sides(cell)) in wanted:
            wanted.remove(sides)
            yield cell


def _flipped(truth: Truth, mine: dict[int, list[_Turns]], changed: str, random: Random) -> Iterator[Cell]:
    """Draw cells that the last change flipped, for each pod that the policy isolates."""
    before = Evaluator(
        State(truth.state.world, {ref: each for ref, each in truth.state.policies.items() if ref != changed})
    )
    concerned = [
        (pod, turns)
        for pod, place in enumerate(truth.pods)
        for turns in mine[pod]
        if changed in {policy.ref for policy in truth.evaluator.isolating(place.ref, turns.group.direction)}
    ]
    random.shuffle(concerned)
    for pod, turns in concerned:
        found = 0
        for passes in (False, True) * _STRATA_TRIED:
            cell = turns.cell(pod, passes)
            if cell and found < _FLIPS_OF_A_POD and side_of(before, truth, turns.group.direction, cell) is not passes:
                found += 1
                yield cell


def side_of(evaluator: Evaluator, truth: Truth, direction: Direction, cell: Cell) -> bool:
    """Return what an evaluator says of one side of a cell."""
    source, destination, port = cell
    side = evaluator.side(direction, Flow(truth.pods[source].ref, truth.pods[destination].ref, *PROBE[port]))
    return side is None or side.allowed
