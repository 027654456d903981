"""Probe pods: made side by side, waited for, and explained when they do not come up."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.cluster import diagnosis, manifests
from conformance.cluster.admitted import stowaways
from conformance.cluster.client import FORBIDDEN, ApiError, deployment_path, failing_as, namespace_path
from conformance.cluster.naming import POD_LABEL, RUN_LABEL
from conformance.cluster.waiting import retried, until_none_left
from conformance.errors import ProbeFailed
from conformance.model.world import Phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.cluster.admitted import Foreign
    from conformance.cluster.client import Api
    from conformance.cluster.manifests import Setting
    from conformance.cluster.options import ClusterTimeouts
    from conformance.errors import ConformanceError
    from conformance.model.world import Pod

_MOST_CAUSES = 10


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a pod came to be: its addresses, the cluster's preferred family first, and the address of its node."""

    addresses: tuple[str, ...]
    node_address: str


class Pods:
    """The pods of one arena, each by itself or the only one of a Deployment.

    Errors are of the kind that the caller names: the same fault means different things to it.
    """

    def __init__(self, api: Api, setting: Setting, timeouts: ClusterTimeouts, foreign: Foreign) -> None:
        self._api = api
        self._setting = setting
        self._timeouts = timeouts
        self._foreign = foreign
        self._real_names: dict[str, str] = {}
        self._leaving: set[str] = set()

    def real_name(self, pod: Pod) -> str:
        """Return what a pod that was waited for is called on the cluster: a Deployment chooses the name of its pod."""
        return self._real_names.get(pod.ref, pod.name)

    def create(self, pod: Pod, kind: type[ConformanceError], from_start: Sequence[str] = ()) -> None:
        """Ask for a pod; a namespace that is too new to have a service account is given a moment, and so is a pod of its name to go."""
        if pod.ref in self._leaving:
            self.await_gone(pod, kind)
        path = self._maker(pod)
        make = manifests.deployment if self._setting.deploys(pod) else manifests.pod
        body = make(pod, self._setting, from_start)
        with failing_as(kind, f"pod {pod.ref} was not created", self._api):
            retried(lambda: self._api.create(path, body), _too_new, self._timeouts.service_account)

    def wait(self, pods: Sequence[Pod], kind: type[ConformanceError]) -> Mapping[str, Placed]:
        """Wait until pods are in the phase that they are meant for, and say where they came to be."""
        found: dict[str, dict[str, Any]] = {}
        began = time.monotonic()

        def look() -> list[Pod]:
            with failing_as(kind, "the pods could not be waited for", self._api):
                found.update(self._all({pod.namespace for pod in pods}))
            left = [pod for pod in pods if not diagnosis.is_up(found.get(pod.ref, {}), pod.phase)]
            late = time.monotonic() - began > self._timeouts.image_pull
            stuck = [pod for pod in left if _is_stuck(found.get(pod.ref, {}), late=late)]
            if stuck:
                raise self._failure(stuck, found, kind)
            return left

        if left := until_none_left(look, self._timeouts.pod_ready):
            raise self._failure(left, found, kind)
        for pod in pods:
            self._see_what_was_admitted(pod, found[pod.ref], kind)
        self._real_names |= {pod.ref: found[pod.ref]["metadata"]["name"] for pod in pods}
        return {pod.ref: _placed(found[pod.ref]) for pod in pods}

    def _see_what_was_admitted(self, pod: Pod, found: Mapping[str, Any], kind: type[ConformanceError]) -> None:
        if others := stowaways(found):
            raise kind(
                f"pod {pod.ref} has containers that this run did not ask for: {', '.join(others)}",
                hint="a webhook puts them there: exempt the namespaces of the run, by a label or annotation that --namespace-label and --namespace-annotation give them",
            )
        self._foreign.pod(pod, found)

    def miss(self, pods: Sequence[Pod]) -> None:
        """Raise ProbeFailed where pods are gone that nobody of this run deleted. One that crashes is still there, and so is one whose node is."""
        try:
            there = self._all({pod.namespace for pod in pods})
        except ApiError:
            return  # who cannot be asked says nothing of them
        gone = [pod.ref for pod in pods if not self._is_there(pod, there.get(pod.ref, {}))]
        if gone:
            raise ProbeFailed(
                f"{len(gone)} probe pod{'s are' if len(gone) > 1 else ' is'} gone that this run did not delete: {', '.join(gone[:_MOST_CAUSES])}",
                hint="somebody deleted or evicted them, or their namespace: this says nothing about policies",
            )

    def _is_there(self, pod: Pod, found: Mapping[str, Any]) -> bool:
        return (
            bool(found)
            and found["metadata"]["name"] == self.real_name(pod)
            and found["status"].get("phase") == Phase.RUNNING
        )

    def delete(self, pod: Pod, kind: type[ConformanceError]) -> None:
        """Delete a pod and wait until it is gone."""
        self.ask_to_go(pod, kind)
        self.await_gone(pod, kind)

    def ask_to_go(self, pod: Pod, kind: type[ConformanceError]) -> None:
        """Delete a pod without waiting: only another one of its name waits until it is gone."""
        with failing_as(kind, f"pod {pod.ref} was not deleted", self._api):
            # A Deployment is to be gone after its pod; a pod by itself has nothing that it would have to wait for.
            policy = "Foreground" if self._setting.deploys(pod) else "Background"
            self._api.delete(self._maker(pod, pod.name), propagationPolicy=policy)
        self._real_names.pop(pod.ref, None)
        self._leaving.add(pod.ref)

    def await_gone(self, pod: Pod, kind: type[ConformanceError]) -> None:
        """Wait until a pod that was asked to go is gone."""
        path = self._maker(pod, pod.name)
        with failing_as(kind, f"pod {pod.ref} could not be waited for", self._api):
            left = until_none_left(lambda: [path] * self._api.exists(path), self._timeouts.gone)
        if left:
            raise kind(f"pod {pod.ref} is still there {self._timeouts.gone:g} s after it was deleted")
        self._leaving.discard(pod.ref)

    def _all(self, namespaces: set[str]) -> dict[str, dict[str, Any]]:
        query = {"labelSelector": f"{RUN_LABEL}={self._setting.names.run}"}
        return {
            f"{namespace}/{metadata['labels'].get(POD_LABEL, metadata['name'])}": each
            for namespace in namespaces
            for each in self._api.items(self._path(namespace), query)
            if "deletionTimestamp" not in (metadata := each["metadata"])
        }

    def _failure(
        self, pods: Sequence[Pod], found: Mapping[str, Mapping[str, Any]], kind: type[ConformanceError]
    ) -> ConformanceError:
        wanted = "come up" if all(pod.phase is Phase.RUNNING for pod in pods) else "reach their phases"
        described = [f"{pod.ref}: {self._described(pod, found.get(pod.ref))}" for pod in pods[:_MOST_CAUSES]]
        more = [f"and {len(pods) - _MOST_CAUSES} more"] if len(pods) > _MOST_CAUSES else []
        return kind(
            f"{len(pods)} probe pod{'s' if len(pods) > 1 else ''} did not {wanted}",
            causes=(*described, *more),
            hint=diagnosis.hint(described),
        )

    def _described(self, pod: Pod, found: Mapping[str, Any] | None) -> str:
        if not found:
            return "it is not there" + (self._why_none(pod) if self._setting.deploys(pod) else "")
        query = {
            "fieldSelector": f"involvedObject.name={found['metadata']['name']},involvedObject.uid={found['metadata']['uid']}"
        }
        try:
            events = self._api.items(namespace_path(self._setting.names.namespace(pod.namespace), "events"), query)
        except ApiError:
            events = []  # events are not everyone's to read, and the pod itself says something too
        return diagnosis.describe(found, events)

    def _why_none(self, pod: Pod) -> str:
        """Say why a Deployment has made no pod, as far as it knows."""
        try:
            conditions = self._api.get(self._maker(pod, pod.name)).get("status", {}).get("conditions") or ()
        except ApiError as error:
            return f"; {error.message}"
        return "".join(
            f"; {each['reason']}: {each.get('message', '')}" for each in conditions if each["type"] == "ReplicaFailure"
        )

    def _maker(self, pod: Pod, *rest: str) -> str:
        """Return the path of what is made and deleted for a pod: a Deployment, or the pod itself."""
        if self._setting.deploys(pod):
            return deployment_path(self._setting.names.namespace(pod.namespace), *rest)
        return self._path(pod.namespace, *rest)

    def _path(self, namespace: str, *rest: str) -> str:
        return namespace_path(self._setting.names.namespace(namespace), "pods", *rest)


def _too_new(error: BaseException) -> bool:
    return isinstance(error, ApiError) and error.status == FORBIDDEN and "serviceaccount" in error.message


def _is_stuck(found: Mapping[str, Any], *, late: bool) -> bool:
    return diagnosis.is_hopeless(found) or diagnosis.is_crashing(found) or (late and diagnosis.lacks_image(found))


def _placed(found: Mapping[str, Any]) -> Placed:
    status = found["status"]
    return Placed(tuple(each["ip"] for each in status.get("podIPs") or ()), status.get("hostIP", ""))
