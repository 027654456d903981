"""The JSON Schema of a record's lines: it fits what is written, and nothing else."""

from __future__ import annotations

import json
import shutil
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import jsonschema
import pytest
from report_lines import case, finding, header, step

from conformance.casefile.packaged import cases
from conformance.lab.miniatures.perfect import PerfectArena, PerfectTarget
from conformance.model import record
from conformance.model.case import Tier
from conformance.model.matrix import CellVerdict, Observation, Observed
from conformance.model.verdict import Verdict
from conformance.report.store import footer, read

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model.flow import Flow

OLDEST = Path(__file__).parent / "records" / "oldest.jsonl"


def schema(name: str) -> Any:
    return json.loads(files("conformance.report").joinpath(name).read_text(encoding="utf-8"))


SCHEMA = schema("record.schema.json")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
LINES: dict[str, Any] = {
    "header": header(),
    "header of a shard": header(shard={"number": 2, "count": 4, "cases": 1}),
    "case": case(verdict="fail", steps=[step(findings=[finding()], latency_median=0.1, latency_slowest=1)]),
    "footer": footer([case()], 1.0),
}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("name", "file"), [("record.v1.schema.json", OLDEST), ("record.v2.schema.json", OLDEST.with_name("v2.jsonl"))]
)
def test_earlier_records_fit_the_schema_of_their_version_and_what_is_read_of_them_that_of_now(
    name: str, file: Path
) -> None:
    earlier = jsonschema.Draft202012Validator(schema(name))
    for line in file.read_text(encoding="utf-8").splitlines():
        earlier.validate(json.loads(line))
    record = read(file)
    for line in (record.header, *record.cases, record.footer):
        VALIDATOR.validate(line)


def test_a_flow_may_name_its_family() -> None:
    line = case(verdict="fail", steps=[step(findings=[finding("x/a -> web.y.svc:80/TCP over IPv6")])])
    VALIDATOR.validate(line)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("header", record.Header),
        ("shard", record.ShardLine),
        ("case", record.CaseLine),
        ("footer", record.Footer),
        ("step", record.StepLine),
        ("change", record.ChangeLine),
        ("matrix", record.MatrixLine),
        ("finding", record.FindingLine),
        ("evidence", record.EvidenceLine),
    ],
)
def test_it_has_the_fields_that_the_model_has(name: str, kind: type) -> None:
    schema = SCHEMA["$defs"][name]
    assert set(schema["properties"]) == set(schema["required"]) == set(get_type_hints(kind))
    assert schema["additionalProperties"] is False


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (SCHEMA["$defs"]["verdict"], Verdict),
        (SCHEMA["$defs"]["case"]["properties"]["tier"], Tier),
        (SCHEMA["$defs"]["finding"]["properties"]["verdict"], set(CellVerdict) - {CellVerdict.AGREE}),
        (SCHEMA["$defs"]["finding"]["properties"]["observed"], Observed),
    ],
)
def test_it_has_the_words_that_the_model_has(schema: dict[str, Any], words: Any) -> None:
    assert set(schema["enum"]) == set(words)


def test_it_names_the_format_that_is_written() -> None:
    assert SCHEMA["$defs"]["header"]["properties"]["format"]["const"] == record.FORMAT


@pytest.mark.parametrize("name", LINES)
def test_it_fits_every_kind_of_line(name: str) -> None:
    VALIDATOR.validate(LINES[name])


@pytest.mark.parametrize("name", LINES)
def test_a_field_too_many_or_too_few_does_not_fit(name: str) -> None:
    assert not VALIDATOR.is_valid({**LINES[name], "surprise": 1})
    for field in LINES[name]:
        assert not VALIDATOR.is_valid({key: value for key, value in LINES[name].items() if key != field}), field


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("verdict",), "agree"),
        (("tier",), "gold"),
        (("id",), "k7"),
        (("seconds",), -1),
        (("seconds",), "1"),
        (("spec",), "http://example.org"),
        (("steps", 0, "latency_median"), "fast"),
        (("steps", 0, "findings", 0, "flow"), "x/a to y/b"),
        (("steps", 0, "findings", 0, "flow"), "x/a -> y/b:80/TCP over IPv5"),
        (("steps", 0, "findings", 0, "verdict"), "agree"),
        (("steps", 0, "findings", 0, "expected"), True),
        (("steps", 0, "findings", 0, "attempts"), 0),
        (("steps", 0, "findings", 0, "evidence", 0, "rule"), -1),
        (("steps", 0, "findings", 0, "evidence", 0, "direction"), "ingress"),
    ],
)
def test_other_values_do_not_fit(path: tuple[Any, ...], value: Any) -> None:
    line = deepcopy(LINES["case"])
    inner = line
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    assert not VALIDATOR.is_valid(line)


def validated(pytester: pytest.Pytester, *arguments: str) -> list[dict[str, Any]]:
    """Run cases with a record, check every line of it, and return them."""
    pytester.runpytest("--netpol-report=report", "-p", "no:cacheprovider", *arguments)
    text = (pytester.path / "report" / "run.jsonl").read_text(encoding="utf-8")
    lines: list[dict[str, Any]] = [json.loads(line) for line in text.splitlines()]
    for line in lines:
        VALIDATOR.validate(line)
    assert [line["type"] for line in lines] == ["header", *["case"] * (len(lines) - 2), "footer"]
    return lines


def test_it_fits_a_run_of_all_cases(pytester: pytest.Pytester) -> None:
    lines = validated(pytester, "--netpol-target=mini:perfect", str(cases()))
    assert lines[0]["cases"] == len(lines) - 2
    sctp = sum("sctp" in line["features"] for line in lines[1:-1])
    assert lines[-1]["verdicts"] == {"pass": len(lines) - 2 - sctp, "unsupported": sctp}


class WrongArena(PerfectArena):
    """It leaks, breaks, wavers and fails, each for a destination of its own, once there is a policy."""

    readings = 0

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        self.readings += 1
        wrong = {
            "x/a": Observation(Observed.ALLOWED, 0.001),
            "x/b": Observation(Observed.REJECTED, 0.001, "Connection refused"),
            "x/c": Observation(Observed.FAILED, 0.0, "the stream broke"),
            "y/a": Observation(Observed.MISDELIVERED, 0.002, "z/z#1 answered"),
            "y/b": Observation(Observed.DROPPED if self.readings % 2 else Observed.ALLOWED, 0.002),
        }
        seen = super().probe(flows, timeout)
        return {
            flow: wrong.get(flow.destination, each) if self._state.policies else each for flow, each in seen.items()
        }

    def commands(self, flow: Flow, policies: Sequence[Any]) -> Sequence[str]:
        return (f"connect {flow} under {len(policies)}",)


class WrongTarget(PerfectTarget):
    """Arenas that are wrong."""

    def open_arena(self, world: Any, name: str) -> WrongArena:  # noqa: ARG002 -- as the miniature's
        return WrongArena(world)


def test_it_fits_a_run_in_which_much_is_wrong(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import pytest
        from test_record_schema import WrongTarget

        @pytest.fixture(scope="session")
        def netpol_target():
            return WrongTarget()
        """
    )
    for name in ("ingress", "egress", "services"):
        shutil.copytree(cases() / name, pytester.path / name)
    pytester.makeini("[pytest]")
    lines = validated(pytester, "--netpol-unsupported=egress", str(pytester.path))
    found = [each for line in lines[1:-1] for step in line["steps"] for each in step["findings"]]
    assert {each["verdict"] for each in found} >= {"leak", "break", "unknown"}
    assert {each["observed"] for each in found} >= {"allowed", "rejected", "failed", "misdelivered"}
    assert set(lines[-1]["verdicts"]) >= {"fail", "unsupported"}
