"""Runs of the suite while things go wrong: whatever a case's verdict is then, nothing but the plugin may have earned it.

    python tests/cluster/faults/campaign.py --context CONTEXT --image IMAGE --faults 200

First the cases are run without faults: those are the verdicts that are right. Then they are run again and again, and in each run a few faults of random kinds
are made to happen, one after the other. A verdict other than the right one must be `error` or `unsupported`. Each run must end within its ceiling, and after
`cleanup` nothing of it may be left. Prints Markdown, and a line for each run as it ends.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from api_proxy import ApiProxy
from faults import FAULTS, NothingThere, Outcome, Scene, leftovers, wait_for

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
_NOT_JUDGED = {"error", "unsupported", "skipped"}
_CLI = (sys.executable, "-m", "conformance.cli")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--context", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--faults", type=int, default=200, help="how many are made to happen, at the least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kinds", nargs="*", default=list(FAULTS), help="only these")
    parser.add_argument("--workers", default="2")
    given = parser.parse_args()
    drawn = random.Random(given.seed)
    injected: Counter[str] = Counter()
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory() as folder, ApiProxy(given.context, Path(folder)) as proxy:
        right = run(proxy, given, Scene(given.context, proxy, "calm", drawn), Path(folder), (), {})
        print(f"without faults: {dict(Counter(right.verdicts.values()))}", flush=True)
        while injected.total() < given.faults:
            scene = Scene(given.context, proxy, f"fault{len(outcomes)}", drawn)
            try:
                outcomes.append(run(proxy, given, scene, Path(folder), given.kinds, right.verdicts))
            finally:
                scene.put_right(everything=True)
            injected.update(outcomes[-1].injected)
            tell(outcomes[-1], injected.total())
    summary(outcomes, injected)
    return int(any(each.false or each.hung or each.left for each in outcomes))


def run(
    proxy: ApiProxy,
    given: argparse.Namespace,
    scene: Scene,
    folder: Path,
    kinds: Sequence[str],
    right: Mapping[str, str],
) -> Outcome:
    """Run the cases, with a fault every few seconds if there are kinds of them, and tell what came of it."""
    report = folder / scene.run
    command = [
        *_CLI,
        "run",
        *CASES,
        "-m",
        "core",
        "-n",
        given.workers,
        "--target=kubernetes",
        "--context=faults",
        f"--kubeconfig={proxy.kubeconfig}",
    ]
    command += [f"--image={given.image}", f"--report={report}", f"--run={scene.run}"]
    done: list[str] = []
    hung = False
    output = folder / f"{scene.run}.out"
    with output.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        began = time.monotonic()
        while process.poll() is None:
            if time.monotonic() - began > CEILING:
                hung = True
                process.send_signal(signal.SIGINT)
                process.wait(60)
            elif kinds and wait_for(lambda: process.poll() is not None or lines(report), 1.0):
                _befall(scene, kinds, done)
                wait_for(lambda: process.poll() is not None, scene.random.uniform(2.0, 12.0))
                scene.put_right()
    scene.put_right(everything=True)
    cleaned = subprocess.run(
        [*_CLI, "cleanup", f"--context={given.context}", f"--run={scene.run}"],
        text=True,
        capture_output=True,
        check=False,
    )
    wait_for(lambda: not leftovers(given.context, scene.run), 60)
    found = lines(report)
    verdicts = {line["id"]: line["verdict"] for line in found}
    false = {
        case: verdict
        for case, verdict in verdicts.items()
        if verdict not in _NOT_JUDGED and verdict != right.get(case, verdict)
    }
    reasons = tuple(line["reason"] for line in found if line["verdict"] == "error")
    text = output.read_text() + cleaned.stdout + cleaned.stderr
    return Outcome(tuple(done), verdicts, false, reasons, hung, leftovers(given.context, scene.run), text)


def _befall(scene: Scene, kinds: Sequence[str], done: list[str]) -> None:
    kind = scene.random.choice(kinds)
    try:
        FAULTS[kind](scene)
    except (NothingThere, OSError, ValueError):
        return
    done.append(kind)


def lines(report: Path) -> list[dict[str, str]]:
    record = report / "run.jsonl"
    if not record.exists():
        return []
    return [line for text in record.read_text().splitlines() if (line := json.loads(text))["type"] == "case"]


def tell(outcome: Outcome, total: int) -> None:
    counted = dict(Counter(outcome.verdicts.values()))
    print(f"{total} faults; {counted}; {', '.join(outcome.injected) or 'none'}", flush=True)
    for reason in outcome.reasons:
        print(f"    error: {reason}", flush=True)
    if outcome.false or outcome.hung or outcome.left or "Traceback" in outcome.output:
        print(f"    FALSE {dict(outcome.false)} HUNG {outcome.hung} LEFT {outcome.left}\n{outcome.output}", flush=True)


def summary(outcomes: Sequence[Outcome], injected: Mapping[str, int]) -> None:
    verdicts = Counter(verdict for each in outcomes for verdict in each.verdicts.values())
    print(
        f"\n{len(outcomes)} runs, {sum(injected.values())} faults, {sum(verdicts.values())} verdicts: {dict(verdicts)}"
    )
    print(
        f"{sum(len(each.false) for each in outcomes)} false verdicts, {sum(each.hung for each in outcomes)} hangs, "
        f"{sum(len(each.left) for each in outcomes)} leftovers\n\n| fault | times |\n|---|---:|"
    )
    for kind, times in sorted(injected.items()):
        print(f"| {kind} | {times} |")


if __name__ == "__main__":
    sys.exit(main())
