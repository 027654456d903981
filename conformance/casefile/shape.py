"""The shape of raw data: is it a mapping, a list, text; which fields does it have, and which did the author mean.

Each function complains to the source about what has the wrong shape and returns something that can be gone on with, so that
one pass over a file finds everything that is wrong with it.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.casefile.source import Path, Source

_NAMES = {dict: "a mapping", list: "a list", str: "text", int: "a number", float: "a number", bool: "true or false"}


def kind(value: Any) -> str:
    """Name a value's kind as an author of YAML would."""
    return "nothing" if value is None else _NAMES.get(type(value), type(value).__name__)


def found(value: Any) -> str:
    """Say what stands there instead of what was expected."""
    if value is None:
        return "nothing"
    return str(value).lower() if isinstance(value, bool) else f"{kind(value)}: {value!r}"


def mapping(source: Source, path: Path, raw: Any) -> Mapping[str, Any]:
    """Return a mapping; an absent one is empty."""
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        source.complain(path, f"expected a mapping, found {found(raw)}")
        return {}
    return raw


def items(source: Source, path: Path, raw: Any) -> list[tuple[int, Any]]:
    """Return a list's items with their numbers; an absent list is empty."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        source.complain(path, f"expected a list, found {found(raw)}")
        return []
    return list(enumerate(raw))


def strings(source: Source, path: Path, raw: Any) -> tuple[str, ...]:
    texts = []
    for index, item in items(source, path, raw):
        if isinstance(item, str):
            texts.append(item)
        else:
            source.complain((*path, index), f"expected text, found {found(item)}; quote it")
    return tuple(texts)


def unknown_fields(source: Source, path: Path, fields: Mapping[str, Any], known: Iterable[str]) -> None:
    """Complain about each field that is not known, with the one that was probably meant."""
    known = tuple(known)
    for name in fields:
        if name not in known:
            source.complain((*path, name), unknown(name, known), key=True)


def unknown(name: str, known: Iterable[str]) -> str:
    """Return the text for a word that is not known: which ones are, and which was probably meant."""
    known = tuple(known)
    return f"unknown field, expected one of {', '.join(known)}{meant(name, known)}"


def meant(word: Any, known: Iterable[str]) -> str:
    """Return `; did you mean …?` where a known word is near, whatever its case."""
    words = {each.lower(): each for each in known}
    near = difflib.get_close_matches(str(word).lower(), words, n=1, cutoff=0.6)
    return f"; did you mean {words[near[0]]}?" if near else ""
