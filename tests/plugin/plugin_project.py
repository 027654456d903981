"""A project of somebody else: a few case files, and targets that are right or wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CASE = """\
apiVersion: netpol-conformance/v1
kind: Case
id: {id}
requirement: A pod that a policy selects MUST be closed.
spec: https://example.org/spec
tier: {tier}
features: [{features}]
probe: [80/TCP]
steps:
  - name: open
    expect: {{default: allow}}
  - name: closed
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {{name: deny, namespace: "{namespace}"}}
        spec: {{podSelector: {{matchLabels: {{pod: a}}}}, policyTypes: [Ingress]}}
    expect:
      default: allow
      deny: ["* -> {namespace}/a"]
"""

TARGET = """\
import os
from pathlib import Path

import pytest

from conformance.errors import ActionFailed, ArenaFailed, TargetUnavailable
from conformance.lab.miniatures.perfect import PerfectArena, PerfectTarget
from conformance.model.matrix import Observation, Observed

def applied(changes, namespace=None):
    policies = [each.policy for each in changes if hasattr(each, "policy")]
    return [each for each in policies if namespace in (None, each.namespace)]

def trace(text):
    with Path("trace.txt").open("a") as file:
        file.write(text + chr(10))

class Arena(PerfectArena):
    def __init__(self, world, target):
        super().__init__(world)
        self.target = target

    def close(self):
        trace("arena closed")

class Target(PerfectTarget):
    Arena = Arena
    opened = 0

    def open_arena(self, world, name):
        self.opened += 1
        trace("arena opened " + name)
        return self.Arena(world, self)

    def close(self):
        trace("target closed")

{wrong}

@pytest.fixture(scope="session")
def netpol_target():
    target = Target()
    yield target
    target.close()
"""

#: A plugin that closes nothing in namespace x.
LEAKY = """
class Arena(Arena):
    def probe(self, flows, timeout):
        allowed = Observation(Observed.ALLOWED, 0.001)
        seen = super().probe(flows, timeout)
        return {flow: allowed if flow.destination.startswith("x/") else each for flow, each in seen.items()}

Target.Arena = Arena
"""

#: A target that does not take policies in namespace y.
REFUSING = """
class Arena(Arena):
    def change(self, changes):
        if applied(changes, "y"):
            raise ActionFailed("the API server said no", hint="ask it why")
        super().change(changes)

Target.Arena = Arena
"""


class Project:
    """Case files x.yaml, y.yaml and sub/z.yaml, and pytest run on them."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path: Path = pytester.path
        pytester.makeini("[pytest]\naddopts = -p no:syrupy -p no:hypothesispytest\nnetpol_target = mini:perfect\n")
        self.case("x.yaml", "XXXX")
        self.case("y.yaml", "YYYY", namespace="y", features="ingress, named-port")
        self.case("sub/z.yaml", "ZZZZ", namespace="z", tier="extended")

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start pytest as a program that can be told to end; nobody listens to what it says."""
        command = [sys.executable, "-m", "pytest", *arguments]
        return subprocess.Popen(command, cwd=self.path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def case(
        self, name: str, identity: str, *, namespace: str = "x", tier: str = "core", features: str = "ingress"
    ) -> None:
        self.write(name, CASE.format(id=identity, namespace=namespace, tier=tier, features=features))

    def write(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(textwrap.dedent(text), encoding="utf-8")

    def target(self, *wrong: str) -> None:
        self.write("conftest.py", TARGET.replace("{wrong}", "\n".join(wrong)))

    def run(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(*arguments)

    def run_alone(self, *arguments: str) -> pytest.RunResult:
        """Run in a process of its own, where this one cannot be used."""
        return self.pytester.runpytest_subprocess(*arguments)

    def verdicts(self, *arguments: str) -> dict[str, str]:
        """Run, and return the verdicts in the record by the id of the case."""
        self.run("--netpol-report=report", *arguments)
        return {line["id"]: line["verdict"] for line in self.record() if line["type"] == "case"}

    def record(self, folder: str = "report") -> list[dict[str, Any]]:
        text = (self.path / folder / "run.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def record_of_whole_lines(self) -> list[dict[str, Any]]:
        """Return what there is of a record that may be cut off, or not be there at all."""
        file = self.path / "report" / "run.jsonl"
        text = file.read_text(encoding="utf-8") if file.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def trace(self) -> list[str]:
        file = self.path / "trace.txt"
        return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
