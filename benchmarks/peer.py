"""How much faster this suite is than Cyclonus, on the same cluster and in the same run, on the default catalogue of Cyclonus.

    python benchmarks/peer.py --context CONTEXT --image IMAGE --peer cyclonus --runs 3

Each run has both, in turn. This suite runs, with its own defaults, one case for each of the 112 cases that Cyclonus runs by default, all of them;
its time is that of the whole command, with all pods made and removed. Cyclonus runs 10 of these cases from five of its groups (`--peer-tags` names others,
an empty one stands for all 112), with the least waiting that it can be asked for but its fixed pause; its time for the rest is what a step took here,
times the steps that there are. The time in which it makes its pods is counted once.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from conformance.casefile.coverage import coverage
from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases as packaged_cases

#: What Cyclonus leaves out by default, in the words of `cases/_coverage/cyclonus.yaml`.
LEFT_OUT = re.compile(r"upstream-|example$|name-|.*-range-|peers-.*\.")
DEFAULT_CASES, DEFAULT_STEPS = 112, 122
TAGS = "any-peer,any-port-protocol,ip-block-with-except,target-pod-selector,update-policy"


@dataclass(frozen=True)
class Peer:
    """What a run of Cyclonus took: until its first case, and each step."""

    setup: float
    cases: int
    steps: int
    seconds: float

    @property
    def whole(self) -> float:
        return self.setup + self.seconds / self.steps * DEFAULT_STEPS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--context", required=True)
    parser.add_argument("--image", default="", help="of this suite's probe pods")
    parser.add_argument("--external", default="", help="as of the suite; none of these cases needs it")
    parser.add_argument("--peer", default="cyclonus", help="the command that starts Cyclonus")
    parser.add_argument("--peer-tags", default=TAGS)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("-n", default="auto", help="how many cases of this suite run side by side")
    given = parser.parse_args()
    chosen = covering()
    print(f"{len(chosen)} cases of this suite, {sum(chosen.values())} steps, cover the {DEFAULT_CASES} of Cyclonus")
    ratios, ours, theirs = [], [], []
    for number in range(1, given.runs + 1):
        seconds, verdicts = run_suite(list(chosen), given)
        peer = run_peer(given)
        ours.append(seconds)
        theirs.append(peer.whole)
        ratios.append(peer.whole / seconds)
        print(
            f"run {number}: this suite {seconds:.1f} s ({verdicts}); Cyclonus {peer.setup:.1f} s and then {peer.seconds:.1f} s for "
            f"{peer.cases} cases of {peer.steps} steps, {peer.seconds / peer.steps:.1f} s a step, "
            f"so {peer.whole:.0f} s for all: {ratios[-1]:.1f} times",
            flush=True,
        )
    for title, values, unit in (("this suite", ours, " s"), ("Cyclonus", theirs, " s"), ("ratio", ratios, "")):
        print(
            f"{title}: min {min(values):.1f}{unit}, median {statistics.median(values):.1f}{unit}, max {max(values):.1f}{unit}"
        )


def covering() -> dict[str, int]:
    """Return node ids of the fewest cases that cover the default catalogue of Cyclonus, and how many steps each has."""
    known = {case.id: case for case in load_cases(find([packaged_cases()]))}
    rows = next(each for each in coverage(known.values()) if each.name == "cyclonus")
    wanted = [row.key for row in rows.rows if not LEFT_OUT.match(row.key)]
    assert len(wanted) == DEFAULT_CASES, wanted
    chosen: set[str] = set()
    for key in sorted(wanted, key=lambda each: len(rows.cases[each])):
        chosen.add(min(rows.cases[key], key=lambda each: (each not in chosen, len(known[each].steps), each)))
    root = packaged_cases().parent
    return {f"{root / known[each].location.file}::{each}": len(known[each].steps) for each in sorted(chosen)}


def run_suite(nodes: list[str], given: argparse.Namespace) -> tuple[float, str]:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "pytest", "-c", str(packaged_cases().parent / "conformance/run.ini"), "-p", "no:cacheprovider", "-q"),
            *("--rootdir", str(packaged_cases().parent), "--netpol-target=kubernetes", f"--netpol-context={given.context}"),
            *(f"--netpol-image={given.image}", f"--netpol-external={given.external}", f"--netpol-report={folder}", "-n", given.n),
        ]  # fmt: skip
        began = time.monotonic()
        ended = subprocess.run([*command, *nodes], capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        lines = [json.loads(line) for line in (Path(folder) / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    verdicts = Counter(line["verdict"] for line in lines if line["type"] == "case")
    if sum(verdicts.values()) != len(nodes):
        sys.exit(f"the suite did not run all of its cases:\n{ended.stdout}")
    return seconds, ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())


def run_peer(given: argparse.Namespace) -> Peer:
    command = [
        *shlex.split(given.peer), "generate", "--context", given.context, "--server-protocol", "TCP,UDP", "--job-timeout-seconds", "1",
        "--pod-creation-timeout-seconds", "120", "--ignore-loopback", "--cleanup-namespaces",
    ]  # fmt: skip
    command += ["--include", given.peer_tags] if given.peer_tags else []
    began = last = time.monotonic()
    first = None
    cases = steps = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        tail = []
        for line in process.stdout:
            tail = [*tail[-20:], line]
            if line.startswith("starting test case"):
                first = first or time.monotonic()
                cases += 1
            elif re.match(r"step \d+ on ", line):
                steps += 1
            elif re.search(r"\d+ wrong, \d+ ignored, \d+ correct", line):
                last = time.monotonic()
    if first is None or not steps:
        sys.exit(f"{shlex.join(command)} ran no case:\n{''.join(tail)}")
    return Peer(first - began, cases, steps, last - first)


if __name__ == "__main__":
    main()
