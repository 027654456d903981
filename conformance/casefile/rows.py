"""The notation of expectations: `x/a, x/b -> y/*:80-81/TCP over IPv6`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conformance.casefile.shape import found, items, mapping
from conformance.model.case import Expectation, Row
from conformance.model.world import IPFamily, Protocol

if TYPE_CHECKING:
    from conformance.casefile.source import Path, Source
    from conformance.model.source import Location

_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_PATTERN = re.compile(rf"\*|({_NAME}|\*)/({_NAME}(\.{_NAME})*|\*)|({_NAME}|\*)\.({_NAME}|\*)\.svc|\*\.svc|{_NAME}")
_PORTS = re.compile(
    r"(?P<ports>[0-9]{1,5}(-[0-9]{1,5})?(,[0-9]{1,5}(-[0-9]{1,5})?)*|\*)(/(?P<protocols>[A-Z]+(,[A-Z]+)*))?"
)
#: More than a world serves: a row that means all of them names none.
_MOST_PORTS = 200


class RowError(ValueError):
    """A row that is not in the notation."""


def expectation(source: Source, path: Path, raw: Any) -> Expectation | None:
    """Read an `expect` block; None where there is none."""
    if raw is None:
        return None
    fields = mapping(source, path, raw)
    return Expectation(
        default=fields.get("default") == "allow",
        allow=_rows(source, (*path, "allow"), fields.get("allow")),
        deny=_rows(source, (*path, "deny"), fields.get("deny")),
    )


def _rows(source: Source, path: Path, raw: Any) -> tuple[Row, ...]:
    rows = []
    for index, item in items(source, path, raw):
        if not isinstance(item, str):
            source.complain((*path, index), f"expected a row such as 'x/a -> y/b:80/TCP', found {found(item)}")
            continue
        try:
            rows.append(row(item, source.at((*path, index))))
        except RowError as error:
            source.complain((*path, index), f"{item!r}: {error}")
    return tuple(rows)


def row(text: str, location: Location | None = None) -> Row:
    """Read one row; RowError says what is wrong with it."""
    rest, over, last = text.partition(" over ")
    left, arrow, right = (part.strip() for part in rest.partition("->"))
    if not arrow or not left or not right:
        raise RowError("expected SOURCES -> DESTINATIONS[:PORTS[/PROTOCOL]][ over FAMILY], such as x/a -> y/b:80/TCP")
    family = _family(last.strip()) if over else None
    where, colon, what = right.partition(":")
    ports, protocols = _ports(what.replace(" ", "")) if colon else (None, None)
    sources, sources_negated = _refs(left)
    destinations, destinations_negated = _refs(where)
    if any(pattern.endswith(".svc") for pattern in sources):
        raise RowError("a Service sends nothing, so it can only be a destination")
    return Row(text, sources, destinations, sources_negated, destinations_negated, ports, protocols, location, family)


def _family(text: str) -> IPFamily:
    try:
        return IPFamily(text)
    except ValueError:
        raise RowError(
            f"{text!r} is no family of addresses: it is over IPv4 or over IPv6, and over both without"
        ) from None


def _refs(text: str) -> tuple[tuple[str, ...], bool]:
    negated = text.startswith("!")
    patterns = tuple(part.strip() for part in text.removeprefix("!").split(","))
    for pattern in patterns:
        if not _PATTERN.fullmatch(pattern):
            raise RowError(
                f"{pattern!r} names no pods: expected x/a, x/*, */a, *, ext or web.x.svc, with ! in front of the whole list"
            )
    return patterns, negated


def _ports(text: str) -> tuple[frozenset[int] | None, frozenset[Protocol] | None]:
    match = _PORTS.fullmatch(text)
    if not match:
        raise RowError(f"{text!r} is no port: expected 80, 80-82, 80,82 or *, with /TCP, /UDP or /SCTP behind it")
    protocols = None
    if match["protocols"]:
        try:
            protocols = frozenset(Protocol(word) for word in match["protocols"].split(","))
        except ValueError:
            raise RowError(f"{match['protocols']!r}: a protocol is TCP, UDP or SCTP") from None
    if match["ports"] == "*":
        return None, protocols
    spans = {part: span(part) for part in match["ports"].split(",")}
    for part, numbers in spans.items():
        if not numbers:
            raise RowError(f"{part!r} holds no port: the lower number comes first")
    if sum(map(len, spans.values())) > _MOST_PORTS:
        raise RowError(f"{text!r} names more than {_MOST_PORTS} ports; a row without any is about all of them")
    return frozenset(number for numbers in spans.values() for number in numbers), protocols


def span(text: str) -> range:
    """Return the numbers of `80` or `80-82`."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)
