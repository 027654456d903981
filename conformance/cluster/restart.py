"""Restarting the implementation: the pods of its DaemonSet are deleted, and the cluster makes them again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from conformance.cluster import detect
from conformance.cluster.agents import find
from conformance.cluster.client import ApiError, failing_as, namespace_path
from conformance.errors import ActionFailed, CannotShow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.cluster.client import Api

_SIDE_BY_SIDE = 16


class Restart:
    """One restart: begun when it is made, and over once `left` returns nothing.

    ActionFailed where a pod cannot be deleted, CannotShow where no DaemonSet is known to enforce policies.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        with failing_as(ActionFailed, "the implementation's pods cannot be restarted", api):
            agents = find(api)
            if agents is None:
                raise CannotShow(
                    "no DaemonSet of this cluster is known to enforce policies, so that none can be restarted"
                )
            self._agents = agents
            ended = agents.pods()
            self._ended = {pod["metadata"]["uid"] for pod in ended}
            with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
                list(pool.map(self._delete, [pod["metadata"]["name"] for pod in ended]))

    def left(self) -> tuple[str, ...]:
        """Return what is not ready again, each in words. An API server that does not answer says nothing of what is ready."""
        try:
            wanted, pods = self._agents.wanted(), self._agents.pods()
        except ApiError as error:
            return (error.message,)
        ready = [pod for pod in pods if self._is_ready(pod)]
        namespace, name = self._agents.namespace, self._agents.name
        waiting = [f"pod {namespace}/{pod['metadata']['name']} is not ready" for pod in pods if pod not in ready]
        if len(ready) >= wanted and not waiting and wanted:
            return ()
        return tuple(waiting) or (f"{len(ready)} of {wanted} pods of {namespace}/{name} are ready",)

    def _delete(self, pod: str) -> None:
        self._api.delete(namespace_path(self._agents.namespace, "pods", pod))

    def _is_ready(self, pod: Mapping[str, Any]) -> bool:
        return pod["metadata"]["uid"] not in self._ended and detect.is_ready(pod)
