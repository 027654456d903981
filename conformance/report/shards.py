"""The records of one run's shards, put together to the record that the run would have left on one machine."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from conformance.errors import RecordError
from conformance.model.record import Footer, Header, Record
from conformance.report.alignment import PLACES, SAME_QUESTION, differences

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model.record import CaseLine, ShardLine

#: What must be the same in all shards, for their verdicts to be about one thing; `environment` and `options` are looked at one by one.
_SAME = (*SAME_QUESTION, "target", "implementation", "implementation_version", "mode")


@dataclass(frozen=True, slots=True)
class _Part:
    """A shard's record, by the name that messages call it."""

    name: str
    shard: ShardLine
    record: Record


def put_together(records: Mapping[str, Record], *, partial: bool = False) -> Record:
    """Return the record of the whole run; the keys of `records` are what messages call them.

    RecordError says everything that keeps them from being one run. With `partial`, shards may be missing or cut off; the record then has no
    footer, as that of any run that was cut off.
    """
    parts = [_Part(name, shard, each) for name, each in records.items() if (shard := each.header["shard"]) is not None]
    of_whole_runs = [name for name in records if name not in {each.name for each in parts}]
    _refuse([f"{name} is of a whole run, and not of a shard" for name in of_whole_runs])
    _refuse(list(differences({each.name: _identity(each) for each in parts})))
    _refuse(list(_doubled(parts)))
    if not partial:
        hint = "run what is missing with --shard, or put together what there is with --partial"
        _refuse(list(_missing(parts)), hint)
    parts.sort(key=lambda each: each.shard["number"])
    cases = sorted(
        chain.from_iterable(each.record.cases for each in parts), key=lambda line: (line["path"], line["id"])
    )
    header = _header([each.record.header for each in parts])
    ends = [each.record.footer for each in parts if each.record.footer is not None]
    whole = len(cases) == header["cases"] and len(ends) == len(parts)
    return Record(header, tuple(cases), _footer(header, cases, ends) if whole else None)


def _refuse(problems: Sequence[str], hint: str | None = None) -> None:
    if problems:
        raise RecordError("these records do not make one run", causes=problems, hint=hint)


def _identity(part: _Part) -> dict[str, str]:
    """Return what is the same in all shards of a run, with a person's words for it."""
    header: Mapping[str, Any] = part.record.header
    return {
        "number of shards": str(part.shard["count"]),
        **{name.replace("_", " "): str(header[name]) for name in _SAME},
        **{f"environment, {name}": value for name, value in header["environment"].items()},
        **{
            f"option {name}": value if isinstance(value, str) else ", ".join(value)
            for name, value in header["options"].items()
            if name not in {*PLACES, "shard"}
        },
        "unsupported features": ", ".join(sorted(header["unsupported"])),
    }


def _doubled(parts: Sequence[_Part]) -> Iterator[str]:
    """Say which shard, or else which case, is there more than once."""
    names = defaultdict(list)
    for each in parts:
        names[each.shard["number"]].append(each.name)
    for number, found in sorted(names.items()):
        if len(found) > 1:
            yield f"shard {number}/{parts[0].shard['count']} is there {len(found)} times: {', '.join(found)}"
    if len(names) == len(parts):
        having: dict[str, list[str]] = defaultdict(list)
        for each in parts:
            for line in each.record.cases:
                having[line["id"]].append(each.name)
        for case, found in sorted(having.items()):
            if len(found) > 1:
                yield f"case {case} is there {len(found)} times: {', '.join(dict.fromkeys(found))}"


def _missing(parts: Sequence[_Part]) -> Iterator[str]:
    """Say what is not there. Shards without a case leave no record, and nothing of them is missing."""
    for each in parts:
        if each.record.footer is None:
            yield f"{each.name} was cut off: {len(each.record.cases)} of {each.shard['cases']} cases, and no footer"
    total, count = parts[0].record.header["cases"], parts[0].shard["count"]
    found = sum(each.shard["cases"] for each in parts)
    absent = sorted({*range(1, count + 1)} - {each.shard["number"] for each in parts})
    if found != total:
        where = ", ".join(f"{number}/{count}" for number in absent) or "none"
        yield f"the shards have {found} of {total} cases; those that are not there: {where}"


def _header(headers: Sequence[Header]) -> Header:
    first = headers[0]
    options = {
        name: value
        for name, value in first["options"].items()
        if name != "shard" and all(each["options"].get(name) == value for each in headers)
    }
    started = min((each["started"] for each in headers), key=datetime.fromisoformat)
    return Header(**{**first, "shard": None, "options": options, "started": started})


def _footer(header: Header, cases: Sequence[CaseLine], ends: Sequence[Footer]) -> Footer:
    """End with the shard that ended last. The run took until then from the start of the first, and no less than any shard."""
    ended = max((each["ended"] for each in ends), key=datetime.fromisoformat)
    took = datetime.fromisoformat(ended) - datetime.fromisoformat(header["started"])
    seconds = max(took.total_seconds(), *(each["seconds"] for each in ends))
    verdicts = Counter(line["verdict"] for line in cases)
    return Footer(type="footer", verdicts=dict(sorted(verdicts.items())), seconds=seconds, ended=ended)
