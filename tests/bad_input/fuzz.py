"""Bad input by the hundred thousand, through all doors: nothing but success and located errors may come of it.

python tests/bad_input/fuzz.py --inputs 100000 --seed 1
"""

from __future__ import annotations

import argparse
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from doors import doors

from conformance.errors import ConformanceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from doors import Door

#: Of processor time, since machines that test are busy; and of the clock, for what waits without working.
MOST_SECONDS, MOST_WAITING = 2.0, 60.0
MOST_GROWTH = 200 * 2**20
#: So many inputs of one door, then of the next: of a run that is ended early, all have been tried.
ROUND = 100
_PLACE = re.compile(r"\S+:[0-9]+:[0-9]+: ")


class Hang(BaseException):
    """An input took too long. Not an Exception, so that nothing on the way takes it for a bad file."""


@dataclass(slots=True)
class Outcome:
    """What became of the inputs of one door; `failures` has an input for each way of failing."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    seconds: float = 0.0
    slowest: float = 0.0


@contextmanager
def limited(seconds: float | None = None) -> Iterator[None]:
    """Raise Hang in what takes longer."""

    def ended(number: int, frame: object) -> None:  # noqa: ARG001 -- how a handler is called
        raise Hang

    before = {each: signal.signal(each, ended) for each in (signal.SIGPROF, signal.SIGALRM)}
    signal.setitimer(signal.ITIMER_PROF, MOST_SECONDS if seconds is None else seconds)
    signal.setitimer(signal.ITIMER_REAL, MOST_WAITING)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, handler in before.items():
            signal.signal(each, handler)


def tried(door: Door, data: bytes, folder: Path, seed: object) -> tuple[str, str]:
    """Let one input in; return `read`, `refused` or what went wrong, and how."""
    file = folder / door.file
    file.write_bytes(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with limited(), warnings.catch_warnings():
            warnings.simplefilter("error")
            door.enter(file, Random(str(seed)))
        ended = "read", ""
    except ConformanceError as error:
        ended = ("refused", "") if located(error, file) else ("an error that names no file", str(error))
    except (Exception, Hang) as error:  # noqa: BLE001 -- whatever it is, it is what is looked for
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "/conformance/" in frame.filename]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "?"
        ended = f"{type(error).__name__} in {where}", "".join(traceback.format_exception(error)[-12:])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return (f"{grown >> 20} MiB more memory", "") if grown > MOST_GROWTH else ended


def located(error: ConformanceError, file: Path) -> bool:
    """Tell whether an error says where it is: by a file, or by the words that the user gave."""
    return file.name in str(error) or error.exit_status == UsageError.exit_status or bool(_PLACE.match(str(error)))


def fuzz(door: Door, numbers: range, seed: object, folder: Path, outcome: Outcome | None = None) -> Outcome:
    """Try so many inputs on one door; what becomes of them is added to `outcome`."""
    outcome = outcome or Outcome()
    for number in numbers:
        of_this = f"{seed}/{door.name}/{number}"
        data = door.draw(Random(of_this))
        began = time.process_time()
        ended, how = tried(door, data, folder, of_this)
        seconds = time.process_time() - began
        outcome.seconds += seconds
        outcome.slowest = max(outcome.slowest, seconds)
        outcome.counts[ended] += 1
        if ended not in {"read", "refused"}:
            outcome.failures.setdefault(ended, (data, f"input {of_this}\n{how}"))
    return outcome


def main(arguments: list[str] | None = None) -> int:
    """Try all doors in turn and print what came of it, also of a part; return 1 where anything failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000, help="of all doors together")
    parser.add_argument("--seed", default="1", help="the same seed makes the same inputs")
    parser.add_argument("--door", action="append", help="only this one; may be given several times")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that failed")
    given: Any = parser.parse_args(arguments)
    outcomes = {door: Outcome() for door in doors() if not given.door or door.name in given.door}
    each = -(-given.inputs // len(outcomes))
    try:
        with tempfile.TemporaryDirectory() as folder:
            for start in range(0, each, ROUND):
                for door, outcome in outcomes.items():
                    fuzz(door, range(start, min(each, start + ROUND)), given.seed, Path(folder), outcome)
    except KeyboardInterrupt:
        print("ended before all were tried")  # noqa: T201 -- a program's output
    for door, outcome in outcomes.items():
        _print(door, outcome, given.keep)
    print(f"{sum(outcome.counts.total() for outcome in outcomes.values())} inputs")  # noqa: T201 -- as above
    return int(any(outcome.failures for outcome in outcomes.values()))


def _print(door: Door, outcome: Outcome, keep: Path | None) -> None:
    counts = ", ".join(f"{count} {what}" for what, count in outcome.counts.most_common())
    rate = outcome.counts.total() / (outcome.seconds or 1)
    print(f"{door.name:12} {counts}; {rate:.0f} a second of processor time, slowest {outcome.slowest:.2f} s")  # noqa: T201 -- as above
    for number, (what, (data, how)) in enumerate(outcome.failures.items()):
        print(f"--- {what}\n{how}\n{data[:300]!r}")  # noqa: T201 -- as above
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{door.name}-{number}-{door.file}").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
