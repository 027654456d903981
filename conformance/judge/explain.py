"""Why a flow must pass or must be blocked, in sentences, with the deciding lines of the case file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.policy import Direction

if TYPE_CHECKING:
    from conformance.model.decision import Decision, DirectionDecision, Evidence

_PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_WAYS = {Direction.INGRESS: "into", Direction.EGRESS: "out of"}


def explain(decision: Decision) -> tuple[str, ...]:
    """Return one sentence for each thing that decides; for a blocked flow only the sides that block it."""
    sides = decision.sides if decision.allowed else tuple(side for side in decision.sides if not side.allowed)
    return tuple(map(side_sentence, sides))


def side_sentence(side: DirectionDecision) -> str:
    """Say what decides on one side of a flow."""
    direction = side.direction.lower()
    if not side.isolated:
        return f"{side.pod} is not isolated for {direction}: no policy selects it"
    if side.depending and not side.allowed:
        return f"{side.pod}: whether {_rule(side.depending[0])} matches depends on the source, which a node port may rewrite"
    if side.allowed:
        return f"{_rule(side.matching[0])} lets it {_WAYS[side.direction]} {side.pod}"
    policies = ", ".join(f"{each.policy} ({each.location})" for each in side.selecting)
    return f"{side.pod} is isolated for {direction} by {policies}, and no {direction} rule matches"


def _rule(evidence: Evidence) -> str:
    text = f"{evidence.policy} {evidence.direction.lower()}[{evidence.rule}]"
    if evidence.peer is not None:
        text += f".{_PEERS[evidence.direction]}[{evidence.peer}]"
    if evidence.port is not None:
        text += f" with ports[{evidence.port}]"
    return f"{text} ({evidence.location})"
