"""A short campaign: a few faults of random kinds, of which none may make a verdict. It takes minutes, and stops kubelets: NETPOL_TEST_FAULTS says how many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Cluster


def test_no_fault_makes_a_verdict(cluster: Cluster) -> None:
    faults = os.environ.get("NETPOL_TEST_FAULTS")
    if not faults:
        pytest.skip("NETPOL_TEST_FAULTS says of no faults that they may be made")
    campaign = Path(__file__).with_name("campaign.py")
    done = subprocess.run(
        [sys.executable, str(campaign), "--context", cluster.context, "--image", cluster.image, "--faults", faults],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
