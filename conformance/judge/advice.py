"""What would have to change for a flow to pass, or to be blocked: in sentences, with lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model.decision import Decision, DirectionDecision, NearMiss
    from conformance.model.flow import Flow

_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_OTHER = {Direction.INGRESS: "source", Direction.EGRESS: "destination"}


def to_pass(side: DirectionDecision, flow: Flow, misses: Sequence[NearMiss]) -> Iterator[str]:
    """Yield what each alone would let a flow pass on a side that blocks it, the smallest change first."""
    port = f"{flow.port}/{flow.protocol}"
    other = flow.destination if side.direction is Direction.EGRESS else flow.source
    for miss in sorted(misses, key=lambda each: each.peers + each.ports, reverse=True):
        at = f"{miss.evidence.policy} {side.direction.lower()}[{miss.evidence.rule}] ({miss.evidence.location})"
        if miss.peers:
            yield f"{at} matches the {_OTHER[side.direction]}, and not the port: add {port} to its ports"
        elif miss.ports:
            yield f"{at} matches the port, and not the {_OTHER[side.direction]}: add a peer to its `{_PEERS[side.direction]}` that selects {other}"
    namespace = side.pod.partition("/")[0]
    yield (
        f"a further policy in {namespace} that selects {side.pod}, with a rule for {side.direction.lower()} "
        f"that matches {other} and {port}"
    )


def to_block(decision: Decision) -> Iterator[str]:
    """Yield what each alone would block a flow that passes."""
    for side in decision.sides:
        direction = side.direction.lower()
        if not side.isolated:
            namespace = side.pod.partition("/")[0]
            yield f"a policy in {namespace} that selects {side.pod}, with {side.direction} among its policyTypes and no rule that matches"
            continue
        rules = ", ".join(f"{each.policy} {direction}[{each.rule}] ({each.location})" for each in side.matching)
        what = "this rule" if len(side.matching) == 1 else f"all of these {len(side.matching)} rules"
        yield f"{what} narrowed or removed, and nothing else that lets it pass: {rules}"
