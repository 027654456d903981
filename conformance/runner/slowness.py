"""How long changes take here, tried once before the first case where no canary will tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.case import ApplyPolicy, DeletePolicy
from conformance.model.flow import DEFAULT_PROBE, flows
from conformance.runner.own_policies import ingress_policy

if TYPE_CHECKING:
    from conformance.runner.reading import Reader
    from conformance.runner.target import Arena


def learn(arena: Arena, reader: Reader) -> None:
    """Close a namespace and open it again; the reader remembers the slower of the two.

    What never takes effect is no finding here: there are cases for that. It is not tried again either.
    """
    world = arena.world
    namespace = world.tried[0].namespace
    into = [
        flow for flow in flows(world, DEFAULT_PROBE, external=False) if flow.destination.startswith(f"{namespace}/")
    ]
    policy = ingress_policy(namespace, "deny-ingress")
    arena.change([ApplyPolicy(policy)])
    reader.settle(dict.fromkeys(into, False))
    arena.change([DeletePolicy(policy.ref)])
    reader.settle(dict.fromkeys(into, True))
    reader.slowest = reader.slowest or 0.0
