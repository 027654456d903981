"""The lists of what others test, and which of their rows the cases cover."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from conformance.casefile.packaged import cases as packaged_cases
from conformance.casefile.shape import found, mapping, meant, unknown_fields
from conformance.casefile.source import read
from conformance.model.coverage import CoverageList, CoverageRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from conformance.casefile.source import Path as SourcePath
    from conformance.casefile.source import Source
    from conformance.model.case import Case

_FOLDER = "_coverage"
_DEFECTS = "defect"
#: What was probably meant is looked for so often: it takes long.
_MOST_COMPARED = 50


def check_covers(source: Source) -> None:
    """Complain about what a case covers that no list has."""
    for index, text in enumerate(source.data.get("covers", ())):
        name, _, key = text.partition(":")
        known = _lists()
        if name not in known:
            problem = f"there is no list {name!r}, only {', '.join(known)}{meant(name, known)}"
        elif key not in (keys := [row.key for row in known[name].rows]):
            near = meant(key, keys) if index < _MOST_COMPARED else ""
            problem = f"the list {name} has no row {key!r}{near}"
        else:
            continue
        source.complain(("covers", index), problem)


def coverage(cases: Iterable[Case]) -> tuple[CoverageList, ...]:
    """Return every list with the cases that cover its rows."""
    covering: dict[tuple[str, str], list[str]] = defaultdict(list)
    for case in cases:
        for named in _named(case):
            covering[named].append(case.id)
    return tuple(
        replace(each, cases={row.key: tuple(covering[name, row.key]) for row in each.rows})
        for name, each in _lists().items()
    )


@cache
def _lists() -> Mapping[str, CoverageList]:
    return {each.stem: _load(each) for each in sorted((packaged_cases() / _FOLDER).glob("*.yaml"))}


def _named(case: Case) -> Iterator[tuple[str, str]]:
    for text in case.covers:
        name, _, key = text.partition(":")
        yield name, key
    for defect in case.defects:
        yield _DEFECTS, defect


def _load(file: Path) -> CoverageList:
    source = read(file, str(file))
    fields = mapping(source, (), source.data)
    unknown_fields(source, (), fields, ("title", "about", "rows"))
    title, about = (_text(source, (name,), fields.get(name)) for name in ("title", "about"))
    rows = tuple(_row(source, key, raw) for key, raw in mapping(source, ("rows",), fields.get("rows")).items())
    source.refuse_problems()
    return CoverageList(file.stem, title, about, rows)


def _row(source: Source, key: str, raw: Any) -> CoverageRow:
    path: SourcePath = ("rows", key)
    if isinstance(raw, str):
        return CoverageRow(key, raw)
    fields = mapping(source, path, raw)
    unknown_fields(source, path, fields, ("what", "refused"))
    what, refused = (_text(source, (*path, name), fields.get(name)) for name in ("what", "refused"))
    return CoverageRow(key, what, refused)


def _text(source: Source, path: SourcePath, raw: Any) -> str:
    if not isinstance(raw, str) or not raw.strip():
        source.complain(path, f"expected text, found {found(raw)}")
        return ""
    return " ".join(raw.split())
