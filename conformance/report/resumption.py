"""Where a run was cut off: what of its record is whole, and whether another run would go on with the same question."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from conformance import files
from conformance.errors import RecordError, UsageError
from conformance.model.record import FORMAT, CaseLine, Header, Record, cases_to_come
from conformance.report.alignment import PLACES, differences
from conformance.report.store import FILE, MOST_BYTES, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_FORMATS = FORMAT.rpartition("/")[0]
_MENDING = "take that line out of the file, and --resume runs its case again; or begin a new record with --report alone"


@dataclass(frozen=True, slots=True)
class LeftOff:
    """A record that was cut off, or that is complete: of the `found` bytes of its file the first `size` are whole lines."""

    path: Path
    record: Record
    size: int
    found: int

    @property
    def has_all(self) -> bool:
        """Whether every case has its line; only the footer may be missing."""
        return len(self.record.cases) == cases_to_come(self.record.header)


@dataclass(frozen=True, slots=True)
class Nothing:
    """No record to go on from, and why; `keep` tells whether there are lines all the same, that nobody can say what they are of."""

    path: Path
    why: str
    keep: bool = False


def left_off(folder: Path) -> LeftOff | Nothing:
    """Find where the record in a folder was cut off, at whatever byte. What is damaged before that is a RecordError that says where."""
    path = folder / FILE
    try:
        raw = files.read(path, MOST_BYTES)
    except FileNotFoundError:
        return Nothing(path, f"there is no {path}")
    except OSError as error:
        raise RecordError(f"cannot read the record {path}", causes=[str(error)]) from error
    first, end, _ = raw.partition(b"\n")
    if not end:
        return Nothing(path, f"{path} was cut off in its first line" if raw else f"{path} is empty")
    if not _is_header(path, first):
        return Nothing(path, f"the first line of {path} is damaged", keep=True)
    try:
        record = read(path)
        _see_that_it_is_whole(path, record)
    except RecordError as error:
        raise RecordError(error.message, causes=error.causes, hint=error.hint or _MENDING) from error
    return LeftOff(path, record, raw.rfind(b"\n") + 1, len(raw))


def _is_header(path: Path, text: bytes) -> bool:
    """Tell whether a line is a header; RecordError where it is one of another version, which this one cannot add to."""
    try:
        line = json.loads(text.decode("utf-8"))
        if not isinstance(line, dict) or line.get("type") != "header":
            return False
        written = str(line.get("format"))
        if written != FORMAT and written.rpartition("/")[0] == _FORMATS:
            raise RecordError(
                f"{path} is in the format {written}, and this version of the suite writes {FORMAT}",
                hint="go on with the version that began it, or begin a new record with --report and another folder",
            )
        if written != FORMAT or not Header.__required_keys__ <= line.keys():
            return False
        seconds_since(line, 0.0)  # type: ignore[arg-type]  # a dict of which it is tried whether it is one
        cases_to_come(line)  # type: ignore[arg-type]  # a dict of which it is tried whether it is one
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return True


def _see_that_it_is_whole(path: Path, record: Record) -> None:
    """Refuse lines that lack something, that are there twice, or that are more or less than a footer counts."""
    lines: dict[str, int] = {}
    for number, line in enumerate(record.cases, 2):
        if missing := sorted(CaseLine.__required_keys__ - line.keys()):
            raise RecordError(f"{path}:{number}: not a case's line of a record", causes=[f"no {', '.join(missing)}"])
        first = lines.setdefault(line["id"], number)
        if first != number:
            raise RecordError(f"{path}:{number}: case {line['id']} has a line already, line {first}")
    counted = Counter(line["verdict"] for line in record.cases)
    whole = len(record.cases) == cases_to_come(record.header)
    if record.footer is not None and not (whole and dict(counted) == record.footer.get("verdicts")):
        raise RecordError(
            f"{path}:{len(record.cases) + 2}: the footer counts other lines than those that are there",
            hint="take the footer out of the file, and --resume runs what is missing; or begin a new record with --report alone",
        )


def refuse_another(path: Path, header: Header, now: Mapping[str, Any]) -> None:
    """See that a run goes on with what the record at `path` was begun with: UsageError with all that differs.

    `now` has those fields of a header that are known so far.
    """
    told = {"the record": {name: value for name, value in header.items() if name in now}, "this run": now}
    found = list(differences({name: dict(_in_words(facts)) for name, facts in told.items()}))
    if found:
        raise UsageError(
            f"{path} is the record of another run",
            causes=found,
            hint="go on with the cases, the options and the target that it was begun with, or begin a new record with --report and another folder",
        )


def _in_words(facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in facts.items():
        words = name.replace("_", " ")
        match name:
            case "unsupported":
                yield "unsupported features", ", ".join(sorted(value))
            case "shard":
                yield "shard", f"{value['number']}/{value['count']}, {value['cases']} cases" if value else ""
            case "options":
                told = {each: given for each, given in value.items() if each not in {*PLACES, "shard"}}
                yield from ((f"option {each}", _one(given)) for each, given in told.items())
            case "environment" | "about":
                yield from ((f"{words}, {each}", str(given)) for each, given in value.items())
            case _:
                yield words, str(value)


def _one(option: str | list[str]) -> str:
    return option if isinstance(option, str) else ", ".join(option)


def seconds_since(header: Header, at_least: float) -> float:
    """Return how long ago a run was begun, as `combine` tells how long shards took: with the time in which nothing was run."""
    took = datetime.now(UTC) - datetime.fromisoformat(header["started"])
    return max(took.total_seconds(), at_least)
