"""What `explain` is asked: from words to flows between places of a state."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.errors import UsageError
from conformance.model.flow import Flow
from conformance.model.world import Endpoint, Namespace, Pod, Protocol, target_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.model.state import State


_NUMBER, _LAST_PORT = re.compile(r"[0-9]{1,5}"), 65535


def with_pods(state: State, given: Iterable[str]) -> State:
    """Add pods that are named with their labels: `x/a app=web tier=front`."""
    world = state.world
    for text in given:
        ref, *pairs = text.split() or [""]
        namespace, _, name = ref.partition("/")
        if not (namespace and name and all("=" in pair for pair in pairs)):
            raise UsageError(f"{text!r} is no pod", hint="write it as 'namespace/name key=value key=value'")
        if namespace not in world.namespaces:
            world = world.with_namespace(Namespace(namespace))
        world = world.with_pod(Pod(namespace, name, dict(pair.split("=", 1) for pair in pairs)))
    return replace(state, world=world)


def port(text: str) -> tuple[int, Protocol]:
    """Read `80/TCP`, or `80` for TCP."""
    number, _, protocol = text.partition("/")
    protocol = (protocol or "TCP").upper()
    if not _NUMBER.fullmatch(number) or not 0 < int(number) <= _LAST_PORT or protocol not in list(Protocol):
        raise UsageError(f"{text!r} is no port", hint="write it as 80/TCP")
    return int(number), Protocol(protocol)


def flows(state: State, source: str, destination: str) -> tuple[State, Sequence[Flow]]:
    """Return the flows that are asked for, one for each backend of a Service, and the state with the addresses outside that they name."""
    place, colon, port_text = destination.rpartition(":")
    if not colon or not place:
        raise UsageError(f"{destination!r} names no port", hint="write it as namespace/pod:80/TCP")
    number, protocol = port(port_text)
    state, source = _placed(state, source)
    state, place = _placed(state, place)
    if place in state.world.services:
        found = list(_to_backends(state, source, place, number, protocol))
    else:
        found = [Flow(source, place, number, protocol)]
    asked = [flow for flow in found if flow.source != flow.destination]
    if not asked:
        raise UsageError(f"whether {source} may reach itself is not specified")
    return state, asked


def _placed(state: State, place: str) -> tuple[State, str]:
    """Return the place that is meant: a pod, also by its address, a Service, or an endpoint outside the cluster."""
    world = state.world
    if place in world.pods or place in world.services:
        return state, place
    try:
        address = str(ipaddress.ip_address(place.strip("[]")))
    except ValueError:
        pods = ", ".join(sorted(world.pods)) or "none"
        hint = f"the manifests have {pods}; name another with --pod '{place} key=value'"
        raise UsageError(f"no pod is called {place}", hint=hint) from None
    owner = next((pod.ref for pod in world.pods.values() if address in pod.addresses), None)
    if owner is not None:
        return state, owner
    return replace(state, world=world.with_endpoint(Endpoint(address, addresses=(address,)))), address


def _to_backends(state: State, source: str, service: str, number: int, protocol: Protocol) -> Iterator[Flow]:
    there = state.world.services[service]
    forwarded = next((each for each in there.ports if (each.port, each.protocol) == (number, protocol)), None)
    if forwarded is None:
        raise UsageError(f"{service} has no port {number}/{protocol}")
    backends = state.world.backends(there)
    if not backends:
        raise UsageError(f"no pod of these manifests is a backend of {service}")
    for backend in backends:
        if (target := target_port(forwarded, backend)) is not None:
            yield Flow(source, backend.ref, target, protocol)
