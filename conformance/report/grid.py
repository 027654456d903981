"""Many runs side by side: implementations by cases, from records that can be compared."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.errors import RecordError
from conformance.report import totals
from conformance.report.alignment import SAME_QUESTION, differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model.record import CaseLine, Record

#: What stands where a record has no line for a case: its run was cut off.
NO_DATA = "no data"
_LONGEST_SLUG = 100


@dataclass(frozen=True, slots=True)
class Leg:
    """One run of the grid. `slug` is its name in addresses; `verdicts` are by case id."""

    title: str
    slug: str
    record: Record
    verdicts: Mapping[str, str]

    def verdict(self, case_id: str) -> str:
        return self.verdicts.get(case_id, NO_DATA)

    def counts(self, tier: str) -> Counter[str]:
        return totals.by_tier(self.record.cases).get(tier, Counter())


@dataclass(frozen=True, slots=True)
class Grid:
    """Legs, sorted by title, and the cases that any of them has, sorted by id."""

    legs: tuple[Leg, ...]
    cases: tuple[CaseLine, ...]

    @property
    def tiers(self) -> Sequence[str]:
        return sorted({line["tier"] for line in self.cases})


def without_broken(records: Mapping[str, Record]) -> tuple[Mapping[str, Record], Sequence[str]]:
    """Leave out the legs that tell nothing of an implementation; return the others, and why those are not among them."""
    broken = dict(_broken(records))
    return {name: each for name, each in records.items() if name not in broken}, list(broken.values())


def grid(records: Mapping[str, Record]) -> Grid:
    """Put records of whole runs side by side; the keys are what messages call them.

    RecordError says everything that keeps them from being compared.
    """
    problems = [
        *_shards(records), *_unaligned(records), *_doubled(records), *dict(_broken(records)).values(),
    ]  # fmt: skip
    if problems:
        raise RecordError("these records do not make one grid", causes=problems)
    legs = [
        Leg(title, slug, record, {line["id"]: line["verdict"] for line in record.cases})
        for record, (title, slug) in zip(records.values(), _slugs(records), strict=True)
    ]
    cases = {line["id"]: line for record in records.values() for line in record.cases}
    return Grid(tuple(sorted(legs, key=lambda leg: leg.title)), tuple(line for _, line in sorted(cases.items())))


def _shards(records: Mapping[str, Record]) -> Iterator[str]:
    for name, record in records.items():
        if (shard := record.header["shard"]) is not None:
            yield f"{name} is shard {shard['number']}/{shard['count']} of a run: combine the shards of that run first"


def _unaligned(records: Mapping[str, Record]) -> Iterator[str]:
    if not records:
        yield "there is none"
        return
    headers: dict[str, Mapping[str, Any]] = {name: {**record.header} for name, record in records.items()}
    yield from differences(
        {
            name: {what.replace("_", " "): str(header[what]) for what in SAME_QUESTION}
            for name, header in headers.items()
        }
    )


def _doubled(records: Mapping[str, Record]) -> Iterator[str]:
    names = defaultdict(list)
    for name, record in records.items():
        names[totals.title(record.header)].append(name)
    for title, found in sorted(names.items()):
        if len(found) > 1:
            yield f"{title} is there {len(found)} times: {', '.join(found)}; runs in different modes say so with --mode"


def _broken(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Say which legs tell nothing of an implementation, and why: a broken cluster is no result."""
    for name, record in records.items():
        if all(line["verdict"] == "error" for line in record.cases):
            yield name, f"{name}: every case errored, which says nothing about {totals.title(record.header)}"


def _slugs(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """Yield the title of each record and its name in addresses; one that another has too, or that is too long for a file, ends in a digest."""
    titles = [totals.title(record.header) for record in records.values()]
    slugs = [re.sub(r"[^a-z0-9.]+", "-", title.lower()).strip("-") for title in titles]
    for title, slug in zip(titles, slugs, strict=True):
        if slugs.count(slug) == 1 and len(slug) <= _LONGEST_SLUG:
            yield title, slug
        else:
            yield title, f"{slug[:_LONGEST_SLUG]}-{hashlib.sha256(title.encode()).hexdigest()[:8]}"
