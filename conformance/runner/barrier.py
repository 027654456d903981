"""The barrier: what a plugin shows of canary pods, changed after those of a case, tells that it has heard of the case's changes.

A step that must change nothing agrees before the plugin has seen it, and a wrong step whose effect comes late would pass. So after each
step the policies and labels of canary pods, one on every node, are changed as well, by the same kind of event, and the effect is awaited: what
was before it in the plugin's queue has then been seen. It is evidence of order and not proof, so the hold stays. A canary that never shows
accuses nobody: then a step that must change nothing is held for longer instead. Canaries of one event that show one after the other tell how far
apart a plugin does what is one change, and so for how long after the first of them more may come.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

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
from conformance.runner.own_policies import ingress_policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.model.case import Action, Change
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import World
    from conformance.runner.settling import Shown
    from conformance.runner.target import Arena

_NAME = "canary{}"
_TURN, _TURNS = "turn", ("odd", "even")
#: The policies of the canaries: one isolates them, one is replaced in place from turn to turn, one is deleted and made again.
_BY_LABEL, _REPLACED, _DELETED = "by-label", "replaced", "deleted"

#: A port of the canaries that an event opens or closes.
Door = tuple[int, Protocol]


class Event(StrEnum):
    """What a plugin watches. A canary's change is of the same kind as the case's, since each kind has a queue of its own."""

    POLICY = "policies"
    DELETION = "deletions of policies"
    POD = "pods"
    NAMESPACE = "namespaces"


_EVENTS: Mapping[type, Event] = {
    ApplyPolicy: Event.POLICY,
    DeletePolicy: Event.DELETION,
    LabelPod: Event.POD,
    CreatePod: Event.POD,
    ReplacePod: Event.POD,
    DeletePod: Event.POD,
    LabelNamespace: Event.NAMESPACE,
    CreateNamespace: Event.NAMESPACE,
    DeleteNamespace: Event.NAMESPACE,
}
#: The doors of which one is open in one turn, and the other in the next one.
_DOORS: Mapping[Event, Mapping[str, Door]] = {
    Event.POLICY: {"odd": (79, Protocol.TCP), "even": (80, Protocol.TCP)},
    Event.POD: {"odd": (81, Protocol.TCP), "even": (82, Protocol.TCP)},
    Event.NAMESPACE: {"odd": (79, Protocol.UDP), "even": (80, Protocol.UDP)},
}
#: The door that is open while there is the policy that is deleted.
_DELETED_DOOR: Door = (83, Protocol.TCP)


#: What is to come may be so many times further from the first canary than the last one was.
_MARGIN = 1.5
#: What is left of how far apart canaries showed with each change after which they did not.
_FORGETTING = 0.95


@dataclass(slots=True)
class Learnt:
    """What canaries have told of an implementation, in all arenas of a session.

    `unseen` are the events that did not show in any of them and so are no longer waited for. `apart` is by how many seconds canaries of one event
    showed one after the other.
    """

    unseen: set[Event] = field(default_factory=set)
    apart: dict[Event, float] = field(default_factory=dict)


class Behind(NamedTuple):
    """What must be seen of the canaries, and whether it proves that all was heard of that they were changed behind."""

    expected: Mapping[Flow, bool]
    proves: bool


def with_canaries(world: World) -> World:
    """Add a canary pod on every node that has pods, so that each node has its say; on a single node, two of them."""
    nodes = sorted({pod.node for pod in world.pods.values()})
    labels = {_TURN: _TURNS[0]}
    world = world.with_namespace(Namespace(CANARY, labels))
    for number, node in enumerate(nodes * 2 if len(nodes) == 1 else nodes):
        world = world.with_pod(Pod(CANARY, _NAME.format(number), labels, servers=servers(), node=node))
    return world


class Barrier:
    """The canaries of one arena, and what must be seen of them. Where there are none, it has nothing to show. What they tell is added to `learnt`."""

    def __init__(self, arena: Arena, learnt: Learnt) -> None:
        self._arena = arena
        refs = [pod.ref for pod in arena.world.pods.values() if pod.namespace == CANARY]
        self._pairs = tuple(zip(refs, (*refs[1:], *refs[:1]), strict=True))
        self._turn: Counter[Event] = Counter()
        self._all = frozenset(Event) if refs else frozenset()
        self._learnt = learnt
        self._closed = False
        self._there = False  # the policy that is deleted

    def close(self) -> Mapping[Flow, bool]:
        """Isolate the canaries, once; return what must be seen of them before their changes can show anything.

        They begin with one door open of each two, so that their very first change takes something away too.
        """
        if self._closed or not self._in_use:
            return {}
        self._closed = True
        self._arena.change([ApplyPolicy(_by_label()), ApplyPolicy(_replaced(_TURNS[0])), self._deleted_again()])
        doors = {
            door: turn == _TURNS[0] for event in _DOORS if event in self._in_use for turn, door in _DOORS[event].items()
        }
        return self._seen(doors | ({_DELETED_DOOR: True} if self._may_delete else {}))

    def behind(self, actions: Iterable[Action]) -> Behind:
        """Change the canaries by events like those of these actions; tell what must be seen of them once the plugin has heard of all.

        A deletion that cannot be followed by one has the change of a policy behind it, which shows less.
        """
        wanted = {_EVENTS[type(action)] for action in actions if type(action) in _EVENTS}
        events = wanted & self._in_use
        if Event.DELETION in wanted and not (self._may_delete and self._there):
            events = (events - {Event.DELETION}) | ({Event.POLICY} & self._in_use)
        changes: list[Change] = []
        doors: dict[Door, bool] = {}
        for event in (each for each in Event if each in events):
            made, shown = self._next(event)
            changes.extend(made)
            doors |= shown
        if changes:
            self._arena.change(changes)
        return Behind(self._seen(doors), proves=wanted <= events)

    def give_up(self, flows: Iterable[Flow]) -> None:
        """Wait no more for the events that these flows were to show: they do not show on this plugin."""
        self._learnt.unseen |= {_shown_by(flow) for flow in flows}

    def learn(self, shown: Mapping[Flow, Shown]) -> None:
        """Take over how far apart canaries showed. A plugin that was once kept from its work is not waited for so long for ever."""
        for event, own in _by_event(shown).items():
            self._learnt.apart[event] = max(_apart(own), self._learnt.apart.get(event, 0.0) * _FORGETTING)

    def until(self, shown: Mapping[Flow, Shown]) -> float:
        """Return until when more may come of what these canaries were changed behind, in seconds from the changes."""
        return max(
            (
                min(each.by for each in own) + _MARGIN * max(_apart(own), self._learnt.apart.get(event, 0.0))
                for event, own in _by_event(shown).items()
            ),
            default=0.0,
        )

    @property
    def complete(self) -> bool:
        """Whether the canaries show every kind of event."""
        return self._in_use == frozenset(Event)

    @property
    def _in_use(self) -> frozenset[Event]:
        return self._all - self._learnt.unseen

    @property
    def _may_delete(self) -> bool:
        return Event.DELETION in self._in_use

    def _next(self, event: Event) -> tuple[Sequence[Change], Mapping[Door, bool]]:
        """Return the next changes by which an event shows, and the doors at which it does.

        What a plugin takes away may come later than what it adds, and a step may do either. So whatever adds something takes something away too.
        """
        if event is Event.DELETION:
            self._there = False
            return [DeletePolicy(f"{CANARY}/{_DELETED}")], {_DELETED_DOOR: False}
        opened, closed = _TURNS if self._turn[event] % 2 else _TURNS[::-1]
        self._turn[event] += 1
        doors = {_DOORS[event][opened]: True, _DOORS[event][closed]: False}
        match event:
            case Event.POLICY:
                if self._may_delete and not self._there:
                    return [ApplyPolicy(_replaced(opened)), self._deleted_again()], doors | {_DELETED_DOOR: True}
                return [ApplyPolicy(_replaced(opened))], doors
            case Event.POD:
                return [LabelPod(ref, {_TURN: opened}) for ref, _ in self._pairs], doors
            case Event.NAMESPACE:
                return [LabelNamespace(CANARY, {_TURN: opened})], doors

    def _deleted_again(self) -> Change:
        self._there = True
        return ApplyPolicy(ingress_policy(CANARY, _DELETED, [{"ports": [_port(_DELETED_DOOR)]}]))

    def _seen(self, doors: Mapping[Door, bool]) -> Mapping[Flow, bool]:
        return {Flow(*pair, *door): passes for door, passes in doors.items() for pair in self._pairs}


def _shown_by(flow: Flow) -> Event:
    door = flow.port, flow.protocol
    return next((event for event, doors in _DOORS.items() if door in doors.values()), Event.DELETION)


def _by_event(shown: Mapping[Flow, Shown]) -> Mapping[Event, Sequence[Shown]]:
    found: dict[Event, list[Shown]] = {}
    for flow, each in shown.items():
        found.setdefault(_shown_by(flow), []).append(each)
    return found


def _apart(shown: Sequence[Shown]) -> float:
    """Return by how many seconds, at the most, the last showed after the first; 0 where they may have shown at one moment."""
    at_once = max(each.after for each in shown) <= min(each.by for each in shown)
    return 0.0 if at_once else max(each.by for each in shown) - min(each.after for each in shown)


def _by_label() -> NetworkPolicy:
    """Isolate the canaries, and open by the label that they, or their namespace, have in this turn."""
    selectors = ((Event.POD, "podSelector"), (Event.NAMESPACE, "namespaceSelector"))
    rules = [
        {"from": [{selector: {"matchLabels": {_TURN: turn}}}], "ports": [_port(door)]}
        for event, selector in selectors
        for turn, door in _DOORS[event].items()
    ]
    return ingress_policy(CANARY, _BY_LABEL, rules)


def _replaced(turn: str) -> NetworkPolicy:
    return ingress_policy(CANARY, _REPLACED, [{"ports": [_port(_DOORS[Event.POLICY][turn])]}])


def _port(door: Door) -> Mapping[str, Any]:
    port, protocol = door
    return {"port": port, "protocol": protocol.value}
