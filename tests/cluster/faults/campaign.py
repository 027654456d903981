"""Runs of the suite while things go wrong: whatever a case's verdict is then, nothing but the plugin may have earned it.

    python tests/cluster/faults/campaign.py --context CONTEXT --image IMAGE --faults 200
    python tests/cluster/faults/campaign.py --context CONTEXT --image IMAGE --faults 200 -- --timeout settle=5

First the cases are run without faults: those are the verdicts that are right. Then they are run again and again, and in each run faults of random kinds are made to
happen, one after the other. A run that ends before its time is resumed. A verdict other than the right one must be `error` or `unsupported`, and a run may end as one
in which a case failed only where one did. Each run must end within its ceiling and without a traceback, and after `cleanup` nothing of it may be left. Prints
Markdown, and a line for each run as it ends. What comes after `--` is for `netpol-conformance run`: where nothing enforces policies, a shorter wait for what does not come.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from api_proxy import ApiProxy
from faults import FAULTS
from scene import TO_END, NothingThere, Scene, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CASES = (
    "cases/recipes",
    "cases/lifecycle/pod-created-later.yaml",
    "cases/ingress/peer-relabelled.yaml",
    "cases/ingress/namespace-relabelled.yaml",
)
#: Cases are put right, or end with an error, within their timeouts; a run of all of these takes half a minute where nothing goes wrong.
CEILING = 900.0
#: After so many starts a run is resumed without faults: then it must come to its end.
_DISTURBED_STARTS = 6
_NOT_JUDGED = {"error", "unsupported", "skipped"}
_DISK = "1m"
_FAILED = 1


@dataclass
class Outcome:
    """What came of a run with faults. `false` is what nobody earned: verdicts, and exit statuses. `left` is what was there after `cleanup`."""

    injected: list[str] = field(default_factory=list)
    verdicts: Mapping[str, str] = field(default_factory=dict)
    false: list[str] = field(default_factory=list)
    reasons: Sequence[str] = ()
    starts: int = 0
    whole: bool = False
    hung: bool = False
    left: Sequence[str] = ()
    output: str = ""

    @property
    def bad(self) -> bool:
        return bool(self.false or self.hung or self.left or not self.whole or "Traceback" in self.output)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--context", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--faults", type=int, default=200, help="how many are made to happen, at the least")
    parser.add_argument("--minutes", type=float, default=600.0, help="after so many no other run is begun")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(FAULTS), help="only these")
    parser.add_argument("--workers", default="2")
    parser.add_argument("more", nargs="*", help="for `netpol-conformance run`")
    given = parser.parse_args()
    # What a shell starts in the background ignores SIGINT, and so would all runs.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    options = (*CASES, "-m", "core", "-n", given.workers, f"--image={given.image}", *given.more)
    drawn = random.Random(given.seed)
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, ApiProxy(given.context, Path(folder)) as proxy:

        def scene(name: str) -> Scene:
            return Scene(given.context, proxy, name, drawn, Path(folder) / name)

        right = run(scene("calm"), options, (), {})
        print(f"without faults: {dict(Counter(right.verdicts.values()))}", flush=True)
        while injected(outcomes).total() < given.faults and time.monotonic() - began < given.minutes * 60:
            outcomes.append(run(scene(f"fault{len(outcomes)}"), options, given.kinds, right.verdicts))
            tell(outcomes[-1], injected(outcomes).total())
    summary(outcomes)
    return int(any(each.bad for each in outcomes))


def injected(outcomes: Sequence[Outcome]) -> Counter[str]:
    return Counter(kind for each in outcomes for kind in each.injected)


def run(scene: Scene, options: Sequence[str], kinds: Sequence[str], right: Mapping[str, str]) -> Outcome:
    """Run the cases until all have a verdict, with a fault every few seconds if there are kinds of them, and tell what came of it."""
    outcome = Outcome()
    output = scene.report.with_suffix(".out")
    scene.set_clock(0)
    scene.report.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(scene.report)]
    scene.has_disk = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        while not outcome.whole and not outcome.hung and outcome.starts <= _DISTURBED_STARTS:
            outcome.starts += 1
            scene.start(options, output)
            _disturb(scene, kinds if outcome.starts <= _DISTURBED_STARTS else (), outcome)
            scene.put_right(everything=True)
            outcome.whole = bool(scene.lines("footer"))
            assert scene.process is not None
            if scene.process.returncode == _FAILED and not any(
                each["verdict"] == "fail" for each in scene.lines("case")
            ):
                outcome.false.append("status 1, as if a case had failed")
        cleaned = "".join(map(scene.cleanup, scene.runs))
        wait_for(lambda: not scene.leftovers(), 60)
        found = scene.lines("case")
    finally:
        scene.put_right(everything=True)
        if scene.has_disk:
            subprocess.run(["umount", str(scene.report)], check=False)
    outcome.verdicts = {line["id"]: line["verdict"] for line in found}
    outcome.false += [
        f"{case}: {verdict}"
        for case, verdict in outcome.verdicts.items()
        if verdict not in _NOT_JUDGED and verdict != right.get(case, verdict)
    ]
    outcome.reasons = [line["reason"] for line in found if line["verdict"] == "error"]
    outcome.left = scene.leftovers()
    outcome.output = output.read_text() + cleaned
    return outcome


def _disturb(scene: Scene, kinds: Sequence[str], outcome: Outcome) -> None:
    """Make things happen to a run until it ends; one that does not is ended, and has hung."""
    process = scene.process
    assert process is not None
    ceiling = time.monotonic() + CEILING

    def has_ended() -> bool:
        return process.poll() is not None

    while kinds and not scene.told_to_end and not has_ended() and time.monotonic() < ceiling:
        if wait_for(lambda: has_ended() or scene.lines(), 1.0):
            _befall(scene, kinds, outcome.injected)
            wait_for(has_ended, 0.0 if scene.told_to_end else scene.random.uniform(2.0, 12.0))
            scene.put_right()
    left = ceiling - time.monotonic()
    if not wait_for(has_ended, min(left, TO_END) if scene.told_to_end else left):
        outcome.hung = True
        scene.ask_where_it_stands()
        scene.kill()
        process.wait()


def _befall(scene: Scene, kinds: Sequence[str], done: list[str]) -> None:
    kind = scene.random.choice(kinds)
    try:
        FAULTS[kind](scene)
    except (NothingThere, OSError, ValueError):
        return
    done.append(kind)


def tell(outcome: Outcome, total: int) -> None:
    counted = dict(Counter(outcome.verdicts.values()))
    print(f"{total} faults; {outcome.starts} starts; {counted}; {', '.join(outcome.injected) or 'none'}", flush=True)
    for reason in outcome.reasons:
        print(f"    error: {reason}", flush=True)
    if outcome.bad:
        print(
            f"    FALSE {outcome.false} HUNG {outcome.hung} LEFT {outcome.left} WHOLE {outcome.whole}\n{outcome.output}",
            flush=True,
        )


def summary(outcomes: Sequence[Outcome]) -> None:
    verdicts = Counter(verdict for each in outcomes for verdict in each.verdicts.values())
    times = injected(outcomes)
    print(
        f"\n{len(outcomes)} runs with {sum(each.starts for each in outcomes)} starts, {times.total()} faults, "
        f"{verdicts.total()} verdicts: {dict(verdicts)}"
    )
    print(
        f"{sum(len(each.false) for each in outcomes)} false, {sum(each.hung for each in outcomes)} hung, "
        f"{sum(not each.whole for each in outcomes)} never whole, {sum('Traceback' in each.output for each in outcomes)} with a traceback, "
        f"{sum(len(each.left) for each in outcomes)} leftovers\n\n| fault | times |\n|---|---:|"
    )
    for kind, count in sorted(times.items()):
        print(f"| {kind} | {count} |")


if __name__ == "__main__":
    sys.exit(main())
