"""The public doors through which files come in, each with good files to begin with and what a user would do with one."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import iniconfig
import yaml
from mutators import as_json, damaged, wrong

from conformance.casefile.legs import load_legs
from conformance.casefile.lint import lint
from conformance.casefile.load import load_cases
from conformance.casefile.manifest_text import manifest_text
from conformance.casefile.manifests import load_manifests
from conformance.casefile.packaged import cases
from conformance.casefile.waivers import load_waivers
from conformance.cli import answer, question
from conformance.cli.records import ReportFormat, _rendered, _text
from conformance.cluster import implementations, kubeconfig
from conformance.model.declared import declared_steps
from conformance.plugin import options, sharding
from conformance.plugin.about import load_about
from conformance.report import history, store
from conformance.report.case_page import case_page
from conformance.report.diff import diff
from conformance.report.diff_text import diff_json, diff_markdown, diff_text
from conformance.report.grid import grid
from conformance.report.shards import put_together
from conformance.report.site import site
from conformance.runner.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from conformance.model.record import Record

HERE = Path(__file__).parent
_RECORDS = HERE.parent / "unit" / "report" / "records"
_CI = HERE.parents[1] / "ci"
#: Small ones of every kind: what is in the others is the same again, and takes longer.
_CASES = (
    "recipes/allow-external-traffic.yaml", "services/*.yaml", "families/*.yaml", "lifecycle/*.yaml", "ipblock/*.yaml", "ports/*.yaml", "placement/*.yaml",
    "peers/*.yaml",
)  # fmt: skip
_LARGEST, _PER_FOLDER = 3000, 6


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """One way in. `enter` does what a user would do with a file; `data` are the seeds as data, where they are JSON or YAML."""

    name: str
    file: str
    seeds: Sequence[bytes]
    enter: Callable[[Path, Random], object]
    data: Sequence[Any] = ()
    write: Callable[[Any], bytes] = field(default=as_json)

    def draw(self, random: Random) -> bytes:
        """Make one bad input."""
        if self.data and random.random() < 0.5:
            return self.write(wrong(random, random.choice(self.data)))
        return damaged(random, random.choice(self.seeds), self.seeds)


def _case(file: Path, random: Random) -> None:
    found = load_cases([file])
    walked = [(case, tuple(declared_steps(case))) for case in found[:2]]
    lint(walked)
    for case, steps in walked:
        list(rehearse(steps))
        if random.random() < 0.2:
            case_page(case, manifest_text)


def _manifests(file: Path, random: Random) -> None:
    read = load_manifests([file])
    state = question.with_pods(read.state, ["x/one app=web", "x/two"])
    list(answer.matrix(state, question.port("80/TCP")))
    source, destination = (random.choice(list(state.world.pods)) for _ in range(2))
    state, flows = question.flows(state, source, f"{destination}:80")
    for flow in flows:
        answer.of(state, flow)


@cache
def _known() -> tuple[str, ...]:
    return implementations.names()


@cache
def _good() -> Record:
    return store.read(_RECORDS / "v2.jsonl")


def _record(file: Path, random: Random) -> None:
    _rendered(store.read(file), random.choice(list(ReportFormat)))


def _diff(file: Path, random: Random) -> None:
    one, other = store.read(file), _good()
    found = diff(*random.choice(((one, other), (other, one), (one, one))))
    diff_text(found)
    diff_markdown(found)
    json.dumps(diff_json(found))


def _combined(file: Path, random: Random) -> None:
    record = store.read(file)
    if record.header["shard"] is not None:
        store.write(file.with_name("combined.jsonl"), put_together({str(file): record}, partial=random.random() < 0.5))
    else:
        for text in site(grid({str(file): record}), [], manifest_text).values():
            text.encode()


def _history(file: Path, random: Random) -> None:  # noqa: ARG001 -- one of many with these arguments
    nights = history.joined(history.read(_text(file), str(file)), history.lines_of(grid({"good": _good()})))
    for tier in ("core", "extended"):
        dict(history.trends(nights, tier))
    history.write(nights).encode()


def _kubeconfig(file: Path, random: Random) -> None:  # noqa: ARG001 -- as above
    kubeconfig.configuration("kind-x", str(file))


def _options(file: Path, random: Random) -> None:  # noqa: ARG001 -- as above
    """Read an ini file as pytest does; what it says of that by itself is not the suite's."""
    try:
        section = dict(iniconfig.IniConfig(str(file)).sections.get("pytest", {}))
    except (iniconfig.ParseError, UnicodeDecodeError):
        return
    config: Any = SimpleNamespace(
        inipath=file,
        option=SimpleNamespace(markexpr="", keyword=""),
        getoption=lambda flag: None,  # noqa: ARG005 -- nothing stands on the command line
        getini=lambda name: _as_pytest(section.get(name), name),
    )
    options.target_options(config)
    options.check(config)
    options.mode(config)
    options.shown(config)
    if text := options.value(config, "shard"):
        sharding.parse(text).of(())


def _as_pytest(text: str | None, name: str) -> Any:
    option = next(each for each in options.OPTIONS if each.ini == name)
    if text is None:
        return None
    return {"flag": bool(text), "list": [line.strip() for line in text.split("\n") if line.strip()]}.get(
        option.kind, text
    )


def _about(file: Path, random: Random) -> None:  # noqa: ARG001 -- as above
    load_about(file)


def _found(pattern: str) -> list[bytes]:
    texts = (each.read_bytes() for each in sorted(cases().glob(pattern)))
    return [text for text in texts if len(text) < _LARGEST][:_PER_FOLDER]


def _lines(lines: Any) -> bytes:
    return b"\n".join(map(as_json, lines)) + b"\n" if isinstance(lines, list) else as_json(lines) + b"\n"


def _documents(documents: Any) -> bytes:
    return b"\n---\n".join(map(as_json, documents)) if isinstance(documents, list) else as_json(documents)


def _yaml_door(name: str, seeds: Sequence[bytes], enter: Callable[[Path, Random], object]) -> Door:
    return Door(name, f"{name}.yaml", seeds, enter, [yaml.safe_load(seed) for seed in seeds])


def _record_doors(seeds: Sequence[bytes]) -> list[Door]:
    data = [[json.loads(line) for line in seed.splitlines()] for seed in seeds]
    doors = (("record", _record), ("diff", _diff), ("combine", _combined))
    return [Door(name, f"{name}.jsonl", seeds, enter, data, _lines) for name, enter in doors]


def doors() -> list[Door]:
    """Return all of them."""
    manifests = (HERE / "seeds" / "manifests.yaml").read_bytes()
    nights = (HERE / "seeds" / "history.jsonl").read_bytes()
    return [
        _yaml_door("case", [text for pattern in _CASES for text in _found(pattern)], _case),
        Door("manifests", "manifests.yaml", [manifests], _manifests, [list(yaml.safe_load_all(manifests))], _documents),
        _yaml_door(
            "waivers",
            [each.read_bytes() for each in sorted(_CI.rglob("waivers.yaml"))[:4]],
            lambda file, random: load_waivers(file, ("K7QD", "T4BX-a-block") if random.random() < 0.5 else None),
        ),
        _yaml_door("legs", [(_CI / "matrix.yaml").read_bytes()], lambda file, _: load_legs(file, _known())),
        *_record_doors([each.read_bytes() for each in sorted((HERE / "seeds").glob("record*.jsonl"))]),
        Door("history", "history.jsonl", [nights], _history, [[json.loads(line) for line in nights.splitlines()]], _lines),
        _yaml_door("kubeconfig", [(HERE / "seeds" / "kubeconfig.yaml").read_bytes()], _kubeconfig),
        Door("options", "pytest.ini", [(HERE / "seeds" / "options.ini").read_bytes()], _options),
        Door("about", "about.toml", [(HERE / "seeds" / "about.toml").read_bytes()], _about),
    ]  # fmt: skip
