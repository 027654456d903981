"""The lists of what others test, and which of their rows the cases cover."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.casefile.packaged import cases as packaged_cases
from conformance.casefile.shape import found, mapping, unknown_fields
from conformance.casefile.source import read
from conformance.errors import CaseFileError
from conformance.model.coverage import CoverageList, CoverageRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from conformance.casefile.source import Path as SourcePath
    from conformance.casefile.source import Source
    from conformance.model.case import Case

_FOLDER = "_coverage"
_DEFECTS = "defect"


def coverage(cases: Iterable[Case]) -> tuple[CoverageList, ...]:
    """Return every list with the cases that cover its rows; CaseFileError for a case that names a row that is not there."""
    lists = {each.stem: _load(each) for each in sorted((packaged_cases() / _FOLDER).glob("*.yaml"))}
    covering: dict[str, dict[str, list[str]]] = {name: {row.key: [] for row in lists[name].rows} for name in lists}
    problems = []
    for case in cases:
        for name, key in _named(case):
            if name in covering and key not in covering[name]:
                problems.append(f"{case.location}: {case.id} covers {name}:{key}, which is no row of that list")
            elif name in covering:
                covering[name][key].append(case.id)
    if problems:
        raise CaseFileError(problems)
    return tuple(
        replace(each, cases={key: tuple(ids) for key, ids in covering[name].items()}) for name, each in lists.items()
    )


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
