"""What things are called on a cluster, and how a case's names become those.

A case says `x`, and the cluster has `netpol-<run>-<arena>-x`. What a case writes about namespaces is translated when it is applied:
the namespace that a policy is in, and the values of the one label that holds a namespace's name.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.model.world import NAMESPACE_NAME_LABEL

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "netpol-conformance"
RUN_LABEL = "netpol-conformance/run"
#: On the pod of a Deployment: the name that the case has for it. No case has labels of that name.
POD_LABEL = "netpol-conformance/pod"
#: On containers of the local engine: the context of the cluster that they belong to.
CONTEXT_LABEL = "netpol-conformance/context"

_OF_EVERY_CLUSTER = frozenset({"default", "kube-node-lease", "kube-public", "kube-system"})
_LONGEST = 63
_DIGEST = 8


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one arena. Deterministic, so that a namespace made again under the same name is the same again."""

    run: str
    arena: str

    @property
    def unique(self) -> str:
        """The arena's name among all arenas of all runs."""
        return f"{self.run}-{self.arena}"

    def namespace(self, short: str) -> str:
        """Return what a case's namespace is called on the cluster; a name that would be too long ends in a digest."""
        return shortened(f"netpol-{self.unique}-{short}")

    def translated(self, manifest: Mapping[str, Any], namespaces: Collection[str]) -> dict[str, Any]:
        """Return a policy as the API server is to get it.

        `namespaces` are those of the arena. A policy may name one that a case makes later, so any other name is translated too, unless it
        is one that every cluster has.
        """
        metadata = {**manifest.get("metadata", {})}
        for key in ("resourceVersion", "uid"):
            metadata.pop(key, None)
        metadata["namespace"] = self.namespace(metadata["namespace"])
        translated = {key: self._value(value, namespaces) for key, value in manifest.items() if key != "status"}
        return {**translated, "metadata": metadata}

    def _value(self, value: Any, namespaces: Collection[str]) -> Any:
        if isinstance(value, list):
            return [self._value(item, namespaces) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self._selector(item, namespaces)
            if key == "namespaceSelector" and isinstance(item, dict)
            else self._value(item, namespaces)
            for key, item in value.items()
        }

    def _selector(self, selector: Mapping[str, Any], namespaces: Collection[str]) -> dict[str, Any]:
        def name(value: Any) -> Any:
            return value if value in _OF_EVERY_CLUSTER and value not in namespaces else self.namespace(value)

        result = dict(selector)
        if isinstance(labels := selector.get("matchLabels"), dict) and NAMESPACE_NAME_LABEL in labels:
            result["matchLabels"] = {**labels, NAMESPACE_NAME_LABEL: name(labels[NAMESPACE_NAME_LABEL])}
        if expressions := selector.get("matchExpressions"):
            result["matchExpressions"] = [
                {**each, "values": [name(value) for value in each["values"]]}
                if each.get("key") == NAMESPACE_NAME_LABEL and each.get("values")
                else each
                for each in expressions
            ]
        return result


def shortened(name: str) -> str:
    """Return a name as it is if it fits into a DNS label, else cut off and made unique by a digest of the whole."""
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST - _DIGEST - 1].rstrip('-')}-{digest}"
