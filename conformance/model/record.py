"""The record of a run, line by line, as it stands in `run.jsonl`: a header, one line a case, a footer.

Everything that is reported is a function of these lines. Their JSON Schema is `conformance/report/record.schema.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict

FORMAT = "netpol-conformance/run/v3"


class ShardLine(TypedDict):
    """Which shard of its run a record is: the `number`-th of `count`, counted from 1, with `cases` of the run's cases."""

    number: int
    count: int
    cases: int


class Header(TypedDict):
    """Who was tested, with what. `options` are those that can change a verdict, and none that is a secret.

    `case_set` and `cases` are of the whole run, also where the record is of one `shard` of it; `own_cases` of them are not the suite's. `mode` is how the implementation is operated,
    in its own words; `about` who makes it, as far as that was told: `organization`, `project`, `url`, `contact`.
    """

    type: Literal["header"]
    format: str
    suite_version: str
    case_set: str
    cases: int
    own_cases: int
    shard: ShardLine | None
    target: str
    implementation: str
    implementation_version: str
    mode: str
    about: dict[str, str]
    environment: dict[str, str]
    unsupported: dict[str, str]
    options: dict[str, str | list[str]]
    started: str


class EvidenceLine(TypedDict):
    """One policy that has to do with a decision, and which of its rules matches; `at` is the line of the case file."""

    policy: str
    direction: str
    rule: int | None
    peer: int | None
    port: int | None
    at: str


class FindingLine(TypedDict):
    """One cell that does not agree. `seconds` is how long the last probe took, `attempts` how often the cell was read."""

    flow: str
    verdict: str
    expected: Literal["allowed", "blocked"]
    observed: str
    detail: str
    seconds: float
    attempts: int
    why: list[str]
    evidence: list[EvidenceLine]


class ChangeLine(TypedDict):
    """One thing that a step, or a case before its first step, changes: in words, with the manifest where it is a policy."""

    what: str
    policy: dict[str, Any] | None


class MatrixLine(TypedDict):
    """What a step must show. `expected` has a grid for each port, such as `80/TCP` or `80/TCP over IPv6`.

    A grid has one text for each source and in it one character for each destination: `.` must pass, `X` must be blocked, a blank is not tried.
    """

    sources: list[str]
    destinations: list[str]
    expected: dict[str, list[str]]


class StepLine(TypedDict):
    """One step that was read. `latencies` are, in seconds, the median and the slowest of the cells that had to change; `barrier` the slowest of the canaries."""

    name: str
    changes: list[ChangeLine]
    matrix: MatrixLine
    cells: int
    readings: int
    seconds: float
    latency_median: float | None
    latency_slowest: float | None
    barrier: float | None
    findings: list[FindingLine]
    commands: list[str]


class CaseLine(TypedDict):
    """One case and its verdict. `waiver` is what is known of it where it is waived, also if it passes all the same."""

    type: Literal["case"]
    id: str
    path: str
    requirement: str
    spec: str
    tier: str
    features: list[str]
    verdict: str
    reason: str
    hint: str
    waiver: str
    notes: list[str]
    seconds: float
    setup: list[ChangeLine]
    steps: list[StepLine]


class Footer(TypedDict):
    """The end of a run that was not cut off."""

    type: Literal["footer"]
    verdicts: dict[str, int]
    seconds: float
    ended: str


def cases_to_come(header: Header) -> int:
    """Return how many case lines follow a header, if nothing is cut off."""
    return header["shard"]["cases"] if header["shard"] is not None else header["cases"]


@dataclass(frozen=True, slots=True)
class Record:
    """A whole record; without a footer the run was cut off."""

    header: Header
    cases: tuple[CaseLine, ...]
    footer: Footer | None
