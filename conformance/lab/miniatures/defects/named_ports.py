"""Mistakes with ports by name: M13 to M16."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import peer_pods
from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.rewriting import in_ports, policies, with_pods
from conformance.lab.miniatures.scopes import egress, ingress
from conformance.model.policy import Direction
from conformance.model.world import Container, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.miniatures.rewriting import ChangesPolicy, Place
    from conformance.model.policy import PolicyPort
    from conformance.model.world import Pod


def _named(change: Callable[[PolicyPort, Place], Iterable[PolicyPort]]) -> ChangesPolicy:
    def changed(port: PolicyPort, place: Place) -> Iterator[PolicyPort]:
        if isinstance(port.port, str):
            yield from change(port, place)
        else:
            yield port

    return in_ports(changed)


def _numbers(port: PolicyPort, pods: Iterable[Pod]) -> list[int]:
    """Return what the name means on some pods, each number once, in the order of the pods."""
    found = (
        server.port
        for pod in pods
        for server in pod.servers
        if server.name == port.port and server.protocol is port.protocol
    )
    return list(dict.fromkeys(found))


def _everywhere(place: Place) -> list[Pod]:
    return [pod for _, pod in sorted(place.world.pods.items())]


def _at(direction: Direction) -> Callable[[Place], list[Pod]]:
    """Return the pods at one end of what a rule lets through: those that send, or those that receive."""

    def found(place: Place) -> list[Pod]:
        if place.direction is direction:
            return sorted(place.subjects, key=lambda pod: pod.ref)
        pods = [pod for peer in place.rule.peers for pod in peer_pods(peer, place.policy.namespace, place.world)]
        return sorted(pods, key=lambda pod: pod.ref) if place.rule.peers else _everywhere(place)

    return found


_senders, _receivers = _at(Direction.EGRESS), _at(Direction.INGRESS)


def _as_numbers(of: Callable[[Place], Sequence[Pod]], picked: slice = slice(None)) -> ChangesPolicy:
    """Take a name for what it means on some pods, on whichever pod it is tried."""
    return _named(lambda port, place: [replace(port, port=each) for each in _numbers(port, of(place))[picked]])


def _unknown_is_all(port: PolicyPort, place: Place) -> Iterator[PolicyPort]:
    yield port if _numbers(port, _receivers(place)) else replace(port, port=None)


def _nothing_when(holds: Callable[[PolicyPort, Place], bool]) -> ChangesPolicy:
    return _named(lambda port, place: [] if holds(port, place) else [port])


def _not_of_pods(_: PolicyPort, place: Place) -> bool:
    peers = place.rule.peers
    return not peers or any(peer.ip_block is not None for peer in peers)


def _without_servers(container: Container) -> Hears:
    """Do not know the names of one kind of container."""

    def nameless(pod: Pod) -> Pod:
        servers = (replace(each, name=None) if each.container is container else each for each in pod.servers)
        return replace(pod, servers=tuple(servers))

    return lambda _, __, true: with_pods(true, nameless)


_ALL = Defect(
    "name-is-every-port",
    "M13",
    "opens every port where a rule names one",
    policies(_named(lambda port, _: [replace(port, port=None)])),
)
_FIRST = Defect(
    "name-is-one-number",
    "M14",
    "takes a name for the number that it has on the first pod of the cluster",
    policies(_as_numbers(_everywhere, slice(1))),
)
_NEVER = Defect(
    "never-resolves-names",
    "M16",
    "opens nothing where a rule names a port",
    policies(_nothing_when(lambda _, __: True)),
)

DEFECTS = (
    _ALL,
    _ALL.only("egress", egress),
    _ALL.only("ingress", ingress),
    Defect("unknown-name-is-every-port", "M13", "opens every port where no pod has the name that a rule gives", policies(_named(_unknown_is_all))),
    _FIRST,
    _FIRST.only("egress", egress),
    Defect("name-is-the-last-number", "M14", "takes a name for the number that it has on the last pod of the cluster", policies(_as_numbers(_everywhere, slice(-1, None)))),
    Defect("name-is-all-its-numbers", "M14", "opens on every pod all numbers that a name has anywhere", policies(_as_numbers(_everywhere))),
    Defect("name-is-all-numbers-of-a-rule", "M14", "opens on every pod of a rule all numbers that the name has on any of them", policies(_as_numbers(_receivers))),
    Defect("name-of-the-sender", "M15", "takes a name for what it means on the pods that send", policies(_as_numbers(_senders))),
    Defect("name-of-the-first-receiver", "M15", "takes a name for what it means on the first of the pods that receive", policies(_as_numbers(_receivers, slice(1)))),
    _NEVER,
    _NEVER.only("egress", egress),
    _NEVER.only("ingress", ingress),
    Defect("no-names-without-pods", "M16", "opens nothing by name where a rule has no peers, or an ipBlock", policies(_nothing_when(_not_of_pods))),
    Defect("no-udp-names", "M16", "does not know the names of UDP ports", policies(_nothing_when(lambda port, _: port.protocol is Protocol.UDP))),
    Defect("no-names-of-second-containers", "M16", "knows the ports of a pod's first container only", _without_servers(Container.SECOND)),
    Defect("no-names-of-sidecars", "M16", "does not know the ports of init containers that go on running", _without_servers(Container.SIDECAR)),
)  # fmt: skip
