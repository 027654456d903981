"""A connection that can be tried, and which of them a reading tries."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from conformance.model.world import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.model.world import Endpoint, Pod, Service, World


@dataclass(frozen=True, slots=True, order=True)
class Flow:
    """One new connection: from a pod or endpoint, to a pod, endpoint or Service, on a port.

    Its text is `x/a -> y/b:80/TCP`, the notation of case files, records and reports.
    """

    source: str
    destination: str
    port: int
    protocol: Protocol

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination}:{self.port}/{self.protocol}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the notation of one flow back; ValueError when it is not one."""
        source, arrow, rest = text.partition(" -> ")
        destination, colon, port = rest.rpartition(":")
        number, slash, protocol = port.partition("/")
        if not (arrow and colon and slash):
            raise ValueError(f"not a flow: {text!r}")
        return cls(source, destination, int(number), Protocol(protocol))


#: What a case probes when it does not say: two ports of two protocols, so that a rule for one can be seen not to open another.
DEFAULT_PROBE = ((80, Protocol.TCP), (81, Protocol.TCP), (80, Protocol.UDP), (81, Protocol.UDP))


#: The last answers of `flows`: most steps change only policies, and most cases begin with the same world.
_LATELY: deque[tuple[World, tuple[frozenset[tuple[int, Protocol]], bool], tuple[Flow, ...]]] = deque(maxlen=16)


def flows(world: World, probe: Iterable[tuple[int, Protocol]], *, external: bool) -> tuple[Flow, ...]:
    """List the flows of a full reading: every running pod to every server that it can be judged on.

    Never a pod to itself, by its own address or through a Service that it backs: the specification leaves these open.
    `external` adds the endpoints outside the cluster, as clients of pods and as servers.
    """
    wanted = (frozenset(probe), external)
    for known, asked, found in _LATELY:
        if known is world and asked == wanted:
            return found
    found = tuple(_flows(world, *wanted))
    _LATELY.append((world, wanted, found))
    return found


def _flows(world: World, probe: frozenset[tuple[int, Protocol]], external: bool) -> Iterator[Flow]:
    endpoints = tuple(world.endpoints.values()) if external else ()
    sources: tuple[Pod | Endpoint, ...] = (*world.tried, *endpoints)
    for source in sources:
        for destination in world.tried:
            if destination.ref != source.ref:
                yield from _to_servers(source.ref, destination, probe)
        if source.ref in world.pods:
            for endpoint in endpoints:
                yield from _to_servers(source.ref, endpoint, probe)
            for service in world.services.values():
                yield from _to_service(source.ref, service, world)


def _to_servers(source: str, destination: Pod | Endpoint, probe: frozenset[tuple[int, Protocol]]) -> Iterator[Flow]:
    for server in destination.servers:
        if (server.port, server.protocol) in probe:
            yield Flow(source, destination.ref, server.port, server.protocol)


def _to_service(source: str, service: Service, world: World) -> Iterator[Flow]:
    if source not in {pod.ref for pod in world.backends(service)}:
        for port in service.ports:
            yield Flow(source, service.ref, port.port, port.protocol)
