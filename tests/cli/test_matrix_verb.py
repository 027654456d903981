"""The verb `matrix`: the legs of a nightly run, and what is wrong with their list."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Ended

    Command = Callable[..., Ended]

PROJECT = Path(__file__).resolve().parents[2]


def test_the_projects_own_legs_can_be_run_as_they_are_printed(command: Command) -> None:
    ended = command("matrix", str(PROJECT / "ci" / "matrix.yaml"), "--format", "json")
    assert ended.status == 0
    legs = json.loads(ended.out)
    assert len({leg["name"] for leg in legs}) == len(legs)
    for leg in legs:
        words = shlex.split(leg["arguments"])
        for file in (words[number + 1] for number, word in enumerate(words) if word == "--waivers"):
            assert (PROJECT / file).is_file()
    assert {leg["ip_family"] for leg in legs} == {"IPv4", "IPv4 and IPv6"}
    patient = [leg["implementation"] for leg in legs if "--timeout" not in leg["arguments"]]
    assert {leg["implementation"] for leg in legs} - set(patient) == {"flannel", "plain"}
    calico = next(leg for leg in legs if leg["implementation"] == "calico")
    assert calico["arguments"] == (
        "--target kind --kind-plugin calico --kind-node-image kindest/node:v1.34.0 --mode iptables "
        "--waivers ci/implementations/calico/waivers.yaml"
    )


def test_only_some_legs_are_run_for_pull_requests(command: Command) -> None:
    ended = command("matrix", str(PROJECT / "ci" / "matrix.yaml"), "--pull-request", "--format", "json")
    assert [leg["implementation"] for leg in json.loads(ended.out)] == ["calico"]


@pytest.mark.parametrize(
    ("leg", "said"),
    [
        ("{implementation: calcio, kubernetes: v1.34.0}", "matrix.yaml:2:22: legs[0].implementation: expected one of"),
        ("{implementation: calico}", "legs[0].kubernetes: expected a version such as v1.34.0, found nothing"),
        ("{implementation: calico, kubernetes: 1.34}", "found a number: 1.34"),
        ("{implementation: calico, kubernetes: v1.34.0, pr: true}", "legs[0].pr: unknown field"),
        ("{implementation: calico, kubernetes: v1.34.0, pull-request: soon}", "expected true or false"),
        ("{implementation: calico, kubernetes: v1.34.0}\n  - {implementation: calico, kubernetes: v1.34.0}", "legs[1]: this leg is there already"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_list_is_told_with_its_line(
    command: Command, tmp_path: Path, leg: str, said: str
) -> None:
    (tmp_path / "matrix.yaml").write_text(f"legs:\n  - {leg}\n")
    ended = command("matrix", "matrix.yaml")
    assert ended.status == 65
    assert said in ended.err
