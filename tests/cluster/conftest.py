"""The cluster that these tests may use is named by environment variables; without them they are skipped.

NETPOL_TEST_CONTEXT    a kubeconfig context
NETPOL_TEST_IMAGE      the image of the probe pods
NETPOL_TEST_EXTERNAL   a command that runs its arguments outside the cluster
NETPOL_TEST_ENFORCES   `no` where the cluster is known to enforce nothing
NETPOL_TEST_THOROUGH   `yes` to run the rows of tables too, and all core cases a second time
NETPOL_TEST_WAIVERS    the known deviations of its implementation
NETPOL_TEST_FAULTS     how many faults may be made on it; only for one that is yours alone
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Cluster:
    """The cluster under test, and the command line on it."""

    context: str
    image: str
    external: str
    enforces: bool
    waivers: str
    thorough: bool

    def command(self, verb: str, *arguments: str) -> list[str]:
        options = [f"--context={self.context}", f"--image={self.image}"]
        target = [] if verb == "cleanup" else ["--target=kubernetes"]
        return [
            sys.executable,
            "-m",
            "conformance.cli",
            verb,
            *target,
            *options[: 1 if verb == "cleanup" else 2],
            *arguments,
        ]

    def call(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(verb, *arguments), text=True, capture_output=True, check=False)

    def run(self, folder: Path, *arguments: str) -> tuple[int, dict[str, dict[str, Any]], str]:
        """Run cases; return the exit status, the lines of the record by case id, and all output."""
        judged = [f"--external={self.external}"] if self.external else []
        judged += [f"--waivers={self.waivers}"] if self.waivers else []
        done = self.call("run", f"--report={folder}", *judged, *arguments)
        output = done.stdout + done.stderr
        assert (folder / "run.jsonl").exists(), output
        lines = [json.loads(line) for line in (folder / "run.jsonl").read_text().splitlines()]
        assert lines[-1]["type"] == "footer", output
        return done.returncode, {line["id"]: line for line in lines if line["type"] == "case"}, output


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    context = os.environ.get("NETPOL_TEST_CONTEXT")
    if not context:
        pytest.skip("NETPOL_TEST_CONTEXT names no cluster to test on")
    return Cluster(
        context=context,
        image=os.environ.get("NETPOL_TEST_IMAGE", ""),
        external=os.environ.get("NETPOL_TEST_EXTERNAL", ""),
        enforces=os.environ.get("NETPOL_TEST_ENFORCES", "yes") != "no",
        waivers=os.environ.get("NETPOL_TEST_WAIVERS", ""),
        thorough=os.environ.get("NETPOL_TEST_THOROUGH") == "yes",
    )


@pytest.fixture
def enforcing(cluster: Cluster) -> Cluster:
    if not cluster.enforces:
        pytest.skip("this cluster enforces no policies")
    return cluster


@pytest.fixture
def unenforcing(cluster: Cluster) -> Cluster:
    if cluster.enforces:
        pytest.skip("this cluster enforces policies")
    return cluster
