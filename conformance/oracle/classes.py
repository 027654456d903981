"""The door for many pods: classes that no policy tells apart, decided once each, by the evaluator itself.

The evaluator is asked for one member of each class, and on each side only as often as the rules that concern the pod there make a
difference. So 5,000 pods under 1,000 policies are decided in seconds, which their 25 million flows are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.flow import Flow
from conformance.model.policy import Direction
from conformance.model.world import IPFamily, Pod, address_in, family_of
from conformance.oracle.evaluate import Evaluator
from conformance.oracle.reach import Classes, Reach
from conformance.oracle.representatives import Representatives, grouped, lowest, numbers_in, split, turned

if TYPE_CHECKING:
    from collections.abc import Hashable

    from conformance.model.state import State
    from conformance.model.world import Endpoint, Protocol


class GroupedEvaluator:
    """Decisions in one state between classes of pods and endpoints. Addresses in ipBlocks must be filled in.

    Services have no class: what a client sees of one is the union of its backends, which `evaluate` decides.
    """

    def __init__(self, state: State) -> None:
        self._evaluator = Evaluator(state)
        all_places = Representatives(state.world, (*state.world.pods.values(), *state.world.endpoints.values()))
        cells = sorted(self._told_apart(all_places), key=lowest)
        members = tuple(tuple(all_places.places[number].ref for number in numbers_in(cell)) for cell in cells)
        #: What the state's policies tell apart.
        self.classes = Classes(members, {ref: number for number, refs in enumerate(members) for ref in refs})
        self._representatives = all_places.only([lowest(cell) for cell in cells])

    def reach(self, port: int, protocol: Protocol, family: IPFamily | None = None) -> Reach:
        """Decide every connection on one port; over a family, or over that of each destination's first address."""
        asked = _Asked(self._evaluator, self._representatives, port, protocol, family)
        out, into = asked.passing(Direction.EGRESS), turned(asked.passing(Direction.INGRESS))
        return Reach(self.classes, port, protocol, family, tuple(out), tuple(into))

    def _told_apart(self, them: Representatives) -> list[int]:
        """Return the classes, as bits: the same policies isolate who is in one, and the same rules match them."""
        isolating = [
            {(policy.ref, side): policy for side in Direction for policy in self._evaluator.isolating(place.ref, side)}
            for place in them.places
        ]
        concerning = {key: policy for each in isolating for key, policy in each.items()}
        rules = [(policy, rule) for (_, side), policy in concerning.items() for rule in policy.rules(side)]
        names = frozenset(port.port for _, rule in rules for port in rule.ports if isinstance(port.port, str))
        alike = grouped((tuple(each), _kind(place, names)) for each, place in zip(isolating, them.places, strict=True))
        return split(
            alike, {them.matching(rule, policy.namespace, over) for policy, rule in rules for over in (None, *IPFamily)}
        )


class _Asked:
    """The evaluator's answers on one port, each given for as many as it is the same for."""

    def __init__(
        self, evaluator: Evaluator, them: Representatives, port: int, protocol: Protocol, family: IPFamily | None
    ) -> None:
        self._evaluator, self._them = evaluator, them
        self._port, self._protocol, self._family = port, protocol, family

    def passing(self, direction: Direction) -> list[int]:
        """Return for each class whom its own side in a direction lets pass, as bits of the classes at the other end."""
        known: dict[Hashable, int] = {}
        found = []
        for number, subject in enumerate(self._them.places):
            policies = self._evaluator.isolating(subject.ref, direction)
            over = self._over(direction, subject)
            rules = [(policy, rule) for policy in policies for rule in policy.rules(direction)]
            differences = {self._them.matching(rule, policy.namespace, over) for policy, rule in rules}
            ports = [self._them.on_port(rule, self._port, self._protocol) for _, rule in rules]
            key: tuple[Hashable, ...] = (over, *(policy.ref for policy in policies))
            if direction is Direction.INGRESS:  # ports are the subject's own
                key = (tuple(each >> number & 1 for each in ports), key)
            else:
                differences.update(ports)
            if key not in known:
                cells = split([self._them.everybody], differences)
                known[key] = sum(cell for cell in cells if self._passes(direction, subject, cell))
            found.append(known[key])
        return found

    def _over(self, direction: Direction, subject: Pod | Endpoint) -> IPFamily | None:
        """Return of which family the others' addresses are; None where each is a destination, and so where its own first one is used."""
        if self._family is None and direction is Direction.INGRESS and subject.addresses:
            return family_of(subject.addresses[0])
        return self._family

    def _passes(self, direction: Direction, subject: Pod | Endpoint, others: int) -> bool:
        other = self._them.places[lowest(others)]
        source, destination = (subject, other) if direction is Direction.EGRESS else (other, subject)
        flow = Flow(source.ref, destination.ref, self._port, self._protocol, self._family)
        side = self._evaluator.side(direction, flow)
        return side is None or side.allowed


def _kind(place: Pod | Endpoint, names: frozenset[str]) -> Hashable:
    """Return what else a decision can depend on: to be a pod, families and their order, and what named ports are there."""
    families = tuple(address_in(place.addresses, family) is not None for family in IPFamily)
    first = family_of(place.addresses[0]) if place.addresses else None
    servers = place.servers if isinstance(place, Pod) else ()
    named = frozenset((each.name, each.protocol, each.port) for each in servers if each.name in names)
    return isinstance(place, Pod), families, first, named
