"""How often a sample of a very large world sees a defect: the plan of docs/scale.md against cells drawn at random.

    python benchmarks/sampling.py

simulates 1,000 nodes, 10,000 pods, 200 namespaces and 500 policies. Some samples are drawn, each for a step that applied another policy; each
defect is put in several places for each sample; and it is counted in how many places the first so many cells of the sample see it. Only
places count where something shows: where of 2,000 cells drawn from where the defect could show at least one does. Printed are, for each
defect, the share of all cells that show it (median over its places), and the places in which it was seen, of each sort of sample and each
size, with the limits of a 95 % confidence interval (Wilson). The same seed gives the same figures.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections import defaultdict
from itertools import accumulate
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import sampling_defects as defects
from large_worlds import large_state
from sampling_plan import planned, uniform
from sampling_strata import PROBE, Truth, groups

from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sampling_defects import Placed
    from sampling_strata import Cell

SIZES = (3_000, 10_000, 30_000)
_LOOKED_AT, _PLACES_TRIED = 2_000, 5

#: Each with how often it is placed for each sample; once where it is everywhere.
DEFECTS = (
    (defects.node_enforces_nothing, 6),
    (defects.node_enforces_no_egress, 6),
    (defects.node_missed_the_last_change, 6),
    (defects.node_lost_a_policy, 6),
    (defects.one_node_enforces_only_across_nodes, 6),
    (defects.pod_without_rules, 6),
    (defects.pod_unknown_as_a_peer, 6),
    (defects.pod_unknown_as_a_peer_on_one_node, 6),
    (defects.pods_after_the_8192nd_unknown, 1),
    (defects.namespace_not_watched, 6),
    (defects.labels_of_a_namespace_unknown, 6),
    (defects.policy_lost, 6),
    (defects.except_ignored, 1),
    (defects.except_of_one_policy_ignored, 6),
    (defects.key_of_pods_ignored, 1),
    (defects.key_of_one_policy_ignored, 6),
    (defects.selector_means_every_namespace, 1),
    (defects.range_ends_one_too_late, 1),
    (defects.ingress_only_across_nodes, 1),
    (defects.workloads_taken_for_each_other, 6),
    (defects.node_cannot_reach_another, 6),
)


class Sample:
    """Cells in an order, found by who is at their ends."""

    def __init__(self, cells: Sequence[Cell]) -> None:
        self._cells = cells
        self._by_end: tuple[dict[int, list[int]], dict[int, list[int]]] = (defaultdict(list), defaultdict(list))
        for place, (source, destination, _) in enumerate(cells):
            self._by_end[0][source].append(place)
            self._by_end[1][destination].append(place)

    def first_that_shows(self, placed: Placed) -> float:
        """Return how many cells must be tried to see a defect; infinity where none of them shows it."""
        places: set[int] = set()
        for rectangle in placed.rectangles:
            end = 0 if len(rectangle[0]) < len(rectangle[1]) else 1
            places.update(place for pod in rectangle[end] for place in self._by_end[end].get(pod, ()))
        return next((place + 1 for place in sorted(places) if placed.shows(self._cells[place])), math.inf)


class Counted(NamedTuple):
    """One place of one defect: the share of all cells that show it, and how many cells each sort of sample needed."""

    share: float
    needed: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=1_000)
    parser.add_argument("--namespaces", type=int, default=200)
    parser.add_argument("--policies", type=int, default=500)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began, random = time.process_time(), Random(f"sampling {given.seed}")
    truth = Truth(
        large_state(given.pods, given.policies, nodes=given.nodes, namespaces=given.namespaces, seed=given.seed)
    )
    grouped = groups(truth, random)
    strata = sum(len(each.strata) for each in grouped)
    print(f"{len(set(truth.classes))} classes, {len(grouped)} groups, {strata} strata on {len(PROBE)} ports")
    isolating = sorted(
        {policy.ref for pod in truth.pods for side in Direction for policy in truth.evaluator.isolating(pod.ref, side)}
    )
    found: dict[str, list[Counted]] = defaultdict(list)
    empty: dict[str, int] = defaultdict(int)
    for number in range(given.samples):
        print(f"sample {number}, {time.process_time() - began:.0f} s", file=sys.stderr, flush=True)
        changed = random.choice(isolating)
        samples = {
            "random": Sample(uniform(truth, random, SIZES[-1])),
            "plan": Sample(planned(truth, grouped, changed, random, SIZES[-1])),
        }
        for defect, places in DEFECTS:
            for _ in range(places):
                for _ in range(_PLACES_TRIED):
                    placed = defect(truth, random, changed)
                    if share := share_that_shows(placed, random):
                        needed = {name: sample.first_that_shows(placed) for name, sample in samples.items()}
                        found[defect.__name__].append(Counted(share, needed))
                        break
                    empty[defect.__name__] += 1
    for defect, _ in DEFECTS:
        told(defect.__name__, found[defect.__name__], empty[defect.__name__])
    print(f"{time.process_time() - began:.0f} s of the processor")


def share_that_shows(placed: Placed, random: Random) -> float:
    """Estimate which share of all cells shows a defect, from cells drawn where it could; 0 where none was met."""
    rectangles = [(list(sources), list(destinations)) for sources, destinations in placed.rectangles]
    sizes = list(accumulate(len(sources) * len(destinations) for sources, destinations in rectangles))
    shown = drawn = 0
    while sizes[-1] and drawn < _LOOKED_AT and shown < 5:
        sources, destinations = random.choices(rectangles, cum_weights=sizes)[0]
        cell = (random.choice(sources), random.choice(destinations), random.randrange(len(PROBE)))
        drawn += 1
        shown += cell[0] != cell[1] and placed.shows(cell)
    return shown / max(drawn, 1) * sizes[-1] / len(placed.truth.pods) ** 2


def told(name: str, counted: Sequence[Counted], empty: int) -> None:
    share = statistics.median(each.share for each in counted) if counted else 0
    print(f"{name}: {len(counted)} places ({empty} more where nothing shows), share {share:.1e}")
    for sort in ("random", "plan"):
        seen = [sum(each.needed[sort] <= size for each in counted) for size in SIZES]
        print(f"  {sort:6} " + "  ".join(f"{interval(each, len(counted))}" for each in seen))


def interval(seen: int, of: int) -> str:
    """Return a share in percent with the limits of its 95 % confidence interval."""
    if not of:
        return "-"
    z, share = 1.96, seen / of
    middle, spread = share + z * z / (2 * of), z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    low, high = ((middle + sign * spread) / (1 + z * z / of) for sign in (-1, 1))
    return f"{100 * share:.0f} ({100 * low:.0f}-{100 * high:.0f})"


if __name__ == "__main__":
    main()
