"""What a user waits for before the first verdict.

    python benchmarks/startup.py --target kubernetes --context CONTEXT --image IMAGE --runs 5

prints minimum, median and maximum of: importing the pytest plugin, showing the help, collecting all cases, and a run's start until its first
verdict is in its record, with one arena.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conformance.casefile.packaged import cases as packaged_cases

COMMAND = (sys.executable, "-m", "conformance.cli")
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--target", default="netns")
    parser.add_argument("--context", default="")
    parser.add_argument("--image", default="")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    cases = packaged_cases()
    commands = {
        "python, alone": (sys.executable, "-c", "pass"),
        "import of the plugin": (sys.executable, "-c", "import conformance.plugin"),
        "pytest with nothing to do": (*PYTEST, "--co", "-k", "nothing-of-that-name", str(cases / "_coverage")),
        "all cases collected": (*PYTEST, "--co", str(cases)),
    }
    for title, command in commands.items():
        show(title, [seconds_of(command) for _ in range(given.runs)])
    show("first verdict", [first_verdict(cases, given) for _ in range(given.runs)])


def seconds_of(command: tuple[str, ...]) -> float:
    began = time.monotonic()
    subprocess.run(command, capture_output=True, check=False)
    return time.monotonic() - began


def first_verdict(cases: Path, given: argparse.Namespace) -> float:
    options = [f"--{name}={value}" for name in ("target", "context", "image") if (value := getattr(given, name))]
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "run.jsonl"
        began = time.monotonic()
        command = [*COMMAND, "run", str(cases / "ingress"), *options, "--report", folder, "-n", "0"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and not (record.exists() and '"type": "case"' in record.read_text("utf-8")):
                time.sleep(0.02)
            seconds = time.monotonic() - began
            process.terminate()
    return seconds


def show(title: str, seconds: list[float]) -> None:
    least, middle, most = min(seconds), statistics.median(seconds), max(seconds)
    print(f"{title}: min {least:.2f} s, median {middle:.2f} s, max {most:.2f} s", flush=True)


if __name__ == "__main__":
    main()
