"""Policies and labels as a plugin takes them that reads them wrongly: a change of each rule, peer, port, selector or set of labels.

Whatever finds nothing to change gives back the very state that it was given, so that it is cheap to see that a defect does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from conformance.lab.miniatures.data_plane import selects
from conformance.model.case import ApplyPolicy
from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from conformance.lab.miniatures.defect import Hears
    from conformance.model.case import Action
    from conformance.model.policy import LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
    from conformance.model.state import State
    from conformance.model.world import Namespace, Pod, World

    ChangesPolicy = Callable[[NetworkPolicy, State], NetworkPolicy | None]
    ChangesRule = Callable[[Rule, "Place"], Iterable[Rule]]
    ChangesPeer = Callable[[Peer, "Place"], Iterable[Peer]]
    ChangesPort = Callable[[PolicyPort, "Place"], Iterable[PolicyPort]]
    ChangesSelector = Callable[[LabelSelector], LabelSelector]
    ChangesLabels = Callable[[Mapping[str, str]], Mapping[str, str]]
    #: The two lists of a rule.
    Part = Literal["peers", "ports"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a rule stands, and what the cluster is like."""

    policy: NetworkPolicy
    direction: Direction
    rule: Rule
    state: State

    @property
    def world(self) -> World:
        return self.state.world

    @property
    def number(self) -> int:
        """The number of the rule among those of its direction, from 0."""
        return next(number for number, each in enumerate(self.policy.rules(self.direction)) if each is self.rule)

    @property
    def subjects(self) -> Sequence[Pod]:
        return [pod for pod in self.world.pods.values() if selects(self.policy, pod)]


def policies(change: ChangesPolicy) -> Hears:
    """Change each policy; None is for one that is not taken at all."""

    def hears(_: State, __: Action, true: State) -> State:
        changed = {ref: change(policy, true) for ref, policy in true.policies.items()}
        if all(changed[ref] is policy for ref, policy in true.policies.items()):
            return true
        return replace(true, policies={ref: each for ref, each in changed.items() if each is not None})

    return hears


def edits(change: Callable[[NetworkPolicy, NetworkPolicy], NetworkPolicy]) -> Hears:
    """Make something of an edited policy out of what it was and what it is; it stays so until it is edited again."""
    return _edited(lambda old, new, _: change(old, new))


def edited_policies(change: ChangesPolicy) -> Hears:
    """Change a policy when it is replaced, and take those that are new as they are."""
    return _edited(lambda _, new, state: change(new, state))


def _edited(change: Callable[[NetworkPolicy, NetworkPolicy, State], NetworkPolicy | None]) -> Hears:
    def hears(known: State, action: Action, true: State) -> State:
        taken: dict[str, NetworkPolicy | None] = {
            ref: known.policies.get(ref, each) for ref, each in true.policies.items()
        }
        if isinstance(action, ApplyPolicy):
            ref = action.policy.ref
            old = known.policies.get(ref)
            taken[ref] = change(old, action.policy, true) if old is not None else action.policy
        if all(taken[ref] is policy for ref, policy in true.policies.items()):
            return true
        return replace(true, policies={ref: each for ref, each in taken.items() if each is not None})

    return hears


def in_rules(change: ChangesRule) -> ChangesPolicy:
    """Change the rules of a policy, each into any number of others."""

    def changed(policy: NetworkPolicy, state: State) -> NetworkPolicy:
        new = {
            direction: tuple(
                each for rule in policy.rules(direction) for each in change(rule, Place(policy, direction, rule, state))
            )
            for direction in Direction
        }
        if all(_same(new[direction], policy.rules(direction)) for direction in Direction):
            return policy
        return replace(policy, ingress=new[Direction.INGRESS], egress=new[Direction.EGRESS])

    return changed


def in_peers(change: ChangesPeer) -> ChangesPolicy:
    """Change the peers of each rule; a rule that had some and has none left matches nobody."""
    return _in_each("peers", change)


def in_ports(change: ChangesPort) -> ChangesPolicy:
    """Change the ports of each rule; a rule that had some and has none left matches nothing."""
    return _in_each("ports", change)


def _in_each(part: Part, change: Callable[[Any, Place], Iterable[Any]]) -> ChangesPolicy:
    def changed(rule: Rule, place: Place) -> Iterable[Rule]:
        return with_part(rule, part, tuple(each for one in getattr(rule, part) for each in change(one, place)))

    return in_rules(changed)


def with_part(rule: Rule, part: Part, new: tuple[Any, ...]) -> Iterator[Rule]:
    """Yield a rule with other peers or ports; none where it had some and has none left, since none at all would mean all."""
    if _same(new, getattr(rule, part)):
        yield rule
    elif new:
        yield replace(rule, **{part: new})  # type: ignore[arg-type]


def first_of(part: Part, most: int) -> ChangesPolicy:
    """Know the first peers or ports of each rule only."""
    return in_rules(lambda rule, _: with_part(rule, part, getattr(rule, part)[:most]))


def first_rules(most: int) -> ChangesPolicy:
    """Know the first rules of a policy only, in each direction."""
    return in_rules(lambda rule, place: [rule] if place.number < most else [])


def all_ports(policy: NetworkPolicy) -> list[PolicyPort]:
    return [port for rule in (*policy.ingress, *policy.egress) for port in rule.ports]


def in_peer_selectors(
    *, pods: ChangesSelector | None = None, namespaces: ChangesSelector | None = None
) -> ChangesPolicy:
    """Change what peers select by."""

    def changed(peer: Peer, _: Place) -> Iterable[Peer]:
        of_pods = pods(peer.pod_selector) if pods and peer.pod_selector is not None else peer.pod_selector
        of_namespaces = (
            namespaces(peer.namespace_selector)
            if namespaces and peer.namespace_selector is not None
            else peer.namespace_selector
        )
        if of_pods is peer.pod_selector and of_namespaces is peer.namespace_selector:
            yield peer
        else:
            yield replace(peer, pod_selector=of_pods, namespace_selector=of_namespaces)

    return in_peers(changed)


def in_subjects(change: ChangesSelector) -> ChangesPolicy:
    """Change what policies select their pods by."""

    def changed(policy: NetworkPolicy, _: State) -> NetworkPolicy:
        selector = change(policy.pod_selector)
        return policy if selector is policy.pod_selector else replace(policy, pod_selector=selector)

    return changed


def in_selectors(change: ChangesSelector) -> ChangesPolicy:
    """Change every selector of a policy."""
    of_peers, of_subjects = in_peer_selectors(pods=change, namespaces=change), in_subjects(change)

    def changed(policy: NetworkPolicy, state: State) -> NetworkPolicy | None:
        new = of_peers(policy, state)
        return new and of_subjects(new, state)

    return changed


def with_pods(state: State, change: Callable[[Pod], Pod | None]) -> State:
    """Return a state with each pod changed; None is for one that is not known at all."""
    changed = {ref: change(pod) for ref, pod in state.world.pods.items()}
    if all(changed[ref] == pod for ref, pod in state.world.pods.items()):
        return state
    known = {ref: pod for ref, pod in changed.items() if pod is not None}
    return replace(state, world=replace(state.world, pods=known))


def with_namespaces(state: State, change: Callable[[Namespace], Namespace]) -> State:
    """Return a state with each namespace changed."""
    changed = {name: change(each) for name, each in state.world.namespaces.items()}
    if changed == state.world.namespaces:
        return state
    return replace(state, world=replace(state.world, namespaces=changed))


def labels(change: ChangesLabels, *, of_namespaces: bool) -> Hears:
    """Change what labels pods are taken to have, and namespaces too."""

    def hears(_: State, __: Action, true: State) -> State:
        state = with_pods(true, lambda pod: replace(pod, labels=change(pod.labels)))
        if not of_namespaces:
            return state
        return with_namespaces(state, lambda each: replace(each, labels=change(each.labels)))

    return hears


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(one is other for one, other in zip(new, old, strict=True))
