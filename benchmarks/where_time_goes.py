"""Where the time of a run goes: one worker, some of the cases, every wait by its reason.

    python benchmarks/where_time_goes.py --target kubernetes --context CONTEXT --image IMAGE --every 8

runs every 8th case and prints, for each reason, the seconds and their share; then seconds a step, probes a second, and how long
changes took. A reading with a silent flow lasts as long as such a flow is given: that is time lost to timeouts, and the rest of a reading is not.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from conformance import targets
from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases as packaged_cases
from conformance.model.matrix import Observed
from conformance.runner.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.model.verdict import CaseResult
    from conformance.model.world import World

SILENCE, ANSWERS = "silent flows: timeouts waited for", "readings, but for that"
HOLDS = "holds, and pauses between readings"
CHANGES = "policies and labels: until the API's answer"
PODS = "pods, namespaces and Services: until they are there or gone"
ARENAS = "arenas: opened and closed"
REST = "the suite itself: evaluating, judging"


class Watched:
    """An arena whose every call is timed."""

    def __init__(self, arena: Any, book: Counter[str]) -> None:
        self._arena = arena
        self._book = book

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._arena, name)
        if name not in {"change", "close", "discard"} and not name.startswith(("create_", "delete_")):
            return found

        def timed(*arguments: Any) -> Any:
            began = time.monotonic()
            try:
                return found(*arguments)
            finally:
                reason = {"change": CHANGES, "close": ARENAS}.get(name, PODS)
                self._book[reason] += time.monotonic() - began

        return timed

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        began = time.monotonic()
        seen = self._arena.probe(flows, timeout)
        took = time.monotonic() - began
        silent = min(took, timeout) if any(each.observed is Observed.DROPPED for each in seen.values()) else 0.0
        self._book[SILENCE] += silent
        self._book[ANSWERS] += took - silent
        self._book["probes"] += len(flows)
        self._book["readings"] += 1
        return seen


class WatchedTarget:
    """A target whose arenas are watched, and whose clock counts what is slept."""

    def __init__(self, target: Any, book: Counter[str]) -> None:
        self._target = target
        self._book = book
        self.at_once, self.timeouts, self.clock = target.at_once, target.timeouts, self

    def now(self) -> float:
        return self._target.clock.now()

    def sleep(self, seconds: float) -> None:
        self._book[HOLDS] += seconds
        self._target.clock.sleep(seconds)

    def describe(self) -> Any:
        return self._target.describe()

    def open_arena(self, world: World, name: str) -> Watched:
        began = time.monotonic()
        try:
            return Watched(self._target.open_arena(world, name), self._book)
        finally:
            self._book[ARENAS] += time.monotonic() - began

    def close(self) -> None:
        self._target.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--target", default="netns")
    parser.add_argument("--context", default="")
    parser.add_argument("--image", default="")
    parser.add_argument("--external", default="")
    parser.add_argument("--every", type=int, default=1)
    given = parser.parse_args()
    chosen = load_cases(find([packaged_cases()]))[:: given.every]
    book: Counter[str] = Counter()
    target = targets.make(
        targets.TargetOptions(target=given.target, context=given.context, image=given.image, external=given.external)
    )
    began = time.monotonic()
    session = Session(WatchedTarget(target, book))
    try:
        results = [session.run(case) for case in chosen]
    finally:
        session.close()
        target.close()
    report(results, book, time.monotonic() - began)


def report(results: Sequence[CaseResult], book: Counter[str], whole: float) -> None:
    reasons = (SILENCE, HOLDS, ANSWERS, CHANGES, PODS, ARENAS)
    book[REST] = whole - sum(book[each] for each in reasons)
    verdicts = Counter(each.verdict.value for each in results)
    print(f"{len(results)} cases ({dict(verdicts)}) in {whole:.1f} s, one after another")
    for reason in (*reasons, REST):
        print(f"  {book[reason]:7.1f} s  {book[reason] / whole:6.1%}  {reason}")
    reading = book[SILENCE] + book[ANSWERS]
    print(
        f"{book['probes']:.0f} probes in {book['readings']:.0f} readings, {book['probes'] / reading:.0f} probes a second of reading"
    )
    for title, values in (
        ("seconds a step", [step.seconds for result in results for step in result.steps]),
        ("seconds until the slowest cell of a step showed its change", list(_slowest(results))),
        ("seconds until the canaries of a step showed", [s.barrier for r in results for s in r.steps if s.barrier]),
    ):
        if values:
            ordered = sorted(values)
            print(
                f"{title}: median {statistics.median(ordered):.2f}, p95 {ordered[int(len(ordered) * 0.95)]:.2f}, max {ordered[-1]:.2f}"
            )


def _slowest(results: Sequence[CaseResult]) -> Iterator[float]:
    return (max(step.latencies) for result in results for step in result.steps if step.latencies)


if __name__ == "__main__":
    main()
