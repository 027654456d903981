"""What the barrier buys: miniatures that are late and wrong, with canaries and without.

    python benchmarks/barrier.py

For each mistake, cases are drawn that fail where it is made at once, each in an arena of its own. They are run again on miniatures that
make the same mistake late, with canaries and without, in one session as a run has it. A case that passes there is a false pass. Then a sample
of all cases is run on miniatures that are late and right, where whatever does not pass is a false alarm, for what that costs. Time is
virtual: a call takes 0.01 s, a reading 0.001 s, and as long as silence is waited for where something is silent.

Prints Markdown; half an hour of one core. The figures are the same each time.
"""

from __future__ import annotations

import argparse
import itertools
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases
from conformance.lab.miniatures.registry import make
from conformance.model.verdict import CaseResult, Verdict
from conformance.runner.session import Rules, Session

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model.case import Case

#: Defects of what a plugin hears: what a change must take away may be seen too early to have gone.
MISTAKES = (
    "ignores-except",
    "ignores-namespace",
    "isolates-both",
    "keeps-rules",
    "keeps-labels",
    "last-policy-wins",
    "delete-opens",
)
DELAYS = ("0.1", "0.5", "1", "2", "5")
LATE = ("", "deletes-", "node-", "pods-")
WAITING: Mapping[str, Rules] = {"canaries": Rules(), "none": Rules(canaries=False)}
JUDGED = {Verdict.PASS, Verdict.FAIL, Verdict.ERROR}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of the cases of a run, by the miniature's clock."""

    seconds: float
    readings: float
    wrong: int

    def __str__(self) -> str:
        return f"{self.seconds:.1f} s, {self.readings:.1f}" + (f", **{self.wrong} wrong**" if self.wrong else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--most", type=int, default=25, help="how many cases are drawn for a mistake")
    parser.add_argument("--sample", type=int, default=60, help="how many cases the cost is measured on")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mistakes", nargs="*", default=MISTAKES)
    parser.add_argument("--delays", nargs="*", default=DELAYS, help="seconds")
    given = parser.parse_args()
    everything = load_cases(find([cases()]))
    shuffled = random.Random(given.seed).sample(everything, len(everything))
    caught = {mistake: draw(mistake, shuffled, given.most) for mistake in given.mistakes}
    print(
        f"{len(everything)} cases, drawn: " + ", ".join(f"{mistake} {len(of)}" for mistake, of in caught.items()),
        flush=True,
    )
    head("late", "waits for", *caught)
    for late in LATE:
        for delay in given.delays:
            name = f"slow-{late}{delay}s"
            for waiting, rules in WAITING.items():
                row(name, waiting, *(false_passes(f"{name}+{each}", of, rules) for each, of in caught.items()))
    sample = shuffled[: given.sample]
    print(f"\nright, {len(sample)} cases, seed {given.seed}: virtual seconds and readings of a case")
    head("late", *WAITING)
    for late in LATE:
        for delay in given.delays:
            row(f"slow-{late}{delay}s", *(cost(f"slow-{late}{delay}s", sample, rules) for rules in WAITING.values()))


def draw(mistake: str, shuffled: Iterable[Case], most: int) -> Sequence[Case]:
    """Return the first cases that show a mistake, in the order in which they are given."""
    return tuple(itertools.islice((case for case in shuffled if fails_alone(mistake, case)), most))


def fails_alone(mistake: str, case: Case) -> bool:
    return Session(make(mistake)).run(case).verdict is Verdict.FAIL


def false_passes(name: str, of: Sequence[Case], rules: Rules) -> int:
    session = Session(make(name), rules)
    return sum(session.run(case).verdict is Verdict.PASS for case in of)


def cost(name: str, sample: Sequence[Case], rules: Rules) -> Cost:
    target = make(name)
    session = Session(target, rules)
    results: list[CaseResult] = [session.run(case) for case in sample]
    judged = [each for each in results if each.verdict in JUDGED]
    seen = Counter(each.verdict for each in judged)
    readings = sum(step.readings for each in judged for step in each.steps)
    return Cost(target.clock.now() / len(judged), readings / len(judged), len(judged) - seen[Verdict.PASS])


def head(*names: object) -> None:
    row(*names)
    row(*("---" for _ in names))


def row(*cells: object) -> None:
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
