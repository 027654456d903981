"""The JSON Schema for editors: it is a schema, it is the shipped one, and it agrees with the loader about the suite's cases."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from conformance.casefile.document import json_schemas
from conformance.casefile.load import find
from conformance.casefile.packaged import cases
from conformance.casefile.source import parse

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMAS = json_schemas()
FIRST_LINES = {f"# yaml-language-server: $schema=../_schema/{name}": name for name in SCHEMAS}


def errors(text: str, schema: str = "case.schema.json") -> list[str]:
    validator = Draft202012Validator(SCHEMAS[schema])
    return [error.json_path for error in validator.iter_errors(parse(text, "case.yaml").data)]


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS)
def test_it_is_a_schema(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"].startswith("NetworkPolicy conformance case")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_shipped_file_is_up_to_date(name: str) -> None:
    """To bring it up to date, write the text that this test wants into the file."""
    wanted = json.dumps(SCHEMAS[name], indent=2) + "\n"
    assert (cases() / "_schema" / name).read_text(encoding="utf-8") == wanted


def test_every_case_of_the_suite_is_valid() -> None:
    texts = {str(file): file.read_text(encoding="utf-8") for file in find([cases()])}
    found = {
        file: found for file, text in texts.items() if (found := errors(text, FIRST_LINES[text.partition("\n")[0]]))
    }
    assert not found


def test_every_case_names_its_schema_in_its_first_line() -> None:
    for file in find([cases()]):
        text = file.read_text(encoding="utf-8")
        wanted = "table" if "\nkind: CaseTable\n" in text else "case"
        assert FIRST_LINES.get(text.partition("\n")[0]) == f"{wanted}.schema.json", file


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
    found = {
        name for each in _objects(SCHEMAS["case.schema.json"]) for name, field in each.items() if "description" in field
    }
    assert described <= found


def _objects(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [each.get("properties", {}) for each in (schema, *schema["$defs"].values())]
