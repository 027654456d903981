"""Credentials of a kubeconfig are sent to its API server, and are seen nowhere else."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import FakeServer

CANARY = "canary-token-9f3b"
#: At each of these something goes wrong, and the user is told.
TROUBLE = {
    "the version": ("GET /version", 401),
    "permissions": ("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 500),
    "nodes": ("GET /api/v1/nodes", 403),
    "nothing": ("GET /nothing", 200),
}


@pytest.mark.parametrize(
    ("verb", "trouble"),
    [("run", "the version"), ("run", "permissions"), ("run", "nodes"), ("smoke", "nodes"), ("cleanup", "nothing")],
)
def test_a_token_is_in_no_output_and_no_record(
    server: FakeServer, kubeconfig_for: Callable[..., str], tmp_path: Path, verb: str, trouble: str
) -> None:
    request, status = TROUBLE[trouble]
    server.answers[request] = [(status, {"kind": "Status", "message": "no"})]
    server.answer("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", 201, {"status": {"allowed": True}})
    kubeconfig = kubeconfig_for(server.url, {"token": CANARY})
    report = tmp_path / "report"
    options = {
        "run": ["cases/recipes", "--target=kubernetes", f"--report={report}", "-v"],
        "smoke": ["--target=kubernetes"],
        "cleanup": [],
    }
    done = subprocess.run(
        [sys.executable, "-m", "conformance.cli", verb, "--context=test", f"--kubeconfig={kubeconfig}", *options[verb]],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert any(headers.get("authorization") == f"Bearer {CANARY}" for _, headers, _ in server.asked)
    assert done.stdout + done.stderr
    written = "".join(each.read_text() for each in report.rglob("*") if each.is_file())
    assert CANARY not in done.stdout + done.stderr + written
