"""The smallest question about a target: do pods connect, and does anything enforce policies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.errors import ProbeFailed
from conformance.model.case import ApplyPolicy
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.matrix import CellVerdict
from conformance.model.world import Protocol
from conformance.runner.own_policies import ingress_policy
from conformance.runner.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.model.world import World
    from conformance.runner.settling import Settled
    from conformance.runner.target import Arena, Target

#: Enough for the slowest implementation that enforces anything; much less than a case's patience.
_CONNECT, _ENFORCE, _SILENCE = 30.0, 10.0, 1.0
_PODS = ("x/a", "x/b")


@dataclass(frozen=True, slots=True)
class Smoke:
    """What came out; the details are for people."""

    connects: bool
    connects_detail: str
    enforces: bool = False
    enforces_detail: str = ""


def smoke(target: Target) -> Smoke:
    """Bring up two pods on two nodes, connect them, then deny everything and see that they no longer connect."""
    arena = target.open_arena(_world(), "smoke")
    try:
        return _try(arena, target)
    finally:
        arena.close()


def _try(arena: Arena, target: Target) -> Smoke:
    served = arena.world.pods[_PODS[0]].servers
    ports = [(each.port, each.protocol) for each in served if each.protocol is not Protocol.SCTP]
    tried = flows(arena.world, ports, external=False)

    def read(some: Sequence[Flow]) -> Mapping[Flow, Observation]:
        return arena.probe(some, _SILENCE)

    def settle(wanted: bool, deadline: float) -> Settled:
        return Settling(read, dict.fromkeys(tried, wanted), target.clock).run(deadline=deadline, hold=0.0)

    if wrong := settle(wanted=True, deadline=_CONNECT).verdicts:
        return Smoke(
            False, f"{len(wrong)} of {len(tried)} flows between {' and '.join(_PODS)} do not pass, without any policy"
        )
    connected = f"{len(tried)} flows between {' and '.join(_PODS)} pass"
    arena.change([ApplyPolicy(ingress_policy("x", "smoke-deny"))])
    began = target.clock.now()
    settled = settle(wanted=False, deadline=_ENFORCE)
    seconds = target.clock.now() - began
    if not settled.verdicts:
        return Smoke(True, connected, True, f"a policy that denies all took effect within {seconds:.2f} s")
    wrong = {flow: verdict for flow, verdict in settled.verdicts.items() if verdict is not CellVerdict.UNKNOWN}
    if not wrong:
        flow = min(settled.verdicts)
        raise ProbeFailed(
            f"{len(settled.verdicts)} of {len(tried)} flows could not be measured after a policy denied all",
            causes=[f"{flow}: {settled.observations[flow].detail}"],
        )
    return Smoke(
        True,
        connected,
        False,
        f"{len(wrong)} of {len(tried)} flows still pass {_ENFORCE:g} s after a policy denied all",
    )


def _world() -> World:
    world = default_world()
    return replace(
        world,
        namespaces={"x": world.namespaces["x"]},
        pods={ref: world.pods[ref] for ref in _PODS},
        endpoints={},
    )
