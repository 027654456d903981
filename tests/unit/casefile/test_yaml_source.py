"""YAML with places: what is refused although it is YAML, and where everything stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.casefile.source import Source, dotted, parse, read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Unmarked = Callable[[str], tuple[str, list[str]]]


def said(source: Source) -> list[str]:
    return [str(problem) for problem in source.problems]


@pytest.mark.parametrize(
    ("marked", "text"),
    [
        pytest.param("a: 1\n«a: 2", "a: duplicate key; the first is on line 1", id="duplicate key"),
        pytest.param("a: {b: 1, «b: 2}", "a.b: duplicate key; the first is on line 1", id="duplicate key inside"),
        pytest.param("a: 1\n«'a': 2", "a: duplicate key; the first is on line 1", id="duplicate key, quoted"),
        pytest.param("«80: a", "a key must be text: quote '80'", id="a number as key"),
        pytest.param("a:\n  «true: b", "a: a key must be text: quote 'true'", id="a bool as key"),
        pytest.param("«on: b", "a key must be text: quote 'on'", id="YAML 1.1 bool as key"),
        pytest.param("«no: b", "a key must be text: quote 'no'", id="Norway as key"),
        pytest.param("«~: b", "a key must be text: quote '~'", id="null as key"),
        pytest.param("«<<: {a: b}", "a key must be text: quote '<<'", id="merge key"),
        pytest.param("? «[a]\n: b", "a key must be text, and not a list or a mapping", id="a list as key"),
        pytest.param("? «{a: b}\n: b", "a key must be text, and not a list or a mapping", id="a mapping as key"),
        pytest.param("a: «&x 1", "anchors and aliases are not used in case files", id="anchor"),
        pytest.param("a: «*x", "anchors and aliases are not used in case files", id="alias of nothing"),
        pytest.param("a: «!!str 80", "tags such as !!str are not used in case files", id="tag"),
        pytest.param("a: «!secret b", "tags such as !secret are not used in case files", id="tag of one's own"),
        pytest.param("a: «!!set {b}", "tags such as !!set are not used in case files", id="tag of a mapping"),
        pytest.param(
            "a: «!!python/object/apply:os.system [ls]",
            "tags such as !!python/object/apply:os.system are not used in case files",
            id="tag that would run code",
        ),
        pytest.param("a: 1\n«---\nb: 2", "a second document begins here: a file holds one", id="two documents"),
        pytest.param("a: [1,\nb: 2\n«", "not YAML: ", id="list without an end"),
        pytest.param("a: b«: c", "not YAML: ", id="two values in a line"),
        pytest.param("«\ta: 1", "not YAML: ", id="tab"),
        pytest.param("a: «@b", "not YAML: ", id="reserved character"),
        pytest.param("a: 'b\n«", "not YAML: ", id="quote without an end"),
        pytest.param("a: 1\n«- b", "not YAML: ", id="list in a mapping"),
        pytest.param("a: 1\n«b: \x07", "not YAML: control characters are not allowed", id="control character"),
        pytest.param("[" * 50 + "«" + "[" * 500, "nested more than 50 deep", id="depth without end"),
        pytest.param("a: «" + "9" * 5000, "a: a number of 5000 digits: quote it if it is text", id="endless number"),
    ],
)  # fmt: skip
def test_what_is_refused_and_where(marked: str, text: str, unmarked: Unmarked) -> None:
    clean, (place,) = unmarked(marked)
    problems = said(parse(clean, "f.yaml"))
    assert problems[0].startswith(f"f.yaml:{place}: {text}"), problems


@pytest.mark.parametrize(
    "scalar",
    ["yes", "No", "on", "OFF", "True", "FALSE", "010", "0x1F", "0b1", "0o17", "1_000", "+5", "22:22", "1e3", "1.", ".5", ".inf",
     "-.INF", ".NaN", "2024-01-01", "2024-01-01T00:00:00Z", "="],
)  # fmt: skip
def test_what_two_readers_of_yaml_read_differently_is_refused(scalar: str) -> None:
    (problem,) = said(parse(f"a: {scalar}", "f.yaml"))
    assert problem.startswith(f"f.yaml:1:4: a: {scalar!r} means different things to different YAML readers: quote it")
    assert parse(f"a: '{scalar}'", "f.yaml").data == {"a": scalar}
    assert parse(f"a: |-\n  {scalar}", "f.yaml").data == {"a": scalar}


@pytest.mark.parametrize(
    ("scalar", "value"),
    [("80", 80), ("-1", -1), ("0", 0), ("1.5", 1.5), ("true", True), ("false", False), ("null", None), ("~", None), ("", None),
     ("a", "a"), ("10.0.0.0/8", "10.0.0.0/8"), ("80-81", "80-81"), ("1.2.3", "1.2.3"), ("K7QD", "K7QD"), ("x/a", "x/a"), ("é", "é"),
     ("'80'", "80"), ('"a\\nb"', "a\nb"), (">-\n  a\n  b", "a b")],
)  # fmt: skip
def test_what_is_read_as_what(scalar: str, value: object) -> None:
    source = parse(f"a: {scalar}", "f.yaml")
    assert said(source) == []
    assert source.data == {"a": value}
    assert type(source.data["a"]) is type(value)


@pytest.mark.parametrize(
    ("text", "data"),
    [("", None), ("# a comment\n", None), ("---\n", None), ("--- {a: 1}\n...\n", {"a": 1}), ("\ufeffa: 1\n", {"a": 1}), ("[]", [])],
    ids=["empty", "comment", "begin alone", "begin and end", "byte order mark", "list"],
)  # fmt: skip
def test_files_without_much_in_them(text: str, data: object) -> None:
    source = parse(text, "f.yaml")
    assert (source.data, source.problems) == (data, [])


def test_one_problem_does_not_hide_the_next() -> None:
    text = "a: yes\na: 2\n3: c\nd: {e: 010, e: 1}\n"
    assert [each.location.line for each in parse(text, "f.yaml").problems] == [1, 2, 3, 4, 4]


def test_every_value_and_key_has_a_place() -> None:
    source = parse("a: 1\nb:\n  - c: x\n    d.e: y\n  - [p, q]\r\nf: {g: h}\n", "f.yaml")
    values = {
        (): "1:1",
        ("a",): "1:4",
        ("b",): "3:3",
        ("b", 0): "3:5",
        ("b", 0, "c"): "3:8",
        ("b", 0, "d.e"): "4:10",
        ("b", 1, 1): "5:9",
        ("f", "g"): "6:8",
    }
    assert {path: str(source.at(path)) for path in values} == {path: f"f.yaml:{at}" for path, at in values.items()}
    assert str(source.at(("b", 0, "d.e"), key=True)) == "f.yaml:4:5"
    assert str(source.at(("f", "g"), key=True)) == "f.yaml:6:5"


def test_what_is_not_there_stands_where_it_would_be() -> None:
    source = parse("a:\n  b: {c: 1}\n", "f.yaml")
    assert str(source.at(("a", "b", "missing", 3, "x"))) == "f.yaml:2:6"
    assert str(source.at(("missing",))) == "f.yaml:1:1"
    assert str(parse("", "f.yaml").at(("a",))) == "f.yaml:1:1"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("steps", 0, "apply", 1, "spec"), "steps[0].apply[1].spec"),
        (("labels", "kubernetes.io/metadata.name"), "labels[kubernetes.io/metadata.name]"),
        (("label", "x/a", "team"), "label.x/a.team"),
        ((0, "a"), "[0].a"),
    ],
)
def test_paths_are_written_as_the_api_server_does(path: tuple[str | int, ...], text: str) -> None:
    assert dotted(path) == text


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = read(tmp_path / "missing.yaml", "missing.yaml")
    assert said(missing)[0].startswith("missing.yaml:1:1: cannot be read: ")
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff\xfe\n")
    assert said(read(tmp_path / "binary.yaml", "binary.yaml"))[0].startswith(
        "binary.yaml:1:4: cannot be read: not UTF-8"
    )
    assert said(read(tmp_path, "folder"))[0].startswith("folder:1:1: cannot be read: ")
