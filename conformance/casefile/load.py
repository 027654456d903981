"""Case files, found and read: everything that is wrong with them at once, or frozen cases."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from conformance.casefile import build, consistency, typing_errors
from conformance.casefile.document import TABLE, CaseDocument, RowDocument, TableDocument
from conformance.casefile.packaged import SUFFIXES, shown
from conformance.casefile.source import Problem, parse, read
from conformance.casefile.table import expand
from conformance.errors import CaseFileError, UsageError
from conformance.files import leads_out
from conformance.model.source import Location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from conformance.casefile.source import Source
    from conformance.model.case import Case

D = TypeVar("D", bound=BaseModel)
_OUTSIDE = "cannot be read: a link out of the folder that was named; name the file itself"


def load_file(file: Path, shown_as: str | None = None) -> tuple[Case, ...]:
    """Read the case or the table of cases in a file; CaseFileError with every problem that it has."""
    return _complete(read(file, shown_as or shown(file)))


def load_text(text: str, shown_as: str) -> tuple[Case, ...]:
    """Read the case or the table of cases in a text; CaseFileError with every problem that it has."""
    return _complete(parse(text, shown_as))


def _complete(source: Source) -> tuple[Case, ...]:
    cases = tuple(_cases(source))
    source.refuse_problems()
    return cases


def load_cases(files: Iterable[Path]) -> tuple[Case, ...]:
    """Read many; CaseFileError with the problems of all of them, and with ids that two files share."""
    cases: list[Case] = []
    problems: list[str] = []
    for file in files:
        try:
            cases.extend(load_file(file))
        except CaseFileError as error:
            problems.extend(error.problems)
    problems.extend(_doubled(cases))
    if problems:
        raise CaseFileError(problems)
    return tuple(cases)


def find(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield case files under folders, and the files named themselves, each once; UsageError for a path that is not there.

    CaseFileError for what is in a folder as a link to somewhere else: who names a folder does not ask for that.
    """
    seen: set[str] = set()
    for file in _found(paths):
        if (real := os.path.realpath(file)) not in seen:
            seen.add(real)
            yield file


def _found(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from files_in(path, SUFFIXES, unless=_is_hidden)
        elif path.exists():
            yield path
        else:
            raise UsageError(f"no such file or folder: {path}", hint="give case files, or folders that hold some")


def _is_hidden(place: Path) -> bool:
    return any(part.startswith(("_", ".")) for part in place.parts)


def files_in(folder: Path, suffixes: Sequence[str], unless: Callable[[Path], bool] = lambda _: False) -> list[Path]:
    """Return the files under a folder with such names, sorted; `unless` is asked of their places in it. CaseFileError for links to outside."""
    found = sorted(
        file
        for file in folder.rglob("*")
        if file.suffix in suffixes and not unless(file.relative_to(folder)) and not file.is_dir()
    )
    refuse_links_out(found, folder)
    return found


def refuse_links_out(files: Iterable[Path], folder: Path) -> None:
    """Raise CaseFileError for files found in a folder that are links to outside of it."""
    if problems := [str(Problem(Location(str(each), 1), "", _OUTSIDE)) for each in files if leads_out(each, folder)]:
        raise CaseFileError(problems)


def digest(cases: Iterable[Case]) -> str:
    """Return a digest of a set of cases, so that two records can tell whether they speak of the same ones."""
    text = "\n".join(sorted(f"{case.id} {case.digest}" for case in cases))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _cases(source: Source) -> Iterator[Case]:
    if source.data is None and source.problems:
        return
    if not isinstance(source.data, dict):
        source.complain((), "expected a case: a mapping with apiVersion, kind, id, ...")
    elif source.data.get("kind") == TABLE:
        table = _checked(source, TableDocument)
        for row in expand(source, table) if table else ():
            yield from _case(row, RowDocument)
            source.problems.extend(row.problems)
    else:
        yield from _case(source, CaseDocument)


def _case(source: Source, kind: type[CaseDocument]) -> Iterator[Case]:
    steps = build.steps(source)
    build.things(source, ("world",), source.data.get("world"))
    document = _checked(source, kind)
    if document is not None:
        build.probed(source, document)
    if document is not None and not source.problems:
        case = build.case(source, document, steps)
        consistency.check(source, case)
        yield case


def _checked(source: Source, kind: type[D]) -> D | None:
    try:
        return kind.model_validate(source.data)
    except ValidationError as error:
        typing_errors.complain(source, error, kind)
        return None


def _doubled(cases: Iterable[Case]) -> Iterator[str]:
    first: dict[str, Case] = {}
    for case in cases:
        other = first.setdefault(case.id, case)
        if other is not case and case.location and other.location:
            yield str(Problem(case.location, "id", f"{case.id} is already the id of {other.location.file}"))
