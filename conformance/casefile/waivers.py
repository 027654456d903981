"""A file of waivers: known deviations of an implementation, each with its reason, where it is tracked, and how long it is put up with.

waivers:
  - {cases: [K7QD, T4BX-*-block], reason: ipBlock does not match pod addresses, link: "https://...", until: "2027-03-31"}
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from conformance.casefile.shape import found, items, mapping, meant, strings, unknown_fields
from conformance.casefile.source import read
from conformance.model.waiver import Waiver, matches

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from conformance.casefile.source import Path as SourcePath
    from conformance.casefile.source import Source

#: What each text of a waiver is there for.
_TEXTS = {
    "reason": "a waiver says why",
    "link": "a waiver says where the deviation is tracked, or what shows it",
    "until": "a waiver says until which day it holds, such as 2027-03-31",
}
_FIELDS = ("cases", *_TEXTS)
#: Each is looked up among all cases; and what was probably meant, which takes longest, only so often.
_MOST_CASES, _MOST_COMPARED = 2000, 50


def load_waivers(file: Path, known: Collection[str] | None = None) -> tuple[Waiver, ...]:
    """Read waivers; CaseFileError with every problem of the file. `known` are the ids of all cases, where they are to be looked up."""
    source = read(file, str(file))
    fields = mapping(source, (), source.data)
    unknown_fields(source, (), fields, ("waivers",))
    waivers = tuple(
        _waiver(source, ("waivers", index), raw) for index, raw in items(source, ("waivers",), fields.get("waivers"))
    )
    if (count := sum(len(waiver.cases) for waiver in waivers)) > _MOST_CASES:
        source.complain(
            ("waivers",), f"{count} cases: a file names at most {_MOST_CASES}; a pattern such as K7QD-* means many"
        )
        source.refuse_problems()
    earlier: set[str] = set()
    for index, waiver in enumerate(waivers):
        for number, case in enumerate(waiver.cases):
            place = ("waivers", index, "cases", number)
            if case in earlier:
                source.complain(place, f"{case} is waived already")
            if known is not None and not any(matches(case, each) for each in known):
                near = meant(case, known) if len(source.problems) < _MOST_COMPARED else ""
                source.complain(place, f"no case has the id {case}{near}")
        earlier |= {*waiver.cases}
    source.refuse_problems()
    return waivers


def _waiver(source: Source, path: SourcePath, raw: Any) -> Waiver:
    item = mapping(source, path, raw)
    unknown_fields(source, path, item, _FIELDS)
    cases = strings(source, (*path, "cases"), item.get("cases"))
    if not isinstance(raw, dict):
        return Waiver(cases, "")
    if not item.get("cases"):
        source.complain((*path, "cases"), "missing: a waiver names cases")
    texts = {name: _text(source, (*path, name), item.get(name), missing) for name, missing in _TEXTS.items()}
    return Waiver(cases, texts["reason"], texts["link"], _day(source, (*path, "until"), texts["until"]))


def _text(source: Source, path: SourcePath, raw: Any, missing: str) -> str:
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        source.complain(path, f"missing: {missing}")
    elif not isinstance(raw, str):
        source.complain(path, f"expected text, found {found(raw)}; quote it")
    return raw if isinstance(raw, str) else ""


def _day(source: Source, path: SourcePath, text: str) -> date | None:
    try:
        return date.fromisoformat(text) if text.strip() else None
    except ValueError:
        source.complain(path, f"expected a day such as 2027-03-31, found {text!r}")
        return None
