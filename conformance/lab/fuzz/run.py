"""Runs random cases on a target until there is no time left, and makes small what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from conformance.casefile.manifest_text import manifest_text
from conformance.errors import CaseFileError
from conformance.lab.fuzz.drawing import draw
from conformance.lab.fuzz.expecting import case_of, with_expectations
from conformance.lab.fuzz.shrinking import shrunk
from conformance.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.model.verdict import CaseResult
    from conformance.runner.session import Session

    Raw = dict[str, Any]

_HEAD = """\
# Found by fuzzing {target} with seed {seed}, sample {number}: {flow} must be {expected}, and was not.
# The expectations are the evaluator's. Before this becomes a case, work them out by hand, and say in `requirement` what it shows.
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """A sample on which target and evaluator differ, as it was made small. `text` is a case file, `flow` the first flow that differs."""

    number: int
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
    session: Session, target: str, *, seed: int, start: int = 1, goes_on: Callable[[int], bool]
) -> Iterator[Sample]:
    """Yield sample after sample as long as `goes_on`, which is given how many there were."""
    number = start
    while goes_on(number - start):
        raw = _drawn(seed, number)
        if raw is not None:
            result = session.run(case_of(raw))
            finding = _finding(session, target, seed, number, raw) if result.verdict is Verdict.FAIL else None
            yield Sample(number, result.verdict, result.reason, finding)
        number += 1


def _drawn(seed: int, number: int) -> Raw | None:
    """Return a sample; None where it is no case, such as one whose edit changes nothing."""
    try:
        return with_expectations(draw(Random(f"{seed}:{number}")))  # noqa: S311 -- to be drawn again, not to be secret
    except CaseFileError:
        return None


def _finding(session: Session, target: str, seed: int, number: int, raw: Raw) -> Finding:
    last: list[CaseResult] = []

    def shows(tried: Raw) -> bool:
        try:
            case = case_of(with_expectations(tried))
        except (CaseFileError, KeyError):
            return False
        result = session.run(case)
        if result.verdict is Verdict.FAIL:
            last.append(result)
        return result.verdict is Verdict.FAIL

    shows(raw)
    small = with_expectations(shrunk(raw, shows))
    cells = [cell for step in (last[-1].steps if last else ()) for cell in step.findings]
    flow = str(cells[0].flow) if cells else "a flow"
    expected = "blocked" if cells and not cells[0].declared else "let through"
    head = _HEAD.format(target=target, seed=seed, number=number, flow=flow, expected=expected)
    manifests = {each["metadata"]["name"]: each for step in small["steps"] for each in step.get("apply", ())}
    rules = [
        rule for each in manifests.values() for name in ("ingress", "egress") for rule in each["spec"].get(name, ())
    ]
    return Finding(number, flow, expected, head + manifest_text(small), len(manifests), len(rules))
