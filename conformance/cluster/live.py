"""What a cluster holds that policies are about, as its API server gives it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.cluster.client import Api, ApiError, reachable
from conformance.errors import TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Lists, and what their items leave out since the list says it.
_LISTS = (
    ("/api/v1/namespaces", "v1", "Namespace"),
    ("/api/v1/pods", "v1", "Pod"),
    ("/api/v1/services", "v1", "Service"),
    ("/apis/networking.k8s.io/v1/networkpolicies", "networking.k8s.io/v1", "NetworkPolicy"),
)


def objects(context: str, kubeconfig: str | None) -> Sequence[Mapping[str, Any]]:
    """Return them all; TargetUnavailable where the API server does not let them be listed."""
    api = Api(context, kubeconfig)
    try:
        reachable(api)
        return [
            {"apiVersion": version, "kind": kind, **item} for path, version, kind in _LISTS for item in api.items(path)
        ]
    except ApiError as error:
        raise TargetUnavailable(
            "the objects of the cluster cannot be read",
            causes=[error.message],
            hint="it needs the right to list namespaces, pods, Services and NetworkPolicies",
        ) from error
    finally:
        api.close()
