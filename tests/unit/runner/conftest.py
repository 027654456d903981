"""A scripted target with a session on it, and cases from a few lines of YAML."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING

import pytest
from runner_fakes import DENY, DENY_Y, ScriptedTarget

from conformance.casefile.load import load_file
from conformance.runner.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runner_fakes import Script

    from conformance.model.case import Case

HEAD = """\
apiVersion: netpol-conformance/v1
kind: Case
id: {id}
requirement: A pod MUST do as it is told.
spec: https://example.org/spec
tier: {tier}
features: [{features}]
"""


@pytest.fixture
def target() -> ScriptedTarget:
    return ScriptedTarget()


@pytest.fixture
def script(target: ScriptedTarget) -> Script:
    return target.script


@pytest.fixture
def session(target: ScriptedTarget) -> Session:
    return Session(target)


@pytest.fixture
def case(tmp_path: Path) -> Callable[..., Case]:
    """Make a case of the rest of its file."""
    numbers = itertools.count()

    def make(rest: str, *, tier: str = "core", features: str = "ingress", name: str = "") -> Case:
        file = tmp_path / f"case-{next(numbers)}.yaml"
        head = HEAD.format(id=name or f"C{next(numbers):03}", tier=tier, features=features)
        file.write_text(head + textwrap.dedent(rest), encoding="utf-8")
        (case,) = load_file(file, file.name)
        return case

    return make


@pytest.fixture
def deny(case: Callable[..., Case]) -> Case:
    """A case of two steps: everything passes, then x/a is closed."""
    return case(DENY)


@pytest.fixture
def next_case(case: Callable[..., Case]) -> Case:
    """Another case, to see what the one before left."""
    return case(DENY_Y)
