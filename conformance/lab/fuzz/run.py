"""Runs random cases on a target until there is no time left, and makes small what it finds."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from random import Random
from threading import Lock
from typing import TYPE_CHECKING, Any

from conformance.casefile.manifest_text import manifest_text
from conformance.errors import CaseFileError
from conformance.lab.fuzz.drawing import draw
from conformance.lab.fuzz.expecting import case_of, with_expectations
from conformance.lab.fuzz.shrinking import shrunk
from conformance.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conformance.model.verdict import CaseResult
    from conformance.runner.session import Session

    Raw = dict[str, Any]

_HEAD = """\
# Found by fuzzing {found_by}: {flow} must be {expected}, and was not.
# The expectations are the evaluator's. Before this becomes a case, work them out by hand, and say in `requirement` what it shows.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A sample on which target and evaluator differ, as it was made small. `text` is a case file, `flow` the first flow that differs."""

    flow: str
    expected: str
    text: str
    policies: int
    rules: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What became of one sample; `reason` is why it was not judged."""

    number: int
    verdict: Verdict
    reason: str = ""
    finding: Finding | None = None


def fuzz(
    sessions: Sequence[Session], target: str, *, seed: int, start: int = 1, goes_on: Callable[[int], bool]
) -> Iterator[Sample]:
    """Yield sample after sample as long as `goes_on`, which is given how many were begun. Sessions work side by side.

    What was begun is ended, whatever ends the loop.
    """
    numbers = _Numbers(start, goes_on)
    done: SimpleQueue[Sample | None] = SimpleQueue()

    def work(session: Session) -> None:
        try:
            for number in numbers:
                if (sample := _sample(session, target, seed, number)) is not None:
                    done.put(sample)
        finally:
            done.put(None)

    with ThreadPoolExecutor(max_workers=len(sessions)) as pool:
        working = [pool.submit(work, session) for session in sessions]
        try:
            for _ in working:
                yield from iter(done.get, None)
        finally:
            numbers.end()
    for each in working:
        each.result()


class _Numbers:
    """The numbers of samples, each handed out once."""

    def __init__(self, start: int, goes_on: Callable[[int], bool]) -> None:
        self._begun = 0
        self._start = start
        self._goes_on = goes_on
        self._lock = Lock()

    def __iter__(self) -> Iterator[int]:
        while True:
            with self._lock:
                if not self._goes_on(self._begun):
                    return
                number = self._start + self._begun
                self._begun += 1
            yield number

    def end(self) -> None:
        with self._lock:
            self._goes_on = lambda _: False


def _sample(session: Session, target: str, seed: int, number: int) -> Sample | None:
    raw = _drawn(seed, number)
    if raw is None:
        return None
    result = session.run(case_of(raw))
    finding = None
    if result.verdict is Verdict.FAIL:
        finding = _finding(session, f"{target} with seed {seed}, sample {number}", raw, result)
    return Sample(number, result.verdict, result.reason, finding)


def _drawn(seed: int, number: int) -> Raw | None:
    """Return a sample; None where it is no case, such as one whose edit changes nothing."""
    try:
        return with_expectations(draw(Random(f"{seed}:{number}")))  # noqa: S311 -- to be drawn again, not to be secret
    except CaseFileError:
        return None


def _finding(session: Session, found_by: str, raw: Raw, first: CaseResult) -> Finding:
    small = _made_small(session, raw)
    result = _failing(session, small) or first
    cell = next(cell for step in result.steps for cell in step.findings)
    expected = "let through" if cell.declared else "blocked"
    head = _HEAD.format(found_by=found_by, flow=cell.flow, expected=expected)
    manifests = {each["metadata"]["name"]: each for step in small["steps"] for each in step.get("apply", ())}
    rules = [
        rule for each in manifests.values() for name in ("ingress", "egress") for rule in each["spec"].get(name, ())
    ]
    text = head + manifest_text(with_expectations(small))
    return Finding(str(cell.flow), expected, text, len(manifests), len(rules))


def _made_small(session: Session, raw: Raw) -> Raw:
    """Make a sample small in the arena that it was found in; where that shows only what others left there, in a new one for each try.

    What does not show in a new arena at all stays as large as it was drawn: it takes the samples before it.
    """
    small = shrunk(raw, lambda tried: _failing(session, tried) is not None)
    if _failing(session, small, anew=True) is not None:
        return small
    if _failing(session, raw, anew=True) is not None:
        return shrunk(raw, lambda tried: _failing(session, tried, anew=True) is not None)
    return raw


def _failing(session: Session, raw: Raw, *, anew: bool = False) -> CaseResult | None:
    """Run raw data as a case; return what came of it if it is a case and fails."""
    try:
        case = case_of(with_expectations(raw))
    except (CaseFileError, KeyError):
        return None
    if anew:
        session.close()
    result = session.run(case)
    return result if result.verdict is Verdict.FAIL else None
