"""Restarting the implementation: the pods of its DaemonSet are deleted, and the cluster makes them again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from conformance.cluster import detect
from conformance.cluster.client import ApiError, failing_as, namespace_path
from conformance.errors import ActionFailed, CannotShow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.cluster.client import Api

_DAEMON_SETS = "/apis/apps/v1/daemonsets"
_SIDE_BY_SIDE = 16


class Restart:
    """One restart: begun when it is made, and over once `left` returns nothing.

    ActionFailed where a pod cannot be deleted, CannotShow where no DaemonSet is known to enforce policies.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        with failing_as(ActionFailed, "the implementation's pods cannot be restarted", api):
            daemon_set = detect.enforcing(api.items(_DAEMON_SETS))
            if daemon_set is None:
                raise CannotShow(
                    "no DaemonSet of this cluster is known to enforce policies, so that none can be restarted"
                )
            metadata = daemon_set["metadata"]
            self._namespace, self._name, self._owner = metadata["namespace"], metadata["name"], metadata["uid"]
            labels = daemon_set["spec"]["selector"].get("matchLabels") or {}
            self._labels = ",".join(f"{key}={value}" for key, value in labels.items())
            ended = self._pods()
            self._ended = {pod["metadata"]["uid"] for pod in ended}
            with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
                list(pool.map(self._delete, [pod["metadata"]["name"] for pod in ended]))

    def left(self) -> tuple[str, ...]:
        """Return what is not ready again, each in words. An API server that does not answer says nothing of what is ready."""
        try:
            query = {"fieldSelector": f"metadata.name={self._name}"}
            found = self._api.items(f"/apis/apps/v1/namespaces/{self._namespace}/daemonsets", query)
            pods = self._pods()
        except ApiError as error:
            return (error.message,)
        ready = [pod for pod in pods if self._is_ready(pod)]
        waiting = [f"pod {self._namespace}/{pod['metadata']['name']} is not ready" for pod in pods if pod not in ready]
        wanted = sum(each["status"].get("desiredNumberScheduled", 0) for each in found)
        if len(ready) >= wanted and not waiting and wanted:
            return ()
        return tuple(waiting) or (f"{len(ready)} of {wanted} pods of {self._namespace}/{self._name} are ready",)

    def _pods(self) -> Sequence[Mapping[str, Any]]:
        return [
            pod
            for pod in self._api.items(namespace_path(self._namespace, "pods"), {"labelSelector": self._labels})
            if any(owner["uid"] == self._owner for owner in pod["metadata"].get("ownerReferences") or ())
        ]

    def _delete(self, pod: str) -> None:
        self._api.delete(namespace_path(self._namespace, "pods", pod))

    def _is_ready(self, pod: Mapping[str, Any]) -> bool:
        return pod["metadata"]["uid"] not in self._ended and detect.is_ready(pod)
