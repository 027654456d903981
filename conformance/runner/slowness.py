"""How long changes take here, tried once before the first case where no canary will tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.casefile.networkpolicy import from_manifest
from conformance.model.case import ApplyPolicy, DeletePolicy
from conformance.model.flow import DEFAULT_PROBE, flows

if TYPE_CHECKING:
    from conformance.model.policy import NetworkPolicy
    from conformance.runner.reading import Reader
    from conformance.runner.target import Arena


def learn(arena: Arena, reader: Reader) -> None:
    """Close a namespace and open it again; the reader remembers the slower of the two.

    What never takes effect is no finding here: there are cases for that.
    """
    world = arena.world
    namespace = world.tried[0].namespace
    into = [
        flow for flow in flows(world, DEFAULT_PROBE, external=False) if flow.destination.startswith(f"{namespace}/")
    ]
    policy = deny_ingress(namespace)
    arena.change([ApplyPolicy(policy)])
    reader.settle(dict.fromkeys(into, False))
    arena.change([DeletePolicy(policy.ref)])
    reader.settle(dict.fromkeys(into, True))


def deny_ingress(namespace: str) -> NetworkPolicy:
    """Return a policy that lets nobody into a namespace."""
    return from_manifest(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "deny-ingress", "namespace": namespace},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
        }
    )
