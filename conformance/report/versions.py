"""Records of earlier versions of the format, read as if they were of this one: what they do not have stays empty."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Any

from conformance.model.record import FORMAT

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The formats that can be read; the last is the one that is written.
READABLE = ("netpol-conformance/run/v1", "netpol-conformance/run/v2", FORMAT)
#: How Python writes a list of texts without a quote or a backslash in them: names and numbers are all that such options have.
_LIST = re.compile(r"\['[^'\\\n\r\0]*'(, '[^'\\\n\r\0]*')*\]")
#: What was added later, by the type of a line, with what stands for its absence.
_LATER: Mapping[str, Mapping[str, Any]] = {
    "header": {"own_cases": 0, "shard": None, "mode": "default", "about": {}},
    "case": {"setup": []},
    "step": {"barrier": None, "changes": [], "matrix": {"sources": [], "destinations": [], "expected": {}}},
}


def as_of_now(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line of any readable format as this version writes it."""
    now = _completed(line, line["type"])
    if now["type"] == "header":
        now["format"] = FORMAT
    if now["type"] == "header" and isinstance(now.get("options"), dict):
        now["options"] = {name: _values(value) for name, value in now["options"].items()}
    if now["type"] == "case" and isinstance(now.get("steps"), list):
        now["steps"] = [_completed(step, "step") if isinstance(step, dict) else step for step in now["steps"]]
    return now


def _completed(line: Mapping[str, Any], kind: str) -> dict[str, Any]:
    return {**line, **{name: value for name, value in _LATER.get(kind, {}).items() if name not in line}}


def _values(option: str | list[str]) -> str | list[str]:
    """Return an option's value. Version 3 is the first that did not write those of one that may be given several times as Python writes a list."""
    if isinstance(option, str) and _LIST.fullmatch(option):
        return [str(each) for each in ast.literal_eval(option)]
    return option
