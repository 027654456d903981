"""`run`: cases against a target, as a program, with its record and its exit status."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ended

    Program = Callable[..., Ended]


@pytest.fixture
def case(good: str, tmp_path: Path) -> str:
    (tmp_path / "case.yaml").write_text(good)
    return "case.yaml"


def record(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("arguments", "said", "hint"),
    [
        (["--target", "nope"], "no target is called 'nope'", "the targets are netns, netns:DEFECT, kubernetes, kind, mini:NAME"),
        (["--target", "kubernetes"], "no context is named, and the suite never takes the current one by itself", "--context"),
        (["--workload", "deployment"], "target netns has no workload deployment", "only the targets kubernetes and kind"),
        (["--target", "mini:perfect", "--shard", "3/2"], "there is no shard 3/2", "shards are counted from 1"),
    ],
    ids=["no such target", "no context", "no Deployments", "no such shard"],
)  # fmt: skip
def test_a_target_that_cannot_be(arguments: list[str], said: str, hint: str, case: str, program: Program) -> None:
    ended = program("run", *arguments, case)
    assert ended.status == 64
    whole = ended.out + ended.err
    assert said in whole
    assert hint in whole.partition("hint: ")[2]
    assert "Traceback" not in whole


def test_a_miniature_that_cannot_be(command: Callable[..., Ended]) -> None:
    ended = command("smoke", "--target", "mini:nope")
    assert ended.status == 64
    assert "no miniature is called 'nope' [usage]\n  hint: there are perfect; " in ended.err
    assert "perfect" in ended.err


@pytest.mark.parametrize("expression", ["core and not tables", "tables", "core and named-port"])
def test_cases_that_nothing_is_marked_as(expression: str, command: Callable[..., Ended]) -> None:
    ended = command("run", "-n", "2", "-m", expression)
    assert ended.status == 64
    assert f"no cases are marked {expression.rsplit(maxsplit=1)[-1]} [usage]" in ended.err
    assert "named_port" in ended.err


def test_a_good_run_leaves_a_whole_record(case: str, good: str, program: Program, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "other.yaml").write_text(good.replace("K7QD", "A2B4").replace("[ingress]", "[ingress, sctp]"))
    ended = program("run", "--target", "mini:perfect", "--report", "out", case, "more")
    assert ended.status == 0, ended.out
    header, *cases, footer = record(tmp_path / "out")
    assert (header["type"], header["format"], header["target"]) == (
        "header",
        "netpol-conformance/run/v3",
        "mini:perfect",
    )
    assert (header["cases"], header["options"]["target"]) == (2, "mini:perfect")
    assert [(each["type"], each["id"], each["path"], each["verdict"]) for each in cases] == [
        ("case", "K7QD", "case.yaml", "pass"),
        ("case", "A2B4", "more/other.yaml", "unsupported"),
    ]
    (step,) = cases[0]["steps"]
    assert (step["name"], step["cells"], step["findings"]) == ("deny", 9 * 8 * 4, [])
    assert (footer["type"], footer["verdicts"]) == ("footer", {"pass": 1, "unsupported": 1})


def test_an_expectation_that_is_wrong_is_an_error_of_the_suite(
    case: str, good: str, program: Program, tmp_path: Path
) -> None:
    (tmp_path / case).write_text(good.replace("* -> x/a", "y/* -> x/a"))
    ended = program("run", "--target", "mini:perfect", "--report", "out", case)
    assert ended.status == 70, ended.out
    _, line, footer = record(tmp_path / "out")
    assert (line["verdict"], footer["verdicts"]) == ("error", {"error": 1})
    assert line["reason"].startswith(
        "the suite disagrees with itself on 20 flows of step 'deny': the case declares x/b -> x/a:80/TCP"
    )
    assert "x/a is isolated for ingress by x/deny (case.yaml:11:9), and no ingress rule matches" in line["reason"]
    assert "the suite disagrees with itself" in ended.out


def test_a_run_that_was_cut_off_is_gone_on_with(case: str, good: str, program: Program, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text(good.replace("K7QD", "A2B4"))
    options = ("run", "--target", "mini:perfect", case, "other.yaml", "--resume", "out")
    ended = program(*options)
    assert ended.status == 0, ended.out
    assert "nothing to resume: there is no out/run.jsonl, and all cases are run" in ended.out
    file = tmp_path / "out" / "run.jsonl"
    whole = file.read_bytes()
    header, first, *_ = whole.splitlines(keepends=True)
    file.write_bytes(header + first + b'{"type": "ca')
    ended = program(*options, "--report", "./out", "-n", "2")
    assert ended.status == 0, ended.out
    assert "resumed: 1 of 2 cases were taken over from the record" in ended.out
    assert file.read_bytes().startswith(header + first)
    assert [line.get("id") for line in record(tmp_path / "out")] == [None, "K7QD", "A2B4", None]
    ended = program("run", "--target", "mini:perfect", case, "--resume", "out")
    assert ended.status == 64
    assert "cases: 2 in the record, 1 in this run" in ended.out + ended.err
    ended = program(*options, "--report", "elsewhere")
    assert ended.status == 64
    assert "a run that resumes out goes on with the record there" in ended.out + ended.err


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_full_disk_ends_a_run_in_words_and_it_can_be_resumed(workers: str, tmp_path: Path) -> None:
    recipes = Path(__file__).parents[2] / "cases" / "recipes"

    def run(option: str, most: int = resource.RLIM_INFINITY) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "conformance.cli", "run", str(recipes), "--target=mini:perfect", "-n", workers, option, "out"],
            text=True, capture_output=True, check=False, cwd=tmp_path,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, resource.RLIM_INFINITY)),
        )  # fmt: skip

    full = run("--report", 24_000)
    assert full.returncode == 74, full.stdout + full.stderr
    assert "cannot write the record out/run.jsonl [not-written]" in full.stdout
    assert "Traceback" not in full.stdout + full.stderr
    assert (tmp_path / "out" / "run.jsonl").stat().st_size == 24_000
    resumed = run("--resume")
    assert resumed.returncode == 0, resumed.stdout
    cases = [line for line in record(tmp_path / "out") if line["type"] == "case"]
    assert (len({each["id"] for each in cases}), {each["verdict"] for each in cases}) == (17, {"pass"})
