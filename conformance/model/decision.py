"""What the specification says of a flow, with the evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model.flow import Flow
    from conformance.model.policy import Direction
    from conformance.model.source import Location


@dataclass(frozen=True, slots=True)
class Evidence:
    """One policy that has to do with a decision: it selects the pod, and perhaps one of its rules matches.

    `rule`, `peer` and `port` are indices into the policy's lists; None where nothing matched, or where an empty list
    matched everything. `location` is the deciding line: the rule's if one matched, else the policy's.
    """

    policy: str
    direction: Direction
    rule: int | None = None
    peer: int | None = None
    port: int | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule that does not let a flow pass, and which of its two conditions the flow meets."""

    evidence: Evidence
    peers: bool
    ports: bool


@dataclass(frozen=True, slots=True)
class DirectionDecision:
    """One side of a flow: is the pod isolated in this direction, by which policies, and which rule lets the flow pass."""

    direction: Direction
    pod: str
    isolated: bool
    allowed: bool
    selecting: tuple[Evidence, ...] = ()
    matching: tuple[Evidence, ...] = ()
    #: Rules of which nobody can say whether they match, since a node port may show another source than the client.
    depending: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """A flow passes when both sides let it pass; a side outside the cluster has no say and is absent.

    `allowed` is None where the specification does not decide: a Service whose backends differ, or a node port where it depends on the
    source that the backend sees.
    """

    flow: Flow
    allowed: bool | None
    sides: tuple[DirectionDecision, ...] = ()
