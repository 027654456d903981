"""What a line of a record must be for anything to be made of it: plain data that fits its schema, and whose parts fit each other."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING, Any

from conformance.errors import RecordError
from conformance.model.shard import MOST_SHARDS
from conformance.report.findings import ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Schema = Mapping[str, Any]

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "null": type(None),
}  # fmt: skip
_MOST_DEPTH, _MOST_NUMBER, _MOST_SHOWN, _MOST_TOLD = 50, 10**15, 80, 5
_HISTORY: Schema = {
    "type": "object",
    "required": ["started", "implementation", "version", "mode", "suite_version", "case_set", "verdicts"],
    "additionalProperties": {"type": "string"},
    "properties": {
        "started": {"$ref": "#/$defs/moment"},
        "verdicts": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "propertyNames": {"$ref": "#/$defs/verdict"},
                "additionalProperties": {"type": "integer", "minimum": 0},
            },
        },
    },
}


def of_record(line: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a line of a record of this version, each with the place in it."""
    kind = line["type"]
    if kind not in {"header", "case", "footer"}:
        return  # whether a line may stand where it stands is seen by who reads all of them
    yield from _plain(line, "", 0) or _misfits(line, _schema()["$defs"][kind], "") or _unfitting(line)


def of_history(line: Any) -> Iterator[str]:
    """Yield what is wrong with a line of a history."""
    yield from _plain(line, "", 0) or _misfits(line, _HISTORY, "")


def refuse(problems: Iterable[str], where: str, what: str) -> None:
    """Raise RecordError with the first of the problems of a line, if there are any; `where` is its file and number."""
    if told := list(islice(problems, _MOST_TOLD)):
        raise RecordError(f"{where}: not a line of a {what}", causes=told)


@cache
def _schema() -> Schema:
    schema: Schema = json.loads(files("conformance.report").joinpath("record.schema.json").read_text(encoding="utf-8"))
    return schema


def _plain(value: Any, where: str, depth: int) -> list[str]:
    """Say what JSON allows and no text, page or sum can be made of: half of a surrogate pair, no number, depths without end."""
    if depth > _MOST_DEPTH:
        return [f"{where[:_MOST_SHOWN]}: nested more than {_MOST_DEPTH} deep"]
    if isinstance(value, str):
        return [] if value.isascii() or _is_text(value) else [f"{where}: it has half of a surrogate pair"]
    if isinstance(value, int | float):
        return [] if -_MOST_NUMBER <= value <= _MOST_NUMBER else [f"{where}: {_short(value)} is too large"]
    if isinstance(value, dict):
        found = [f"{where}: a key has half of a surrogate pair" for key in value if not _is_text(key)]
        return found + [each for key in value for each in _plain(value[key], _in(where, key), depth + 1)]
    if isinstance(value, list):
        return [each for index, item in enumerate(value) for each in _plain(item, f"{where}[{index}]", depth + 1)]
    return []


def _short(number: float) -> str:
    """Write a number that may have more digits than Python writes."""
    return str(number) if isinstance(number, float) else f"a number of {number.bit_length()} bits"


def _is_text(text: str) -> bool:
    try:
        return bool(text.encode()) or not text
    except UnicodeEncodeError:
        return False


def _in(where: str, key: str) -> str:
    key = key if key.isprintable() else ascii(key)
    return f"{where}.{key[:_MOST_SHOWN]}" if where else key[:_MOST_SHOWN]


def _misfits(value: Any, schema: Schema, where: str) -> list[str]:
    """Say where a value does not fit a schema; of the keywords of JSON Schema this knows those that the record's schema has.

    Fields that are not known are let through: they are of a later version, or of somebody who adds something of their own.
    """
    if "$ref" in schema:
        return _misfits(value, _schema()["$defs"][schema["$ref"].rpartition("/")[2]], where)
    if "anyOf" in schema:
        found = [_misfits(value, each, where) for each in schema["anyOf"]]
        return [] if not all(found) else next((each for each in found if not _is_of_another_type(each)), found[0])
    if wrong := _wrong(value, schema):
        return [f"{where or 'the line'}: {wrong}"]
    if isinstance(value, list) and "items" in schema:
        return [
            each for number, item in enumerate(value) for each in _misfits(item, schema["items"], f"{where}[{number}]")
        ]
    return _misfits_of_fields(value, schema, where) if isinstance(value, dict) else []


def _is_of_another_type(problems: list[str]) -> bool:
    return any(": expected " in each for each in problems)


def _misfits_of_fields(value: Mapping[str, Any], schema: Schema, where: str) -> list[str]:
    known = schema.get("properties", {})
    found = [f"{_in(where, name)}: missing" for name in schema.get("required", ()) if name not in value]
    for name, each in value.items():
        here = _in(where, name)
        found += _misfits(name, schema.get("propertyNames", {}), here)
        other = schema.get("additionalProperties")
        found += _misfits(each, known.get(name) or (other if isinstance(other, dict) else {}), here)
    return found


def _wrong(value: Any, schema: Schema) -> str:
    """Say in what a value itself, and not what is in it, does not fit."""
    shown = json.dumps(value, ensure_ascii=True)[:_MOST_SHOWN]
    wanted = schema.get("type")
    if wanted and (not isinstance(value, _TYPES[wanted]) or (isinstance(value, bool) and wanted != "boolean")):
        return f"expected {wanted}, found {shown}"
    if "const" in schema and value != schema["const"]:
        return f"expected {schema['const']}, found {shown}"
    if "enum" in schema and value not in schema["enum"]:
        return f"expected one of {', '.join(map(str, schema['enum']))}, found {shown}"
    if "minimum" in schema and value < schema["minimum"]:
        return f"at least {schema['minimum']}, found {shown}"
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        return "empty"
    if "pattern" in schema and not re.search(
        schema["pattern"].removesuffix("$") + r"\Z" * schema["pattern"].endswith("$"), value
    ):
        return f"{shown} does not look like {schema['pattern']}"
    if schema.get("uniqueItems") and len({json.dumps(each) for each in value}) < len(value):
        return "something is there twice"
    return ""


def _unfitting(line: Mapping[str, Any]) -> list[str]:
    """Say what fits the schema, and not the rest of the line."""
    found = [
        f"{name}: there is no such moment: {line[name]}" for name in ("started", "ended") if not _is_moment(line, name)
    ]
    shard = line.get("shard")
    if shard is not None and not shard["number"] <= shard["count"] <= MOST_SHARDS:
        found.append(f"shard: there is no shard {shard['number']}/{shard['count']}")
    for number, step in enumerate(line.get("steps", ())):
        found += _unfitting_step(step, f"steps[{number}]")
    return found


def _is_moment(line: Mapping[str, Any], name: str) -> bool:
    try:
        return name not in line or datetime.fromisoformat(line[name]) is not None
    except ValueError:
        return False


def _unfitting_step(step: Mapping[str, Any], where: str) -> list[str]:
    matrix = step["matrix"]
    sources, destinations, expected = (matrix[name] for name in ("sources", "destinations", "expected"))
    found = []
    for port, rows in expected.items():
        if len(rows) != len(sources) or any(len(row) != len(destinations) for row in rows):
            found.append(
                f"{where}.matrix.expected.{port}: not a row for each source, with a place for each destination"
            )
    for number, finding in enumerate(step["findings"]):
        source, destination, port = ends(finding["flow"])
        if port in expected and (source not in sources or destination not in destinations):
            found.append(f"{where}.findings[{number}].flow: {finding['flow']} is none of the matrix")
    if (step["latency_median"] is None) != (step["latency_slowest"] is None):
        found.append(f"{where}: of latency_median and latency_slowest there is only one")
    return found
