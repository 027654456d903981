"""Where a flow goes, which servers may answer it, and what they answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conformance.model.flow import Flow, reached_at
from conformance.model.world import IPFamily, Protocol, family_of, target_port

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model.world import Endpoint, Pod, World

#: Where a server is asked by its own pod.
LOOPBACKS = {IPFamily.IPV4: "127.0.0.1", IPFamily.IPV6: "::1"}

#: What an agent is asked to try: an address, a port and a protocol.
Job = tuple[str, int, str]


class Server(NamedTuple):
    """A server by its owner, port and protocol, and over which family it is to answer: it listens on each of them with a socket of its own."""

    owner: str
    port: int
    protocol: Protocol
    family: IPFamily

    def __str__(self) -> str:
        text = f"{self.owner}:{self.port}/{self.protocol}"
        return text + (" over IPv6" if self.family is IPFamily.IPV6 else "")

    @property
    def own_job(self) -> Job:
        """How it is asked by its own pod."""
        return (LOOPBACKS[self.family], self.port, self.protocol)


class Route(NamedTuple):
    """`job` is what the source tries, None where an address is not known; `answers` are the identities of who may answer."""

    job: Job | None
    servers: tuple[Server, ...]
    answers: frozenset[str]


class Routes:
    """The routes of the flows of one arena, worked out once for each world that it has."""

    def __init__(self, arena: str) -> None:
        self._arena = arena
        self._world: World | None = None
        self._known: dict[Flow, Route] = {}

    def of(self, world: World, flow: Flow) -> Route:
        if world is not self._world:
            self._world, self._known = world, {}
        if (known := self._known.get(flow)) is None:
            known = self._known[flow] = self._route(world, flow)
        return known

    def _route(self, world: World, flow: Flow) -> Route:
        place = reached_at(flow, world)
        servers = _servers_behind(world, flow, place)
        owners = [owner for server in servers if (owner := owner_of(world, server.owner)) is not None]
        job = (*place, str(flow.protocol)) if place else None
        return Route(job, servers, frozenset(identity(self._arena, owner) for owner in owners))


def identity(arena: str, owner: Pod | Endpoint) -> str:
    """What the servers of a pod or endpoint answer with: no two pods of any arena share it, not even one made again."""
    return f"{arena}/{owner.identity}"


def owner_of(world: World, ref: str) -> Pod | Endpoint | None:
    return world.pods.get(ref) or world.endpoints.get(ref)


def from_start(world: World, pod: Pod) -> Sequence[str]:
    """Return what a pod's agent is told to try from its start, with the addresses that are known by then."""
    return [f"{_address(world, ref)}:{port}/{protocol}" for ref, port, protocol in pod.from_start]


def _address(world: World, ref: str) -> str | None:
    owner = owner_of(world, ref) or world.services.get(ref)
    return owner.addresses[0] if owner is not None and owner.addresses else None


def _servers_behind(world: World, flow: Flow, place: tuple[str, int] | None) -> tuple[Server, ...]:
    """Return the servers that may answer a flow: the destination's own, or those that a Service forwards to.

    They answer over the flow's family; where it names none, over that of the address of the place that it goes to.
    """
    service = world.services.get(flow.destination)
    family = flow.family or (family_of(place[0]) if place else IPFamily.IPV4)
    if service is None:
        return (Server(flow.destination, flow.port, flow.protocol, family),)
    return tuple(
        Server(backend.ref, number, port.protocol, family)
        for port in service.ports
        if (port.port, port.protocol) == (flow.port, flow.protocol)
        for backend in world.backends(service)
        if (number := target_port(port, backend)) is not None
    )
