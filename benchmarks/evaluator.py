"""How long the evaluator takes, and how much memory: both of its doors, on worlds of 9 to 5,000 pods under 0 to 1,000 policies.

    python benchmarks/evaluator.py

prints for each world the processor's seconds (minimum, median, maximum of the repetitions), the median of the clock's, which other work on
the machine makes longer, and the peak of Python's memory in one more repetition, which is not timed. `classes` is the grouped door: to
group, and then to decide the whole matrix of one port, and of all. `flows` is the door of the runner: a decision with evidence for every
flow of one port. The endpoint outside has a class too; the flows counted are those between pods. The same seed makes the same worlds; the
i-th repetition uses seed + i.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import time
import tracemalloc
from typing import TYPE_CHECKING

from large_worlds import PORTS, large_state

from conformance.model.flow import Flow
from conformance.oracle.classes import GroupedEvaluator
from conformance.oracle.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model.state import State

WORLDS = tuple((pods, policies) for pods in (9, 90, 500, 5000) for policies in (0, 10, 100, 1000))
#: More than this the door for single flows is not asked: it keeps the evidence of each.
MOST_WORK = 3_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="worlds such as 500x100,5000x1000")
    given = parser.parse_args()
    only = [tuple(map(int, each.split("x"))) for each in given.only.split(",") if each]
    print("pods policies door | flows classes | processor seconds: min median max | clock | peak MB")
    for pods, policies in only or WORLDS:
        states = [large_state(pods, policies, seed=given.seed + each) for each in range(given.repeat)]
        classes = len(GroupedEvaluator(states[0]).classes.members)
        matrix = pods * (pods - 1)
        for ports in (1, len(PORTS)):
            told(
                f"{pods} {policies} classes | {matrix * ports} {classes}",
                states,
                lambda state, n=ports: by_classes(state, n),
            )
        if matrix * max(policies, 1) <= MOST_WORK:
            told(f"{pods} {policies} flows | {matrix} -", states, by_flows)


def by_classes(state: State, ports: int) -> None:
    grouped = GroupedEvaluator(state)
    for port in PORTS[:ports]:
        passing, blocked = grouped.reach(*port).count()
        places = len(state.world.pods) + len(state.world.endpoints)
        assert passing + blocked == places * (places - 1)


def by_flows(state: State) -> None:
    refs = list(state.world.pods)
    evaluate(state, (Flow(one, other, *PORTS[0]) for one in refs for other in refs if one != other))


def told(what: str, states: list[State], work: Callable[[State], None]) -> None:
    seconds, clock = [], []
    for state in states:
        gc.collect()
        began = time.process_time(), time.perf_counter()
        work(state)
        seconds.append(time.process_time() - began[0])
        clock.append(time.perf_counter() - began[1])
    tracemalloc.start()
    work(states[0])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    spread = " ".join(f"{each:.4f}" for each in (min(seconds), statistics.median(seconds), max(seconds)))
    print(f"{what} | {spread} | {statistics.median(clock):.4f} | {peak / 1e6:.1f}", flush=True)


if __name__ == "__main__":
    main()
