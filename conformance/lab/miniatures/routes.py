"""Where packets go in a world in memory: from which address, to which, and to which port of which pod."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.lab.miniatures.defect import Packet
from conformance.model import address
from conformance.model.world import IPFamily, address_in, target_port

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from conformance.model.flow import Flow
    from conformance.model.world import Pod, World

#: Of which every pod, Service and endpoint has an address that it was not given with the world.
_FAMILIES = tuple(IPFamily)


class Routes:
    """The routes of one world. Every flow's packets are made once: the same flows are read over and over."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._made: dict[Flow, tuple[Packet, ...]] = {}

    def packets(self, flow: Flow) -> tuple[Packet, ...]:
        """Return the packets that a flow may be: one, or one for each backend of a Service, or none where nothing is reached."""
        if flow not in self._made:
            self._made[flow] = tuple(self._packets(flow))
        return self._made[flow]

    def _packets(self, flow: Flow) -> Iterator[Packet]:
        source, sender = self._source(flow), self.world.pods.get(flow.source)
        service = self.world.services.get(flow.destination)
        for destination, port, receiver in self._ends(flow):
            yield Packet(source, destination, port, flow.protocol, sender, receiver, service, flow.port)

    def _source(self, flow: Flow) -> str:
        """Return where a packet comes from when it arrives: a node that takes it in by a node port puts its own address there."""
        service = self.world.services.get(flow.destination)
        node = self.world.entrance(service) if service is not None and flow.source in self.world.endpoints else None
        own = address_in(node.addresses, flow.family) if node is not None else None
        return own or self._address(flow.source, flow.family)

    def _address(self, ref: str, family: IPFamily | None) -> str:
        owner = self.world.pods.get(ref) or self.world.endpoints[ref]
        found = address_in(owner.addresses, family)
        if found is None:
            raise KeyError(ref, family)
        return found

    def _ends(self, flow: Flow) -> Iterator[tuple[str, int, Pod | None]]:
        """Yield where a flow may end: itself, or each backend of a Service."""
        service = self.world.services.get(flow.destination)
        if service is None:
            yield self._address(flow.destination, flow.family), flow.port, self.world.pods.get(flow.destination)
            return
        for port in service.ports:
            if (port.port, port.protocol) == (flow.port, flow.protocol):
                for backend in self.world.backends(service):
                    if (number := target_port(port, backend)) is not None:
                        yield self._address(backend.ref, flow.family), number, backend


def addressed(world: World, taken: Collection[str] = ()) -> World:
    """Give addresses to whatever has none, but none that is taken."""
    return address.with_sample_addresses(world, _FAMILIES, taken)


class _Start:
    """The world that arenas begin with is nearly always the same one, and so are its routes."""

    def __init__(self) -> None:
        self._of: World | None = None
        self._routes: Routes | None = None

    def routes(self, world: World) -> Routes:
        if self._routes is None or self._of is not world:
            self._of, self._routes = world, Routes(addressed(world))
        return self._routes


_start = _Start()


def from_the_start(world: World) -> Routes:
    """Return the routes of a world, once everything in it has an address."""
    return _start.routes(world)
