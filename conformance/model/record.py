"""The record of a run, line by line, as it stands in `run.jsonl`: a header, one line a case, a footer.

Everything that is reported is a function of these lines. Their JSON Schema is `conformance/report/record.schema.json`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypedDict

FORMAT = "netpol-conformance/run/v1"


class ShardLine(TypedDict):
    """Which shard of its run a record is: the `number`-th of `count`, counted from 1, with `cases` of the run's cases."""

    number: int
    count: int
    cases: int


class Header(TypedDict):
    """Who was tested, with what. `options` are those that can change a verdict, and none that is a secret.

    `case_set` and `cases` are of the whole run, also where the record is of one `shard` of it.
    """

    type: Literal["header"]
    format: str
    suite_version: str
    case_set: str
    cases: int
    shard: ShardLine | None
    target: str
    implementation: str
    implementation_version: str
    environment: dict[str, str]
    unsupported: dict[str, str]
    options: dict[str, str]
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


class StepLine(TypedDict):
    """One step that was read. `latencies` are, in seconds, the median and the slowest of the cells that had to change; `barrier` the slowest of the canaries."""

    name: str
    cells: int
    readings: int
    seconds: float
    latency_median: float | None
    latency_slowest: float | None
    barrier: float | None
    findings: list[FindingLine]
    commands: list[str]


class CaseLine(TypedDict):
    """One case and its verdict."""

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
