"""Policies that the suite makes for its own purposes, and that are no part of any case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.casefile.networkpolicy import from_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model.policy import NetworkPolicy


def ingress_policy(namespace: str, name: str, rules: Sequence[Mapping[str, Any]] = ()) -> NetworkPolicy:
    """Return a policy that isolates a namespace for ingress, and lets in what its rules say: without any, nobody."""
    return from_manifest(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": list(rules)},
        }
    )
