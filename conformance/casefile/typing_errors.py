"""pydantic's errors, said in the words of a case file's author and put where the mistake stands."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from conformance.casefile.document import CaseDocument
from conformance.casefile.shape import kind, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from conformance.casefile.source import Path, Source

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def complain(source: Source, error: ValidationError) -> None:
    """Add every error to the source's problems, one for each place."""
    seen: set[Path] = set()
    for detail in error.errors():
        path = _path(detail)
        if path not in seen:
            seen.add(path)
            source.complain(path, _text(detail, path), key=detail["type"] == "extra_forbidden")


def _path(detail: ErrorDetails) -> Path:
    """Drop what is no part of the file: the branch names that pydantic adds to the place of a union."""
    return tuple(part for part in detail["loc"] if part not in {"int", "str", "[key]"})


def _text(detail: ErrorDetails, path: Path) -> str:
    wrong = detail["input"]
    match detail["type"]:
        case "extra_forbidden":
            return unknown(str(path[-1]), _known_fields(path[:-1]))
        case "missing":
            return "missing"
        case "literal_error":
            return _literal(wrong, detail)
        case "string_pattern_mismatch":
            return f"{wrong!r} does not have the form {detail['ctx']['pattern']}"
        case "too_short":
            return "at least one is needed"
        case "bool_type" | "string_type" | "int_type" | "list_type" | "dict_type" | "model_type" as wanted:
            quote = "; quote it" if wanted == "string_type" and not isinstance(wrong, dict | list | None) else ""
            return f"expected {_WANTED.get(wanted, 'true or false')}, found {kind(wrong)}: {wrong!r}{quote}"
        case _:
            return f"{detail['msg']}: {wrong!r}"


def _literal(wrong: Any, detail: ErrorDetails) -> str:
    expected = str(detail["ctx"]["expected"])
    near = difflib.get_close_matches(
        str(wrong), [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")], n=1
    )
    return f"expected {expected}, found {wrong!r}" + (f"; did you mean {near[0]}?" if near else "")


def _known_fields(path: Path) -> Iterable[str]:
    model: Any = CaseDocument
    for part in path:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(fields[part].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
