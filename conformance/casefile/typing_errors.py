"""pydantic's errors, said in the words of a case file's author and put where the mistake stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from conformance.casefile.shape import found, meant, unknown
from conformance.casefile.source import dotted

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

    from conformance.casefile.source import Path, Source

_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "bool_type": "true or false",
}
_PLAIN = {
    "too_short": "at least one is needed",
    "string_too_short": "must not be empty",
    "less_than_equal": "must be at most {le}, found {found}",
    "greater_than_equal": "must be at least {ge}, found {found}",
}
#: Fields of a pod that hold ports.
_OF_PODS = ("portNames", "secondContainer", "sidecar", "readiness")
_FORMS = {
    "id": "an id is four characters of A-Z and 0-9",
    "requirement": "a requirement is a sentence with MUST, SHOULD or MAY",
    "spec": "a link begins with https://",
    "defects": "a class of defects is M01 to M40",
    "over": "an axis is a lowercase word, or several with commas for pairs; entries and fields are lowercase words with hyphens",
    "covers": "whose test it is and which, such as upstream:1",
    "probe": "a port is written 80/TCP, and several 79-83/UDP",
    "serves": "a port is written 80/TCP",
    **dict.fromkeys(_OF_PODS, "a port is written 80/TCP"),
    "fromStart": "what a pod tries is written x/a:80/TCP",
    "name": "a name is lowercase letters, digits and hyphens, with a letter or digit at both ends",
}


def complain(source: Source, error: ValidationError, kind: type[BaseModel]) -> None:
    """Add what is wrong to the source's problems; where there is one already, it is said in better words."""
    said = {(problem.location, problem.path) for problem in source.problems}
    details: dict[Path, list[ErrorDetails]] = {}
    for detail in error.errors():
        details.setdefault(_path(detail, source.data), []).append(detail)
    for path, here in details.items():
        key = here[0]["type"] == "extra_forbidden"
        if (source.at(path, key=key), dotted(path)) not in said:
            source.complain(path, _text(here, path, kind), key=key)


def _path(detail: ErrorDetails, data: Any) -> Path:
    """Drop what is no part of the file: the branch names that pydantic adds to the place of a union."""
    path: list[str | int] = []
    for part in detail["loc"]:
        inside = part in data if isinstance(data, dict) else isinstance(data, list) and isinstance(part, int)
        if inside:
            data = data[part]
        elif part in {"int", "str", "constrained-int"}:
            continue
        path.append(part)
    return tuple(path)


def _text(details: Sequence[ErrorDetails], path: Path, kind: type[BaseModel]) -> str:
    """Say what is wrong at one place. In a union, that is what the branch says that is of the right kind, if there is one."""
    kinds = [_WANTED[each["type"]] for each in details if each["type"] in _WANTED]
    if len(details) == len(kinds):
        wrong = details[0]["input"]
        quoted = kinds == ["text"] and not isinstance(wrong, dict | list | None)
        hint = next((f"; {_FORMS[str(part)]}" for part in path if part in {"probe", *_OF_PODS}), "; quote it")
        return f"expected {' or '.join(kinds)}, found {found(wrong)}{hint if quoted else ''}"
    return _mistake(next(each for each in details if each["type"] not in _WANTED), path, kind)


def _mistake(detail: ErrorDetails, path: Path, document: type[BaseModel]) -> str:
    wrong = detail["input"]
    context = detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            return unknown(str(path[-1]), _known_fields(path[:-1], document))
        case "missing":
            return "missing"
        case "literal_error":
            expected = str(context["expected"])
            words = [word.strip(" '") for word in expected.replace(" or ", ", ").split(",")]
            return f"expected {expected}, found {found(wrong)}{meant(wrong, words)}"
        case "string_pattern_mismatch":
            named = [part for part in path if part in _FORMS]
            return f"{wrong!r}: {_FORMS[str(named[-1])] if named else context['pattern']}"
        case "string_too_long":
            return f"{wrong!r}: at most {context['max_length']} characters"
        case kind:
            return (
                _PLAIN[kind].format(found=found(wrong), **context) if kind in _PLAIN else f"{detail['msg']}: {wrong!r}"
            )


def _known_fields(path: Path, document: type[BaseModel]) -> Iterable[str]:
    model: Any = document
    for part in path:
        if isinstance(part, str) and isinstance(model, type) and issubclass(model, BaseModel):
            fields = {field.alias or name: field for name, field in model.model_fields.items()}
            model = _model_in(fields[part].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
