"""Run after run on one cluster, for hours: whether a verdict ever differs, and whether memory, file descriptors, threads and namespaces stay flat.

    python benchmarks/soak.py --context CONTEXT --image IMAGE --minutes 60 -- --external COMMAND --waivers FILE

What comes after `--` is for `netpol-conformance run`. A run that was begun is ended. Every few seconds all processes of the run are looked at, and the agents of its
pods where they run on this machine, as those of kind do. A process that grows would have more in the last quarter of its run than in the first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

PAUSE = 5.0
MIB = 2**20
PAGE = 4096


@dataclass(frozen=True)
class Look:
    """One process at one moment: resident memory in MiB, open files, threads."""

    memory: float
    files: int
    threads: int


@dataclass
class Watched:
    """What was seen of one run."""

    processes: dict[int, list[Look]] = field(default_factory=lambda: defaultdict(list))
    agents: dict[int, list[Look]] = field(default_factory=lambda: defaultdict(list))
    namespaces: list[int] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--context", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.mkdtemp()), help="the folder for the records")
    parser.add_argument("more", nargs="*", help="for `netpol-conformance run`")
    given = parser.parse_args()
    began = time.monotonic()
    first: dict[str, str] = {}
    number = different = 0
    while time.monotonic() - began < given.minutes * 60:
        number += 1
        run_began = time.monotonic()
        folder = given.keep / f"run-{number}"
        watched, status = run(given, folder, f"soak{number}")
        verdicts = verdicts_of(folder)
        first = first or verdicts
        changed = {case: (first.get(case), verdict) for case, verdict in verdicts.items() if first.get(case) != verdict}
        different += len(changed) + abs(len(verdicts) - len(first))
        print(
            f"run {number}: {(time.monotonic() - run_began) / 60:.1f} min, status {status}, {dict(Counter(verdicts.values()))}"
        )
        print(f"  other than in the first run: {changed or 'nothing'}")
        tell("processes", watched.processes)
        tell("agents", watched.agents)
        left = namespaces(given.context, f"soak{number}")
        print(f"  namespaces: {max(watched.namespaces, default=0)} at most, {left} afterwards", flush=True)
    print(f"{number} runs in {(time.monotonic() - began) / 60:.0f} min, {different} verdicts other than in the first")
    return int(bool(different))


def run(given: argparse.Namespace, folder: Path, name: str) -> tuple[Watched, int]:
    command = [sys.executable, "-m", "conformance.cli", "run", "--target=kubernetes", f"--context={given.context}"]
    command += [f"--image={given.image}", f"--run={name}", f"--report={folder}", *given.more]
    watched = Watched()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            looked(watched, process.pid, name)
            watched.namespaces.append(namespaces(given.context, name))
            time.sleep(PAUSE)
    return watched, process.returncode


def looked(watched: Watched, root: int, name: str) -> None:
    parents: dict[int, int] = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(each.name)] = int((each / "stat").read_text().rpartition(")")[2].split()[1])
            if f"--identity\0{name}-".encode() in (each / "cmdline").read_bytes():
                watched.agents[int(each.name)].append(look(each))
        except OSError:
            continue  # it has ended meanwhile
    ours = {root}
    while more := {pid for pid, parent in parents.items() if parent in ours} - ours:
        ours |= more
    for pid in ours:
        try:
            watched.processes[pid].append(look(Path("/proc") / str(pid)))
        except OSError:
            continue


def look(process: Path) -> Look:
    resident = int((process / "statm").read_text().split()[1]) * PAGE / MIB
    return Look(resident, len(list((process / "fd").iterdir())), len(list((process / "task").iterdir())))


def tell(what: str, seen: dict[int, list[Look]]) -> None:
    """Print, of those that were there for at least half of the time of the longest, the medians of their first and last quarters."""
    longest = max(map(len, seen.values()), default=0)
    lasting = [each for each in seen.values() if len(each) >= max(8, longest / 2)]
    print(f"  {len(lasting)} {what} of {len(seen)} that lasted; first quarter, last quarter, at most:")
    for name in ("memory", "files", "threads"):
        figures = []
        for each in sorted(lasting, key=len, reverse=True)[:8]:
            values = [getattr(one, name) for one in each]
            quarter = len(values) // 4
            figures.append(
                f"{statistics.median(values[:quarter]):.0f} {statistics.median(values[-quarter:]):.0f} {max(values):.0f}"
            )
        print(f"    {name:8}{' | '.join(figures)}")


def namespaces(context: str, name: str) -> int:
    command = [
        "kubectl",
        "--context",
        context,
        "get",
        "namespaces",
        "-l",
        f"netpol-conformance/run={name}",
        "-o",
        "name",
    ]
    return len(subprocess.run(command, text=True, capture_output=True, check=False).stdout.split())


def verdicts_of(folder: Path) -> dict[str, str]:
    lines = [json.loads(line) for line in (folder / "run.jsonl").read_text(encoding="utf-8").splitlines()]
    return {line["id"]: line["verdict"] for line in lines if line["type"] == "case"}


if __name__ == "__main__":
    sys.exit(main())
