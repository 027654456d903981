"""A mistake that a plugin makes: which class of defects it belongs to, and what of a plugin's work it does otherwise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from conformance.model.case import Action
from conformance.model.flow import Flow
from conformance.model.matrix import Observation
from conformance.model.policy import Direction
from conformance.model.state import State

if TYPE_CHECKING:
    from conformance.model.world import Pod, Protocol, Service


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection, as it arrives: `sender` and `receiver` are None for what is no pod.

    `front` is the port of the Service that it was sent to, where it was sent to one; it arrives at `port`.
    """

    source: str
    destination: str
    port: int
    protocol: Protocol
    sender: Pod | None = None
    receiver: Pod | None = None
    service: Service | None = None
    front: int = 0

    @property
    def crosses_nodes(self) -> bool:
        return self.sender is not None and self.receiver is not None and self.sender.node != self.receiver.node

    @property
    def stays_on_a_node(self) -> bool:
        return self.sender is not None and self.receiver is not None and self.sender.node == self.receiver.node

    def answered(self, port: int) -> Self:
        """Return the packet that comes back, to the port that the sender had."""
        return replace(
            self,
            source=self.destination,
            destination=self.source,
            port=port,
            sender=self.receiver,
            receiver=self.sender,
            service=None,
        )


#: What a plugin knows after an event, of what it knew, the event, and what the API server holds then.
Hears = Callable[[State, Action, State], State]
#: Whether a pod's tables let a packet out of its sender, or into its receiver.
Lets = Callable[[Packet, Direction], bool]
#: Whether a packet arrives.
Carries = Callable[[Lets, Packet], bool]
#: Which lookups a defect shows in; in all others the plugin does what is right.
Where = Callable[[Packet, Direction], bool]
#: What is seen of a flow in a reading, of which the number is given.
Sees = Callable[[Flow, Observation, int], Observation]


def rightly(_: State, __: Action, true: State) -> State:
    return true


def both_ends(lets: Lets, packet: Packet) -> bool:
    """A packet must be let out of its sender and into its receiver."""
    return lets(packet, Direction.EGRESS) and lets(packet, Direction.INGRESS)


def as_it_is(_: Flow, seen: Observation, __: int) -> Observation:
    return seen


@dataclass(frozen=True, slots=True)
class Defect:
    """One mistake. `of` is its class, `M01` to `M40`; `what` is a sentence, of the plugin, in the third person.

    `after_restart` is what it knows once it has listed everything anew. With `open_at_start` a pod is isolated only after it has started.
    """

    name: str
    of: str
    what: str
    hears: Hears = rightly
    carries: Carries = both_ends
    where: Where | None = None
    sees: Sees = as_it_is
    after_restart: Callable[[State], State] | None = None
    open_at_start: bool = False

    def only(self, name: str, where: Where) -> Defect:
        """Return the same mistake, made in some lookups only."""
        return replace(self, name=f"{self.name}@{name}", what=f"{self.what}, only {name}", where=where)

    @property
    def shows_in_tables(self) -> bool:
        """Whether it can matter only where its tables are not what they must be."""
        return (
            self.carries is both_ends
            and self.sees is as_it_is
            and self.after_restart is None
            and not self.open_at_start
        )


#: What makes no mistake.
NONE = Defect("perfect", "", "does what the specification says")
