"""The whole suite on a real cluster, as a user runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.conftest import Cluster

pytestmark = pytest.mark.cluster


def verdicts(lines: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {case: line["verdict"] for case, line in lines.items()}


def unknown_cells(lines: dict[str, dict[str, Any]]) -> list[str]:
    return [
        f"{case} {finding['flow']}: {finding['detail']}"
        for case, line in lines.items()
        for step in line["steps"]
        for finding in step["findings"]
        if finding["verdict"] == "unknown"
    ]


def test_smoke_sees_that_policies_are_enforced(enforcing: Cluster) -> None:
    done = enforcing.call("smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "policies enforced:  yes" in done.stdout


def test_every_case_passes_and_core_cases_do_so_again_without_workers(enforcing: Cluster, tmp_path: Path) -> None:
    some = "" if enforcing.thorough else "not row"
    status, side_by_side, output = enforcing.run(tmp_path / "many", "-m", some)
    again = ("-m", "core") if enforcing.thorough else ("-m", "core and not row", "-k", "peers or selectors")
    again_status, alone, again_output = enforcing.run(tmp_path / "alone", "-n", "0", *again)
    bad = {
        case: verdict
        for case, verdict in verdicts(side_by_side).items()
        if verdict not in {"pass", "waived", "unsupported"}
    }
    assert not bad, output
    assert (status, again_status) == (0, 0), output + again_output
    assert unknown_cells(alone) + unknown_cells(side_by_side) == []
    assert len(alone) >= (60 if enforcing.thorough else 20)
    assert verdicts(alone) == {case: verdict for case, verdict in verdicts(side_by_side).items() if case in alone}
    if not enforcing.waivers:
        assert set(verdicts(alone).values()) == {"pass"}


def test_a_cluster_that_enforces_nothing_is_found_out(unenforcing: Cluster, tmp_path: Path) -> None:
    smoke = unenforcing.call("smoke")
    assert smoke.returncode == 1
    assert "nothing enforces policies" in smoke.stdout

    some = "" if unenforcing.thorough else "not row"
    status, lines, output = unenforcing.run(tmp_path, "--timeout=settle=1", "--timeout=labels=1", "-m", some)
    assert status == 1, output
    blocking = {case.id for case in load_cases(find([cases()])) if expects_a_block(case)}
    wrong = {
        case: line["verdict"]
        for case, line in lines.items()
        if line["verdict"] != "unsupported" and line["verdict"] != ("fail" if case in blocking else "pass")
    }
    assert not wrong, output
    kinds = Counter(
        finding["verdict"] for line in lines.values() for step in line["steps"] for finding in step["findings"]
    )
    assert set(kinds) == {"leak"}, kinds


def expects_a_block(case: Any) -> bool:
    return any(step.expect and (not step.expect.default or step.expect.deny) for step in case.steps)


@pytest.mark.parametrize("moment", ["bringing up", "step", "later"])
def test_nothing_is_left_of_a_killed_run_after_cleanup(enforcing: Cluster, tmp_path: Path, moment: str) -> None:
    command = enforcing.command("run", f"--report={tmp_path}", "-m", "core", "--run=killed")
    with (
        (tmp_path / "output").open("w") as output,
        subprocess.Popen(command, stdout=output, stderr=output, start_new_session=True) as process,
    ):
        wanted = {"bringing up": 0, "step": 2, "later": 6}[moment]
        while not (lines_in(tmp_path / "run.jsonl") >= wanted if wanted else namespaces(enforcing)):
            assert process.poll() is None, (tmp_path / "output").read_text()
        os.killpg(process.pid, signal.SIGKILL)
    assert namespaces(enforcing)
    done = enforcing.call("cleanup", "--run=killed")
    assert done.returncode == 0, done.stdout + done.stderr
    assert namespaces(enforcing) == []


def lines_in(file: Path) -> int:
    return len(file.read_text().splitlines()) if file.exists() else 0


def namespaces(cluster: Cluster) -> list[str]:
    listing = subprocess.run(
        ["kubectl", "--context", cluster.context, "get", "namespaces", "-l", "netpol-conformance/run=killed", "-o", "json"],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    return [item["metadata"]["name"] for item in json.loads(listing.stdout)["items"]]
