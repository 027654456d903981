"""The JSON Schema for editors: it is a schema, it is the shipped one, and it agrees with the loader about the suite's cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from conformance.casefile.document import json_schema
from conformance.casefile.load import find
from conformance.casefile.packaged import cases
from conformance.casefile.source import parse

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)


def errors(text: str) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(parse(text, "case.yaml").data)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["title"] == "NetworkPolicy conformance case"


def test_the_shipped_file_is_up_to_date() -> None:
    """To bring it up to date, write the text that this test wants into the file."""
    wanted = json.dumps(SCHEMA, indent=2) + "\n"
    assert (cases() / "_schema" / "case.schema.json").read_text(encoding="utf-8") == wanted


def test_every_case_of_the_suite_is_valid() -> None:
    found = {str(file): found for file in find([cases()]) if (found := errors(file.read_text(encoding="utf-8")))}
    assert not found


def test_every_case_names_the_schema_in_its_first_line() -> None:
    wanted = "# yaml-language-server: $schema=../_schema/case.schema.json\n"
    without = [str(file) for file in find([cases()]) if not file.read_text(encoding="utf-8").startswith(wanted)]
    assert not without


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("tier: core", "tier: kore", "$.tier"),
        ("tier: core", "teir: core", "$"),
        ("id: K7QD", "id: k7qd", "$.id"),
        ("id: K7QD", "", "$"),
        ("[ingress]", "[ingres]", "$.features[0]"),
        ("{default: allow}", "{default: allowed}", "$.steps[0].expect"),
        ("{default: allow}", "{default: allow, deny: '* -> *'}", "$.steps[0].expect"),
        ("name: open", "nam: open", "$.steps[0]"),
        ("tier: core", "tier: core\nprobe: [80]", "$.probe[0]"),
        ("tier: core", "tier: core\nprobe: []", "$.probe"),
        ("tier: core", "tier: core\nworld: {pods: [{namespace: x}]}", "$.world.pods[0]"),
        ("tier: core", "tier: core\nworld: {pods: [{namespace: x, name: A}]}", "$.world.pods[0].name"),
        ("tier: core", "tier: core\nworld: {services: [{namespace: x, name: s, selector: {}, ports: [{port: 80}]}]}", "$.world.services[0].selector"),
    ],
)  # fmt: skip
def test_a_bad_one_is_not(old: str, new: str, path: str, whole: Callable[..., str]) -> None:
    text = whole()
    assert errors(text) == []
    assert old in text
    assert path in errors(text.replace(old, new, 1))


def test_every_field_that_needs_words_has_them() -> None:
    """An editor shows descriptions; what is obvious from its name has none."""
    described = {
        "id", "requirement", "spec", "remove", "replace", "label", "delete", "apply", "node", "portNames", "targetPort"
    }  # fmt: skip
    found = {name for each in _objects(SCHEMA) for name, field in each.items() if "description" in field}
    assert described <= found


def _objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [each.get("properties", {}) for each in (schema, *schema["$defs"].values())]
