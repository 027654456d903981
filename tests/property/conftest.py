"""Settings for random tests: no deadline, since machines differ, and nothing kept from run to run.

`NETPOL_PROPERTY_SEEDS=random` draws new worlds each time; by default a run is the same as the last one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))  # the strategies and the brute force are files beside the tests

settings.register_profile(
    "netpol",
    deadline=None,
    database=None,
    derandomize=os.environ.get("NETPOL_PROPERTY_SEEDS") != "random",
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("netpol")
