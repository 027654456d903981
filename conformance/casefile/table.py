"""Tables: one file that stands for many cases, one for each combination of its entries.

`case` is a case with holes, `over` the entries that fill them. `${peer}` is the name of an entry of the axis `peer`, `${peer.who}`
one of its fields: a value that is nothing but a hole becomes the field as it is, and in a list, the items of a field that is a list;
inside a text the field must be text or a number. Fields may have holes themselves. An axis called `one, other` stands for each pair of its entries, once.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.casefile.shape import meant
from conformance.casefile.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.casefile.document import TableDocument
    from conformance.casefile.source import Path

_HOLE = re.compile(r"\$\{(?P<axis>[^}.]*)(\.(?P<field>[^}]*))?\}")
_DEEPEST = 5
#: Of a table. Problems are fewer, since one mistake may be one of every case.
_MOST_CASES, _MOST_PROBLEMS = 1000, 2000
#: What holes may make of a table, in characters: holes within holes multiply. A value counts as some, whatever it is.
_MOST_FILLED, _VALUE = 4_000_000, 20

#: A combination: for each name, the path of its entry in the table.
Entries = dict[str, tuple[str, str, str]]


def expand(source: Source, table: TableDocument) -> list[Source]:
    """Return the document of each case of a table, each part standing where the table has it.

    Problems go to the table's source; a table with problems has no documents.
    """
    if (count := _count(table)) > _MOST_CASES:
        source.complain(("over",), f"{count} combinations: a table has at most {_MOST_CASES}", key=True)
        return []
    used: set[Path] = set()
    documents, room = [], _Room()
    for combination in _combinations(table):
        documents.append(_Filling(source, combination, used, room).document(table.id))
        if room.left <= 0 or len(source.problems) > _MOST_PROBLEMS:
            break
    if not source.problems:
        for axis, entries in table.over.items():
            for path in (("over", axis, entry, field) for entry, fields in entries.items() for field in fields):
                if path not in used:
                    source.complain(path, "no hole asks for this field", key=True)
    return [] if source.problems else documents


def _count(table: TableDocument) -> int:
    """Return how many combinations there are, without making them."""
    return math.prod(math.comb(len(entries), axis.count(",") + 1) for axis, entries in table.over.items())


def _combinations(table: TableDocument) -> Iterator[Entries]:
    choices = []
    for axis, entries in table.over.items():
        names = [name.strip() for name in axis.split(",")]
        chosen = itertools.combinations(entries, len(names))
        choices.append([{name: ("over", axis, key) for name, key in zip(names, keys, strict=True)} for keys in chosen])
    for parts in itertools.product(*choices):
        yield {name: path for part in parts for name, path in part.items()}


@dataclass(slots=True)
class _Room:
    """How much may still be made of a table."""

    left: int = _MOST_FILLED


@dataclass(slots=True)
class _Filling:
    """One combination on its way into the template; `used` collects the fields that holes asked for."""

    table: Source
    entries: Entries
    used: set[Path]
    room: _Room

    def document(self, table_id: str) -> Source:
        made = Source(self.table.file)
        made.data = self._value(made, ("case",), self.table.data["case"], (), 0)
        identity = "-".join([table_id, *(entry for _, _, entry in self.entries.values())])
        row = self.table.at(list(self.entries.values())[-1], key=True)
        if isinstance(made.data, dict):
            for field, value in (("apiVersion", self.table.data["apiVersion"]), ("kind", "Case"), ("id", identity)):
                made.data[field] = value
                made.value_places[field,] = row
        return made

    def _value(self, made: Source, path: Path, raw: Any, here: Path, depth: int) -> Any:
        """Fill in what stands at a path of the table; `here` is where it goes in the case."""
        if self._is_too_much(path):
            return ""
        made.value_places[here] = self.table.at(path)
        if isinstance(raw, dict):
            filled = {}
            for key, value in raw.items():
                name = self._text((*path, key), key, depth)
                made.key_places[*here, name] = self.table.at((*path, key), key=True)
                filled[name] = self._value(made, (*path, key), value, (*here, name), depth)
            return filled
        if isinstance(raw, list):
            items: list[Any] = []
            for place, item, level in self._items(path, raw, depth):
                items.append(self._value(made, place, item, (*here, len(items)), level))
            return items
        if not isinstance(raw, str):
            return raw
        field = self._asked_for(path, raw, depth)
        return (
            self._value(made, field, _within(self.table.data, field), here, depth + 1)
            if field
            else self._text(path, raw, depth)
        )

    def _items(self, path: Path, raw: list[Any], depth: int) -> Iterator[tuple[Path, Any, int]]:
        """Yield the items of a list and where they stand: those of another list in place of a hole that asks for it."""
        for index, item in enumerate(raw):
            field = self._asked_for((*path, index), item, depth) if isinstance(item, str) else None
            other = _within(self.table.data, field) if field else None
            if self._is_too_much((*path, index)):
                return
            if field and isinstance(other, list):
                yield from self._items(field, other, depth + 1)
            else:
                yield (*path, index), item, depth

    def _is_too_much(self, path: Path, size: int = _VALUE) -> bool:
        if 0 < self.room.left <= size:
            self.table.complain(path, "holes make too much of this table")
        self.room.left -= size
        return self.room.left <= 0

    def _asked_for(self, path: Path, text: str, depth: int) -> Path | None:
        """Return the path of the field that a text stands for which is nothing but a hole."""
        hole = _HOLE.fullmatch(text)
        return self._field(path, hole) if hole and hole["field"] and depth < _DEEPEST else None

    def _text(self, path: Path, text: str, depth: int) -> str:
        if self._is_too_much(path, _VALUE + len(text)):
            return ""
        if depth > _DEEPEST:
            self.table.complain(path, f"holes within holes, more than {_DEEPEST} deep")
            return text
        return _HOLE.sub(lambda hole: self._piece(path, hole, depth), text)

    def _piece(self, path: Path, hole: re.Match[str], depth: int) -> str:
        if hole["field"] is None and hole["axis"] in self.entries:
            return self.entries[hole["axis"]][-1]
        field = self._field(path, hole)
        value = _within(self.table.data, field) if field else ""
        if isinstance(value, bool) or not isinstance(value, str | int):
            self.table.complain(path, f"{hole[0]} stands inside a text, so it must be text or a number")
            return ""
        return self._text(field, value, depth + 1) if field and isinstance(value, str) else str(value)

    def _field(self, path: Path, hole: re.Match[str]) -> Path | None:
        """Return the path of the field that a hole asks for; None, after a complaint, where there is none."""
        entry = self.entries.get(hole["axis"])
        if entry is None:
            text = f"{hole[0]} asks for an axis {hole['axis']!r} that the table does not have"
            self.table.complain(path, text + meant(hole["axis"], self.entries))
            return None
        fields: Mapping[str, Any] = _within(self.table.data, entry)
        if hole["field"] not in fields:
            text = f"{entry[-1]} has no field {hole['field']!r}, which {hole[0]} asks for"
            self.table.complain(path, text + meant(hole["field"], fields))
            return None
        self.used.add((*entry, hole["field"]))
        return (*entry, hole["field"])


def _within(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data
