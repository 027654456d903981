"""What was seen of a flow, and what became of it once judged."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conformance.model.decision import Decision
    from conformance.model.flow import Flow


class Observed(StrEnum):
    """What a probe saw. Only `allowed`, `dropped` and `rejected` say something about the network."""

    ALLOWED = "allowed"  #: the right server answered, with this probe's nonce
    DROPPED = "dropped"  #: nothing came back within the timeout
    REJECTED = "rejected"  #: refused, reset or unreachable, before there was a connection
    MISDELIVERED = "misdelivered"  #: another server answered
    FAILED = "failed"  #: could not be measured: the stream broke, the server is not proven alive, or it connected and did not answer


@dataclass(frozen=True, slots=True)
class Observation:
    """One probe's result. `seconds` is how long it took, `detail` what the socket or the stream said.

    `waited` is how many of the seconds nothing at all was heard of its batch: a busy machine makes a batch slow, but not silent.
    """

    observed: Observed
    seconds: float = 0.0
    detail: str = ""
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class Early:
    """What a pod itself says of a flow that it tried from its first instruction on.

    `tries` is how often it tried, `passed` how many seconds after its start the right server first answered; None where none did.
    """

    tries: int
    passed: float | None = None


class CellVerdict(StrEnum):
    """What a cell of the matrix means for the implementation."""

    AGREE = "agree"
    LEAK = "leak"  #: must be blocked, passed
    BREAK = "break"  #: must pass, blocked
    UNSTABLE = "unstable"  #: changed while it was watched
    UNKNOWN = "unknown"  #: the probe itself failed


@dataclass(frozen=True, slots=True)
class Cell:
    """One flow of one reading: what a person declared, what the evaluator computed, what was seen, and why it must be so."""

    flow: Flow
    declared: bool
    decision: Decision
    observation: Observation
    verdict: CellVerdict
    attempts: int = 1
    why: tuple[str, ...] = ()
