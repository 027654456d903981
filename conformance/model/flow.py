"""A connection that can be tried, and which of them a reading tries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Self

from conformance.model.world import IPFamily, Protocol, address_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.model.world import Endpoint, Node, Pod, Service, World

_OVER = " over "


@dataclass(frozen=True, order=True)
class Flow:
    """One new connection: from a pod or endpoint, to a pod, endpoint or Service, on a port.

    Its text is `x/a -> y/b:80/TCP`, the notation of case files, records and reports, and where the case names the family of addresses
    that it uses, `x/a -> y/b:80/TCP over IPv6`. Otherwise that is the family of its destination's first address: the cluster's first one.
    """

    source: str
    destination: str
    port: int
    protocol: Protocol
    family: IPFamily | None = None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.source, self.destination, self.port, self.protocol, self.family))

    def __reduce__(self) -> tuple[type[Flow], tuple[object, ...]]:
        """Travel without the hash, which is another in another process."""
        return Flow, (self.source, self.destination, self.port, self.protocol, self.family)

    def __str__(self) -> str:
        over = f"{_OVER}{self.family}" if self.family else ""
        return f"{self.source} -> {self.destination}:{self.port}/{self.protocol}{over}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the notation of one flow back; ValueError when it is not one."""
        text, over, family = text.partition(_OVER)
        source, arrow, rest = text.partition(" -> ")
        destination, colon, port = rest.rpartition(":")
        number, slash, protocol = port.partition("/")
        if not (arrow and colon and slash):
            raise ValueError(f"not a flow: {text!r}")
        return cls(source, destination, int(number), Protocol(protocol), IPFamily(family) if over else None)


def reached_at(flow: Flow, world: World) -> tuple[str, int] | None:
    """Return the address and port that a flow's source connects to, of a Service from outside a node's; None where they are not known."""
    service = world.services.get(flow.destination)
    number: int | None = flow.port
    owner: Pod | Endpoint | Service | Node | None
    if service is not None and flow.source in world.endpoints:
        owner, number = world.entrance(service), service.node_ports.get((flow.port, flow.protocol))
    else:
        owner = world.pods.get(flow.destination) or world.endpoints.get(flow.destination) or service
    address = address_in(owner.addresses, flow.family) if owner is not None else None
    return (address, number) if address and number else None


#: What a case probes when it does not say: two ports of two protocols, so that a rule for one can be seen not to open another.
DEFAULT_PROBE = ((80, Protocol.TCP), (81, Protocol.TCP), (80, Protocol.UDP), (81, Protocol.UDP))


def flows(
    world: World, probe: Iterable[tuple[int, Protocol]], *, external: bool, families: Sequence[IPFamily] = ()
) -> tuple[Flow, ...]:
    """List the flows of a full reading: every running pod to every server that it can be judged on.

    Never a pod to itself or to another copy of it, by its own address or through a Service that it backs: the specification leaves these open.
    `external` adds the endpoints outside the cluster, as servers, and as clients of pods and of node ports: of these never through a
    node that a backend is on, since a pod and its own node are not judged either. With `families` each flow is tried once over each of
    them, where both its ends have an address of it.
    """
    wanted = frozenset(probe)
    pods = {pod.ref: _tried(pod, wanted) for pod in world.tried}
    outside = {each.ref: _tried(each, wanted) for each in world.endpoints.values()} if external else {}
    found: list[Flow] = []
    for source in pods:
        for destination, ports in (*pods.items(), *outside.items()):
            if world.original(destination) != world.original(source):
                found += _between(source, destination, ports)
        for service in world.services.values():
            found += _to_service(source, service, world)
    for source in outside:
        for destination, ports in pods.items():
            found += _between(source, destination, ports)
        for service in world.services.values():
            if world.entrance(service) is not None:
                found += _to_service(source, service, world)
    return tuple(_over(found, world, families) if families else found)


def _tried(owner: Pod | Endpoint, probe: frozenset[tuple[int, Protocol]]) -> tuple[tuple[int, Protocol], ...]:
    return tuple(place for each in owner.servers if (place := (each.port, each.protocol)) in probe)


@lru_cache(maxsize=4096)  # most cases try the same flows: those between the default pods
def _between(source: str, destination: str, ports: tuple[tuple[int, Protocol], ...]) -> tuple[Flow, ...]:
    return tuple(Flow(source, destination, port, protocol) for port, protocol in ports)


def _over(tried: Iterable[Flow], world: World, families: Sequence[IPFamily]) -> Iterator[Flow]:
    sources: list[Pod | Endpoint] = [*world.pods.values(), *world.endpoints.values()]
    having = {family: {each.ref for each in sources if address_in(each.addresses, family)} for family in families}
    for flow in tried:
        for family in families:
            over = replace(flow, family=family)
            if flow.source in having[family] and reached_at(over, world):
                yield over


def _to_service(source: str, service: Service, world: World) -> Iterator[Flow]:
    if source not in {pod.ref for pod in world.backends(service)}:
        for port in service.ports:
            yield Flow(source, service.ref, port.port, port.protocol)
