"""The command line, called in this process where that is enough, and as a program where it starts pytest."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from case_head import HEAD

from conformance import cli

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = (
    HEAD
    + """\
steps:
  - name: deny
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
    expect:
      default: allow
      deny: ["* -> x/a"]
"""
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it said."""

    status: int
    out: str
    err: str


@pytest.fixture
def good() -> str:
    return GOOD


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """Call a verb in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def called(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["netpol-conformance", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main()
        said = capsys.readouterr()
        return Ended(int(caught.value.code or 0), said.out, said.err)

    return called


@pytest.fixture
def program(tmp_path: Path) -> Callable[..., Ended]:
    """Run the program in an empty folder. Other pytest plugins that happen to be installed are none of its business."""

    def ran(*arguments: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "conformance.cli", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTEST_ADDOPTS": "-p no:syrupy -p no:hypothesispytest", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return ran
