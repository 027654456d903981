"""The namespaces of one arena: made, asked to go, and waited for. No other is ever touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.cluster import manifests
from conformance.cluster.client import NOT_FOUND, ApiError, failing_as, namespace_path
from conformance.cluster.namespaces import ask_to_go, await_gone, delete_all
from conformance.cluster.naming import RUN_LABEL
from conformance.errors import ActionFailed

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from conformance.cluster.admitted import Foreign
    from conformance.cluster.client import Api
    from conformance.cluster.manifests import Setting
    from conformance.errors import ConformanceError
    from conformance.model.world import Namespace


class OwnNamespaces:
    """By the names that cases have for them; on the cluster they have longer ones."""

    def __init__(self, api: Api, setting: Setting, gone: float, foreign: Foreign) -> None:
        self._api = api
        self._setting = setting
        self._gone = gone
        self._foreign = foreign
        #: By its name on the cluster, what each was made as; empty where the API server's answer never came.
        self._uids: dict[str, str] = {}
        self._known: set[str] = set()
        #: Those that were asked to go, and that nobody has waited for yet.
        self._leaving: set[str] = set()

    @property
    def known(self) -> Collection[str]:
        """Those that there are or were."""
        return self._known

    @property
    def real_names(self) -> Collection[str]:
        """What those that are there are called on the cluster."""
        return sorted(self._uids)

    def make(self, namespace: Namespace, kind: type[ConformanceError]) -> None:
        """Make one with the agent's text in it; one that was asked to go under the same name is waited for."""
        if namespace.name in self._leaving:
            self.await_gone(namespace.name)
        real = self._setting.names.namespace(namespace.name)
        self._known.add(namespace.name)
        with failing_as(kind, f"namespace {namespace.name} ({real}) was not created", self._api):
            self._uids[real] = ""
            try:
                answer = self._api.create("/api/v1/namespaces", manifests.namespace(namespace, self._setting))
            except ApiError as error:
                if error.status:  # refused, and so not made; without an answer, nobody knows
                    del self._uids[real]
                raise
            self._uids[real] = answer["metadata"]["uid"]
            self._foreign.namespace(namespace, answer)
            self._api.create(namespace_path(real, "configmaps"), manifests.agent_config_map(self._setting))

    def ask_to_go(self, name: str) -> None:
        real = self._setting.names.namespace(name)
        if failed := ask_to_go(self._api, self._uid(real)):
            raise ActionFailed(f"namespace {name} ({real}) was not deleted", causes=(failed[real],))
        self._leaving.add(name)

    def await_gone(self, name: str) -> None:
        """Wait until one that was asked to go is gone."""
        real = self._setting.names.namespace(name)
        if left := await_gone(self._api, self._uid(real), self._gone):
            raise ActionFailed(f"namespace {name} ({real}) is not gone after {self._gone:g} s", causes=(left[real],))
        self._leaving.discard(name)
        self._uids.pop(real, None)

    def delete_all(self) -> None:
        """Delete what is there and wait until it is gone; ActionFailed where something is left."""
        unknown = self._look_up()
        known = {name: uid for name, uid in self._uids.items() if uid}
        left = {**unknown, **delete_all(self._api, known, self._gone)}
        self._uids = {name: self._uids[name] for name in left}
        if left:
            raise ActionFailed(
                f"{len(left)} namespaces of this run are not gone",
                causes=[f"{name}: {why}" for name, why in sorted(left.items())],
                hint="`netpol-conformance cleanup` tries again",
            )

    def _uid(self, real: str) -> Mapping[str, str]:
        return {real: self._uids[real]} if self._uids.get(real) else {}

    def _look_up(self) -> Mapping[str, str]:
        """Look for those of which the API server has not said whether they were made; return which cannot be looked for, each with the reason.

        One that is there without this run's label is somebody else's.
        """
        failed = {}
        for name in [name for name, uid in self._uids.items() if not uid]:
            try:
                metadata = self._api.get(namespace_path(name))["metadata"]
            except ApiError as error:
                if error.status != NOT_FOUND:
                    failed[name] = error.message
                continue
            if (metadata.get("labels") or {}).get(RUN_LABEL) == self._setting.names.run:
                self._uids[name] = metadata["uid"]
        return failed
