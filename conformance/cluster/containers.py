"""The local engine's containers: endpoints outside a cluster that a killed run left behind."""

from __future__ import annotations

import shutil

from conformance.cluster.naming import CONTEXT_LABEL, MANAGED_BY, MANAGED_BY_LABEL, RUN_LABEL
from conformance.cluster.programs import ENGINE, run, succeeds

_TIMEOUT = 60.0


def remove_left_behind(context: str, run_name: str | None) -> tuple[str, ...]:
    """Remove the containers of runs on one cluster, or of one run; return their names. Without an engine there are none."""
    if shutil.which(ENGINE) is None or not succeeds(ENGINE, "info", timeout=_TIMEOUT):
        return ()
    labels = {MANAGED_BY_LABEL: MANAGED_BY, CONTEXT_LABEL: context, **({RUN_LABEL: run_name} if run_name else {})}
    filters = [word for key, value in labels.items() for word in ("--filter", f"label={key}={value}")]
    listing = (ENGINE, "ps", "--all", *filters, "--format", "{{.Names}}")
    names = run("listing the containers of earlier runs", *listing, timeout=_TIMEOUT).split()
    if names:
        run("removing the containers of earlier runs", ENGINE, "rm", "--force", *names, timeout=_TIMEOUT)
    return tuple(names)
