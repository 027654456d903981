"""The barrier: what a plugin shows of canary pods, changed after those of a case, tells that it has heard of the case's changes.

A step that must change nothing agrees before the plugin has seen it, and a wrong step whose effect comes late would pass. So after each
step the policies and labels of canary pods, one on every node, are changed as well, by the same kind of event, and the effect is awaited: what
was before it in the plugin's queue has then been seen. It is evidence of order and not proof, so the hold stays. A canary that never shows
accuses nobody: then a step that must change nothing is held for longer instead.
"""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from conformance.casefile.networkpolicy import from_manifest
from conformance.model.case import (
    ApplyPolicy,
    CreateNamespace,
    CreatePod,
    DeleteNamespace,
    DeletePod,
    DeletePolicy,
    LabelNamespace,
    LabelPod,
    ReplacePod,
)
from conformance.model.default_world import servers
from conformance.model.flow import Flow
from conformance.model.world import CANARY, Namespace, Pod, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model.case import Action
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import World
    from conformance.runner.target import Arena

_NAME = "canary{}"
_TURN, _TURNS = "turn", ("odd", "even")


class Event(StrEnum):
    """What a plugin watches. A canary's change is of the same kind as the case's, since each kind has a queue of its own."""

    POLICY = "policies"
    POD = "pods"
    NAMESPACE = "namespaces"


_EVENTS: Mapping[type, Event] = {
    ApplyPolicy: Event.POLICY,
    DeletePolicy: Event.POLICY,
    LabelPod: Event.POD,
    CreatePod: Event.POD,
    ReplacePod: Event.POD,
    DeletePod: Event.POD,
    LabelNamespace: Event.NAMESPACE,
    CreateNamespace: Event.NAMESPACE,
    DeleteNamespace: Event.NAMESPACE,
}
#: By event and turn: the port of the canaries that is open then, and closed in the other turn.
_DOORS: Mapping[tuple[Event, str], tuple[int, Protocol]] = {
    (Event.POLICY, "odd"): (79, Protocol.TCP),
    (Event.POLICY, "even"): (80, Protocol.TCP),
    (Event.POD, "odd"): (81, Protocol.TCP),
    (Event.POD, "even"): (82, Protocol.TCP),
    (Event.NAMESPACE, "odd"): (79, Protocol.UDP),
    (Event.NAMESPACE, "even"): (80, Protocol.UDP),
}


def with_canaries(world: World) -> World:
    """Add a canary pod on every node that has pods, so that each node has its say; on a single node, two of them."""
    nodes = sorted({pod.node for pod in world.pods.values()})
    world = world.with_namespace(Namespace(CANARY))
    for number, node in enumerate(nodes * 2 if len(nodes) == 1 else nodes):
        world = world.with_pod(Pod(CANARY, _NAME.format(number), servers=servers(), node=node))
    return world


class Barrier:
    """The canaries of one arena, and what must be seen of them. Where there are none, it has nothing to show.

    `unseen` are the events that did not show in any arena yet and so are no longer waited for; more are added to it.
    """

    def __init__(self, arena: Arena, unseen: set[Event]) -> None:
        self._arena = arena
        refs = [pod.ref for pod in arena.world.pods.values() if pod.namespace == CANARY]
        self._pairs = tuple(zip(refs, (*refs[1:], *refs[:1]), strict=True))
        self._turn: Counter[Event] = Counter()
        self._all = frozenset(Event) if refs else frozenset()
        self._unseen = unseen
        self._closed = False

    def close(self) -> Mapping[Flow, bool]:
        """Isolate the canaries, once; return what must be seen of them before their changes can show anything."""
        if self._closed or not self._in_use:
            return {}
        self._closed = True
        self._arena.apply_policy(_by_label())
        doors = [(event, turn) for event, turn in _DOORS if event in self._in_use]
        return dict.fromkeys((flow for event, turn in doors for flow in self._flows(event, turn)), False)

    def behind(self, actions: Iterable[Action]) -> Mapping[Flow, bool]:
        """Change the canaries by events like those of these actions; return what must be seen of them once the plugin has heard of all."""
        expected: dict[Flow, bool] = {}
        for event in sorted(_events(actions) & self._in_use):
            opened, closed = _TURNS if self._turn[event] % 2 else _TURNS[::-1]
            self._flip(event, opened, closed)
            self._turn[event] += 1
            expected |= dict.fromkeys(self._flows(event, opened), True)
            expected |= dict.fromkeys(self._flows(event, closed), False)
        return expected

    def proves(self, actions: Iterable[Action]) -> bool:
        """Tell whether the canaries show of everything that these actions changed that it was heard of."""
        return _events(actions) <= self._in_use

    def give_up(self, flows: Iterable[Flow]) -> None:
        """Wait no more for the events that these flows were to show: they do not show on this plugin."""
        doors = {(flow.port, flow.protocol) for flow in flows}
        self._unseen |= {event for (event, _), door in _DOORS.items() if door in doors}

    @property
    def _in_use(self) -> frozenset[Event]:
        return self._all - self._unseen

    def _flip(self, event: Event, opened: str, closed: str) -> None:
        match event:
            case Event.POLICY:
                if self._turn[event]:
                    self._arena.delete_policy(_by_policy(closed).ref)
                self._arena.apply_policy(_by_policy(opened))
            case Event.POD:
                for ref, _ in self._pairs:
                    self._arena.label_pod(ref, {_TURN: opened})
            case Event.NAMESPACE:
                self._arena.label_namespace(CANARY, {_TURN: opened})

    def _flows(self, event: Event, turn: str) -> Iterable[Flow]:
        port, protocol = _DOORS[event, turn]
        return [Flow(source, destination, port, protocol) for source, destination in self._pairs]


def _events(actions: Iterable[Action]) -> set[Event]:
    return {_EVENTS[type(action)] for action in actions if type(action) in _EVENTS}


def _by_label() -> NetworkPolicy:
    """Isolate the canaries, and open by the label that they, or their namespace, have in this turn."""
    selectors = ((Event.POD, "podSelector"), (Event.NAMESPACE, "namespaceSelector"))
    rules = [
        {"from": [{selector: {"matchLabels": {_TURN: turn}}}], "ports": [_port(event, turn)]}
        for event, selector in selectors
        for turn in _TURNS
    ]
    return _ingress("by-label", rules)


def _by_policy(turn: str) -> NetworkPolicy:
    """Open by being there."""
    return _ingress(turn, [{"ports": [_port(Event.POLICY, turn)]}])


def _port(event: Event, turn: str) -> Mapping[str, Any]:
    port, protocol = _DOORS[event, turn]
    return {"port": port, "protocol": protocol.value}


def _ingress(name: str, rules: Sequence[Mapping[str, Any]]) -> NetworkPolicy:
    return from_manifest(
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": CANARY},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": list(rules)},
        }
    )
