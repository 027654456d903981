"""Removing what killed runs left on a cluster: only what carries the suite's label."""

from __future__ import annotations

from conformance.cluster.client import Api, failing_as, namespace_path, reachable
from conformance.cluster.containers import remove_left_behind
from conformance.cluster.namespaces import delete_all
from conformance.cluster.naming import MANAGED_BY, MANAGED_BY_LABEL, RUN_LABEL
from conformance.cluster.options import ClusterTimeouts
from conformance.errors import ActionFailed


def cleanup(
    context: str, kubeconfig: str | None = None, run: str | None = None, timeouts: ClusterTimeouts | None = None
) -> tuple[str, ...]:
    """Remove all runs' namespaces from a cluster, or those of one run, and their containers outside it; return what is gone.

    A run that is still going on loses its arena too: name the run where others may be at work.
    """
    timeouts = timeouts or ClusterTimeouts()
    api = Api(context, kubeconfig, timeouts)
    reachable(api)
    selector = f"{MANAGED_BY_LABEL}={MANAGED_BY}" + (f",{RUN_LABEL}={run}" if run else "")
    with failing_as(ActionFailed, "the namespaces of earlier runs cannot be listed", api):
        metadata = [each["metadata"] for each in api.items(namespace_path("").rstrip("/"), {"labelSelector": selector})]
    found = {each["name"]: each["uid"] for each in metadata}
    left = delete_all(api, found, timeouts.gone)
    containers = remove_left_behind(context, run)
    api.close()
    if left:
        raise ActionFailed(
            f"{len(left)} of {len(found)} namespaces are not gone",
            causes=[f"{name}: {why}" for name, why in sorted(left.items())],
        )
    return (*(f"namespace {name}" for name in found), *(f"container {name}" for name in containers))
