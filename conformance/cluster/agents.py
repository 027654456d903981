"""The implementation's agents: the pods of the DaemonSet that enforces policies, one on every node."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from conformance.cluster import detect
from conformance.cluster.client import ApiError, namespace_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.cluster.client import Api

_DAEMON_SETS = "/apis/apps/v1/daemonsets"


class Agents:
    """The pods of a DaemonSet. `wanted` and `pods` ask the API server each time; ApiError where it does not answer."""

    def __init__(self, api: Api, daemon_set: Mapping[str, Any]) -> None:
        self._api = api
        metadata = daemon_set["metadata"]
        self.namespace, self.name, self._owner = metadata["namespace"], metadata["name"], metadata["uid"]
        labels = daemon_set["spec"]["selector"].get("matchLabels") or {}
        self._labels = ",".join(f"{key}={value}" for key, value in labels.items())

    def wanted(self) -> int:
        """Return on how many nodes there is to be one."""
        query = {"fieldSelector": f"metadata.name={self.name}"}
        found = self._api.items(f"/apis/apps/v1/namespaces/{self.namespace}/daemonsets", query)
        return sum(each["status"].get("desiredNumberScheduled", 0) for each in found)

    def pods(self) -> Sequence[Mapping[str, Any]]:
        return [
            pod
            for pod in self._api.items(namespace_path(self.namespace, "pods"), {"labelSelector": self._labels})
            if any(owner["uid"] == self._owner for owner in pod["metadata"].get("ownerReferences") or ())
        ]


def find(api: Api) -> Agents | None:
    """Find the agents; None where no DaemonSet is known to enforce policies. ApiError where this account may not look."""
    daemon_set = detect.enforcing(api.items(_DAEMON_SETS))
    return None if daemon_set is None else Agents(api, daemon_set)


class Roll:
    """Which agents there are, as often as it is asked. An account that may not look, or a cluster where none are known, knows of none."""

    def __init__(self, api: Api) -> None:
        self._api = api

    @cached_property
    def _agents(self) -> Agents | None:
        return find(self._api)

    def call(self) -> Mapping[str, str]:
        """Return the uids of the agents' pods by their nodes, but for those that are about to go."""
        try:
            pods = self._agents.pods() if self._agents is not None else ()
        except ApiError:
            return {}
        return {
            str(pod["spec"].get("nodeName", "")): str(pod["metadata"]["uid"])
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
        }
