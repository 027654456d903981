"""Label selectors and labels, checked as the API server checks them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conformance.casefile.shape import found, items, mapping, meant, strings, unknown_fields
from conformance.model.policy import LabelSelector, Operator, Requirement

if TYPE_CHECKING:
    from conformance.casefile.source import Path, Source

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MOST_NAME, _MOST_PREFIX = 63, 253


def label_selector(source: Source, path: Path, raw: Any) -> LabelSelector:
    """Read a selector; problems go to `source`, and what is wrong is left out of the result."""
    fields = mapping(source, path, raw)
    unknown_fields(source, path, fields, ("matchLabels", "matchExpressions"))
    match_labels = labels(source, (*path, "matchLabels"), fields.get("matchLabels"))
    expressions = [
        requirement(source, (*path, "matchExpressions", index), item)
        for index, item in items(source, (*path, "matchExpressions"), fields.get("matchExpressions"))
    ]
    return LabelSelector(match_labels, tuple(each for each in expressions if each is not None))


def requirement(source: Source, path: Path, raw: Any) -> Requirement | None:
    fields = mapping(source, path, raw)
    if not (raw is None or isinstance(raw, dict)):
        return None
    unknown_fields(source, path, fields, ("key", "operator", "values"))
    key = fields.get("key")
    if not isinstance(key, str):
        text = "Required value: a label key" if key is None else f"expected a label key, as text, found {found(key)}"
        source.complain((*path, "key"), text)
        key = ""
    else:
        check_key(source, (*path, "key"), key, is_key=False)
    values = strings(source, (*path, "values"), fields.get("values"))
    for index, value in enumerate(values):
        check_value(source, (*path, "values", index), value)
    operator = fields.get("operator")
    if operator not in list(Operator):
        wanted = ", ".join(Operator)
        source.complain(
            (*path, "operator"),
            f"Required value: one of {wanted}"
            if operator is None
            else f"Invalid value: {operator!r}: not a valid selector operator, one of {wanted}{meant(operator, Operator)}",
        )
        return None
    operator = Operator(operator)
    if operator in {Operator.IN, Operator.NOT_IN} and fields.get("values") in (None, []):
        source.complain((*path, "values"), f"Required value: must be specified when `operator` is {operator}")
    if operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST} and values:
        source.complain((*path, "values"), f"Forbidden: may not be specified when `operator` is {operator}")
    return Requirement(key, operator, values)


def labels(source: Source, path: Path, raw: Any, *, removable: bool = False) -> dict[str, Any]:
    """Read labels; with `removable` a value may be null, which removes the key."""
    read: dict[str, Any] = {}
    for key, value in mapping(source, path, raw).items():
        check_key(source, (*path, key), key)
        if value is None and removable:
            read[key] = None
        elif not isinstance(value, str):
            source.complain((*path, key), f"a label's value is text, found {found(value)}; quote it")
        else:
            check_value(source, (*path, key), value)
            read[key] = value
    return read


def check_key(source: Source, path: Path, key: str, *, is_key: bool = True) -> None:
    """Complain about what is no label key; `is_key` tells whether it is a key of the file too, or a value in it."""
    prefix, slash, name = key.rpartition("/")
    good_name = 0 < len(name) <= _MOST_NAME and _NAME.fullmatch(name)
    good_prefix = not slash or (0 < len(prefix) <= _MOST_PREFIX and _SUBDOMAIN.fullmatch(prefix))
    if not (good_name and good_prefix):
        text = "a label key is a name of at most 63 of A-Za-z0-9-_. with an optional DNS prefix and a slash"
        source.complain(path, f"Invalid value: {key!r}: {text}", key=is_key)


def check_value(source: Source, path: Path, value: str) -> None:
    if value and (len(value) > _MOST_NAME or not _NAME.fullmatch(value)):
        text = "a label value is empty or at most 63 of A-Za-z0-9-_. that begin and end with a letter or digit"
        source.complain(path, f"Invalid value: {value!r}: {text}")


def is_subdomain(text: str) -> bool:
    return 0 < len(text) <= _MOST_PREFIX and bool(_SUBDOMAIN.fullmatch(text))


def is_dns_label(text: str) -> bool:
    return 0 < len(text) <= _MOST_NAME and "." not in text and bool(_SUBDOMAIN.fullmatch(text))
