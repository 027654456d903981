"""Bad input comes to nothing but a located error: some of it drawn, and what is known to break parsers, by name.

`fuzz.py` beside this draws as much as is wanted.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from case_head import HEAD
from doors import HERE, Door, doors
from fuzz import fuzz, limited, located, tried

from conformance.casefile.load import find, load_cases, load_file
from conformance.casefile.manifests import load_manifests
from conformance.casefile.waivers import load_waivers
from conformance.cli import answer, question
from conformance.cluster.kubeconfig import configuration
from conformance.errors import CaseFileError, ConformanceError, RecordError, TargetUnavailable, UsageError
from conformance.files import MOST_BYTES
from conformance.model.state import State
from conformance.model.world import Protocol, World
from conformance.plugin.about import load_about
from conformance.report import history
from conformance.report.shards import put_together
from conformance.report.store import read

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DOORS = {door.name: door for door in doors()}
INPUTS = 100
LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
#: What is no good for any door, each with what the error says of it where a door reads YAML.
KNOWN = {
    "empty": b"",
    "blank": b" \n\t\n",
    "NUL": b"a: \x00",
    "not UTF-8": b"a: b\nb: \xff\xfe\n",
    "UTF-16": "a: b".encode("utf-16"),
    "half a character": b"a: \xc3",
    "half a surrogate pair": b'{"type": "\\ud800"}\n',
    "billion laughs": LAUGHS.encode(),
    "itself": b"&a [*a]",
    "itself as a mapping": b"&a {a: *a}",
    "itself as a key": b"&a {*a : 1}",
    "merged with itself": b"&a {<<: *a, b: 1}",
    "lists without end": b"[" * 100_000,
    "lists": b"[" * 900 + b"]" * 900,
    "deep JSON": b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n",
    "blocks without end": b"- " * 100_000,
    "keys without end": b"? " * 100_000,
    "endless number": b"9" * 5000 + b"\n",
    "endless number in a field": b"a: " + b"9" * 5000 + b"\n",
    "infinity": b'{"type": 1e999}\n',
    "tags": b"".join(b"%%TAG !a%d! b\n" % number for number in range(15_000)) + b"--- a\n",
    "tag that would run code": b"!!python/object/apply:os.system [exit 1]\n",
    "many documents": b"---\n" * 50_000,
    "long line": b"a: " + b"b" * 200_000,
    "long key": b"b" * 200_000 + b": a",
    "many anchors": b"".join(b"- &a%d x\n" % number for number in range(20_000)),
}


@pytest.mark.parametrize("name", DOORS)
def test_what_is_drawn(name: str, tmp_path: Path) -> None:
    outcome = fuzz(DOORS[name], range(INPUTS), "test", tmp_path)
    assert {*outcome.counts} <= {"read", "refused"}, outcome.failures
    assert outcome.counts["refused"] > INPUTS // 10  # else it is no bad input


@pytest.mark.parametrize("name", DOORS)
def test_every_seed_is_good(name: str, tmp_path: Path) -> None:
    door = DOORS[name]
    for seed in door.seeds:
        assert tried(door, seed, tmp_path, "") == ("read", "")


@pytest.mark.parametrize("known", KNOWN)
@pytest.mark.parametrize("name", DOORS)
def test_what_is_known_to_break_parsers(name: str, known: str, tmp_path: Path) -> None:
    ended, how = tried(DOORS[name], KNOWN[known], tmp_path, "")
    assert ended in {"read", "refused"}, how


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (LAUGHS, ":6:10: aliases repeat more than 20000 values"),
        ("a: 1\n---\n&a [*a]", ":3:5: *a is within &a"),
        ("a: 1\nb: " + "[" * 200 + "]" * 200, ":2:103: nested more than 100 deep"),
        ("a: b\nb: \xff", ":2:4: cannot be read: not UTF-8"),
    ],
)
def test_where_it_is_too_much(text: str, where: str, tmp_path: Path) -> None:
    file = tmp_path / "m.yaml"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(CaseFileError) as told, limited():
        load_manifests([file])
    (problem,) = told.value.problems
    assert problem.startswith(f"{file}{where}")
    with pytest.raises(TargetUnavailable) as refused, limited():
        configuration("kind-x", str(file))
    assert problem in refused.value.causes


LOADS: dict[str, Callable[[Path], object]] = {
    "case": load_file,
    "manifests": lambda file: load_manifests([file]),
    "waivers": load_waivers,
    "record": read,
    "about": load_about,
}


@pytest.mark.parametrize("name", LOADS)
def test_what_is_no_file(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.yaml")
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    (tmp_path / "to-fifo.yaml").symlink_to(tmp_path / "fifo.yaml")
    for file in ("fifo.yaml", "to-fifo.yaml", "loop.yaml"):
        with pytest.raises(ConformanceError) as told, limited(1):
            LOADS[name](tmp_path / file)
        assert located(told.value, tmp_path / file)


@pytest.mark.parametrize("name", LOADS)
def test_a_file_without_end(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.report.store._MOST_LINE", MOST_BYTES)
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(2**40)  # that takes no room on the disk
    for file_name in ("zero.yaml", "large.yaml"):
        with pytest.raises(ConformanceError, match=r"larger than|longer than"), limited():
            LOADS[name](tmp_path / file_name)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder in which there is a link to a file outside of it, and one to a file within."""
    folder = tmp_path / "folder"
    (folder / "within").mkdir(parents=True)
    (folder / "within" / "good.yaml").write_text("kind: Namespace\nmetadata: {name: x}\n", encoding="utf-8")
    (folder / "link.yaml").symlink_to(folder / "within" / "good.yaml")
    (tmp_path / "secret.yaml").write_text("kind: Secret\n", encoding="utf-8")
    return folder


@pytest.mark.parametrize("load", [lambda folder: list(find([folder])), lambda folder: load_manifests([folder])])
def test_a_link_out_of_a_folder_is_refused_and_one_within_is_not(load: Callable[[Path], object], outside: Path) -> None:
    load(outside)
    (outside / "out.yaml").symlink_to(outside.parent / "secret.yaml")
    with pytest.raises(CaseFileError) as told:
        load(outside)
    assert [each.partition(" cannot be read")[0] for each in told.value.problems] == [f"{outside / 'out.yaml'}:1:1:"]
    assert list(find([outside / "out.yaml"])) == [outside / "out.yaml"]  # who names it asks for it


def test_a_folder_that_is_called_like_a_file_is_a_folder(outside: Path) -> None:
    (outside / "more.yaml").mkdir()
    (outside / "more.yaml" / "other.yaml").write_text("", encoding="utf-8")
    assert [each.name for each in find([outside])] == ["link.yaml", "other.yaml"]
    assert load_manifests([outside]).state.world.namespaces.keys() == {"x"}
    with pytest.raises(CaseFileError, match="cannot be read"):
        load_file(outside / "more.yaml")


def test_a_fifo_in_a_folder_is_refused(outside: Path) -> None:
    os.mkfifo(outside / "fifo.yaml")
    for load in (lambda: load_cases(find([outside])), lambda: load_manifests([outside])):
        with pytest.raises(CaseFileError, match=r"fifo.yaml:1:1: cannot be read: a FIFO"), limited(1):
            load()


TABLE = """\
apiVersion: netpol-conformance/v1
kind: CaseTable
id: K7QD
rule: nothing is worked out here, since it is never made
"""
MANY = {
    "rows with all ports": "steps: [{name: a, expect: {default: allow, deny: ["
    + ",".join(["'* -> x/a:0-65535'"] * 5000) + "]}}]",
    "ports of a row": "steps: [{name: a, expect: {default: allow, deny: ['* -> x/a:1-99999999999999999999']}}]",
    "endless port": "steps: [{name: a, expect: {default: allow, deny: ['* -> x/a:" + "9" * 5000 + "']}}]",
    "probes": "probe: [" + ",".join(f"{each}-99999/TCP" for each in range(5000)) + "]\nsteps: [{name: a, expect: {default: allow}}]",
    "rows": "steps: [{name: a, expect: {default: allow, deny: [" + ",".join(["'x/b -> x/a'"] * 10_000) + "]}}]",
    "pods": "world: {pods: ["
    + ",".join(f"{{namespace: x, name: p{each}}}" for each in range(900))
    + "]}\nsteps: [{name: a, expect: {default: allow}}]",
    "labels of nobody": "steps: [{name: a, label: {"
    + ",".join(f"x/{each}: {{a: b}}" for each in range(9000))
    + "}, expect: {default: allow}}]",
    "covers": "covers: [" + ",".join(f"'cyclonus:{each}'" for each in range(10_000)) + "]\nsteps: [{name: a, expect: {default: allow}}]",
}  # fmt: skip


@pytest.mark.parametrize("many", MANY)
def test_more_than_can_be_looked_at_is_refused(many: str, tmp_path: Path) -> None:
    door = DOORS["case"]
    assert tried(door, (HEAD + MANY[many]).encode(), tmp_path, "") == ("refused", "")


def entries(count: int) -> str:
    return ", ".join(f"e{number}: {{}}" for number in range(count))


def fields_within_fields(text: str, last: str) -> str:
    """Return fields of which each has the next fifty times; `text` is how one has it."""
    fields = [
        f"{one}: {text.format(', '.join([repr('${x.' + other + '}')] * 50))}"
        for one, other in zip("abcde", "bcdef", strict=True)
    ]
    return "{x: {e: {" + ", ".join([*fields, f"f: {last}"]) + "}}}"


TABLES = {
    "axes": ("{" + ", ".join(f"{axis}: {{{entries(20)}}}" for axis in "abcdefgh") + "}", "{}"),
    "groups of entries": ("{'a, b, c, d': {" + entries(2000) + "}}", "{}"),
    "texts within texts": (fields_within_fields('"{}"', "z"), "{id: 'is ${x.a}'}"),
    "a long text very often": ("{x: {e: {f: " + "y" * 100_000 + "}}}", "{id: '" + "${x.f}" * 10_000 + "'}"),
    "lists within lists": (fields_within_fields("[{}]", "[z]"), "{id: ['${x.a}']}"),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_would_never_end_is_refused(name: str, tmp_path: Path) -> None:
    over, case = TABLES[name]
    assert tried(DOORS["case"], f"{TABLE}over: {over}\ncase: {case}\n".encode(), tmp_path, "") == ("refused", "")


def test_waivers_by_the_thousand_are_refused(tmp_path: Path) -> None:
    text = "waivers:\n" + "- {cases: [A*A, B], reason: r, link: l, until: '2027-03-31'}\n" * 4000
    file = tmp_path / "waivers.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(CaseFileError, match="8000 cases: a file names at most 2000"), limited():
        load_waivers(file, [f"K{number}" for number in range(1000)])


LINES = (HERE / "seeds" / "record-whole.jsonl").read_text(encoding="utf-8").split("\n")


@pytest.mark.parametrize(
    ("number", "change", "said"),
    [
        (1, {"options": []}, "options: expected object, found []"),
        (1, {"started": "2026-13-01T00:00:00Z"}, "started: there is no such moment"),
        (1, {"cases": 10**30}, "cases: a number of 100 bits is too large"),
        (1, {"shard": {"number": 1, "count": 10**12, "cases": 1}}, "shard: there is no shard 1/1000000000000"),
        (1, {"shard": {"number": "1", "count": 1, "cases": 1}}, 'shard.number: expected integer, found "1"'),
        (1, {"target": "\ud800"}, "target: it has half of a surrogate pair"),
        (1, {"environment": {"\ud800": "x"}}, "environment: a key has half of a surrogate pair"),
        (2, {"seconds": float("nan")}, "seconds: nan is too large"),
        (2, {"verdict": "agree"}, 'verdict: expected one of pass, fail, error, unsupported, waived, skipped, notrun, found "agree"'),
        (2, {"spec": "javascript:alert(1)"}, 'spec: "javascript:alert(1)" does not look like ^https://'),
        (2, {"id": "AAA2\n"}, 'id: "AAA2\\n" does not look like'),
        (2, {"features": ["a", "a"]}, "features: something is there twice"),
        (2, {"steps": {}}, "steps: expected array, found {}"),
        (2, {"steps": [7]}, "steps[0]: expected object, found 7"),
        (2, {"seconds": True}, "seconds: expected number, found true"),
        (8, {"verdicts": {"pass": "2"}}, 'verdicts.pass: expected integer, found "2"'),
    ],
)  # fmt: skip
def test_a_damaged_record_is_told_by_line_and_place(
    number: int, change: dict[str, object], said: str, tmp_path: Path
) -> None:
    lines = [*LINES]
    lines[number - 1] = json.dumps({**json.loads(lines[number - 1]), **change})
    (tmp_path / "run.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(RecordError, match=rf"run\.jsonl:{number}: not a line of a record") as told:
        read(tmp_path)
    assert told.value.causes[0].startswith(said)


def test_a_case_that_a_shard_has_twice_is_told_with_the_record(tmp_path: Path) -> None:
    lines = (HERE / "seeds" / "record-shard.jsonl").read_text(encoding="utf-8").split("\n")
    (tmp_path / "shard.jsonl").write_text("\n".join([*lines[:2], lines[1], *lines[3:]]), encoding="utf-8")
    with pytest.raises(RecordError, match="case AAA2 is there 2 times: shard"):
        put_together({"shard.jsonl": read(tmp_path / "shard.jsonl")})


def test_a_record_that_was_cut_off_at_any_byte_is_read_or_refused(tmp_path: Path) -> None:
    data = (HERE / "seeds" / "record-run.jsonl").read_bytes()
    for size in range(0, len(data), 41):
        assert tried(DOORS["record"], data[:size], tmp_path, size)[0] in {"read", "refused"}


@pytest.mark.parametrize("option", [f"netpol_world_size = {'9' * 5000}", "netpol_world_size = ٣٠", f"netpol_shard = 1/{'9' * 5000}",
    "netpol_shard = 1/999999999", "netpol_waivers = a\0b", f"netpol_waivers = {'a' * 5000}", "netpol_about = a\0b", "netpol_timeout = settle=nan"])  # fmt: skip
def test_options_that_are_too_much(option: str, tmp_path: Path) -> None:
    assert tried(DOORS["options"], f"[pytest]\n{option}\n".encode(), tmp_path, "") == ("refused", "")


def forever(*_: object) -> None:
    while True:
        pass


def raises(error: Exception) -> Callable[..., None]:
    def enter(*_: object) -> None:
        raise error

    return enter


@pytest.mark.parametrize(
    ("enter", "ended"),
    [
        (forever, "Hang in "),
        (raises(KeyError("x")), "KeyError in "),
        (raises(RecursionError()), "RecursionError in "),
        (raises(RecordError("it is bad")), "an error that names no file"),
        (raises(RecordError("x.yaml:1: it is bad")), "refused"),
        (raises(UsageError("it is bad")), "refused"),
    ],
)
def test_the_harness_sees_what_it_is_to_see(
    enter: Callable[..., None], ended: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fuzz.MOST_SECONDS", 0.2)
    assert tried(Door("x", "x.yaml", [b"x"], enter), b"x", tmp_path, "")[0].startswith(ended)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (
            "kind: Pod\nmetadata: {name: a, namespace: x/y}",
            "2:11: metadata: no name has a slash: 'a' in namespace 'x/y'",
        ),
        ("kind: PodList\nitems: 7", "2:8: items: expected a list, found a number: 7"),
        ("kind: Pod\nspec: {containers: x}", "2:20: spec.containers: expected a list, found text: 'x'"),
        ("kind: Pod\nspec: {containers: [{ports: 80}]}", "2:29: spec.containers[0].ports: expected a list"),
        (
            "kind: Pod\nspec: {containers: [{ports: [{containerPort: 1.0e+999}]}]}",
            "2:46: spec.containers[0].ports[0].containerPort: expected a port number",
        ),
        ("kind: Pod\nstatus: {podIP: nowhere}", "2:9: status: expected the addresses of a pod, found 'nowhere'"),
        ("kind: Service\nspec: {ports: [{port: x}]}", "2:23: spec.ports[0].port: expected a port, found text: 'x'"),
    ],
)
def test_what_policies_see_of_other_objects_is_told_where_it_is_wrong(text: str, place: str, tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CaseFileError) as told:
        load_manifests([tmp_path / "m.yaml"])
    (problem,) = told.value.problems
    assert problem.startswith(f"{tmp_path / 'm.yaml'}:{place}")


@pytest.mark.parametrize("port", ["9" * 5000, "٣", "0", "65536", "80/ICMP"])
def test_what_is_no_port(port: str) -> None:
    with pytest.raises(UsageError, match="is no port"):
        question.port(port)


def test_no_matrix_is_made_of_more_pods_than_can_be_read() -> None:
    state = question.with_pods(State(World()), [f"x/{number}" for number in range(501)])
    with pytest.raises(UsageError, match="there are 501 pods"), limited():
        next(answer.matrix(state, (80, Protocol.TCP)))


def test_a_line_of_a_history_ends_where_it_was_ended() -> None:
    text = (HERE / "seeds" / "history.jsonl").read_text(encoding="utf-8").replace('"default"', '"a\u2028b"')
    assert {line["mode"] for line in history.read(text, "h")} == {"a\u2028b"}
    with pytest.raises(RecordError, match="h:2: not a line of a history"):
        history.read(text.split("\n")[0] + "\n" + "[" * 5000, "h")
