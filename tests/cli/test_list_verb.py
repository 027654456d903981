"""`list`: which cases there are, for people and for programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_json_for_programs(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(
        good.replace("[ingress]", "[services, ingress]").replace("accept", "[bold]accept ü")
    )
    (tmp_path / "a.yaml").write_text(good.replace("K7QD", "A2B4").replace("core", "extended"))
    ended = command("list", ".", "--format", "json")
    assert (ended.status, ended.err) == (0, "")
    spec = "https://kubernetes.io/docs/concepts/services-networking/network-policies/"
    assert json.loads(ended.out) == [
        {
            "id": "A2B4",
            "path": "a.yaml",
            "tier": "extended",
            "features": ["ingress"],
            "requirement": "A pod MUST NOT accept what no policy allows.",
            "spec": spec,
        },
        {
            "id": "K7QD",
            "path": "b.yaml",
            "tier": "core",
            "features": ["ingress", "services"],
            "requirement": "A pod MUST NOT [bold]accept ü what no policy allows.",
            "spec": spec,
        },
    ]


def test_text_for_people(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(good.replace("accept", "[bold]accept"))
    assert command("list", "a.yaml").out == (
        "K7QD  core      a.yaml\n      A pod MUST NOT [bold]accept what no policy allows.\n"
    )


def test_the_suites_own_cases_by_default(command: Callable[..., object]) -> None:
    """From any folder."""
    rows = json.loads(command("list", "--format", "json").out)
    assert len(rows) > 60
    assert {"path", "id", "tier", "features", "requirement"} <= set(rows[0])
    assert len({row["id"] for row in rows}) == len(rows)


def test_a_format_that_is_none(command: Callable[..., object]) -> None:
    ended = command("list", "--format", "xml")
    assert ended.status == 2
    assert "xml" in ended.err
