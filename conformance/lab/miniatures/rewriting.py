"""Policies and labels as a plugin takes them that reads them wrongly: a change of each rule, peer, port, selector or set of labels.

Whatever finds nothing to change gives back the very state that it was given, so that it is cheap to see that a defect does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import selects
from conformance.model.case import ApplyPolicy
from conformance.model.policy import Direction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from conformance.lab.miniatures.defect import Hears
    from conformance.model.case import Action
    from conformance.model.policy import LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
    from conformance.model.state import State
    from conformance.model.world import Pod, World

    ChangesPolicy = Callable[[NetworkPolicy, State], NetworkPolicy | None]
    ChangesRule = Callable[[Rule, "Place"], Iterable[Rule]]
    ChangesPeer = Callable[[Peer, "Place"], Iterable[Peer]]
    ChangesPort = Callable[[PolicyPort, "Place"], Iterable[PolicyPort]]
    ChangesSelector = Callable[[LabelSelector], LabelSelector]
    ChangesLabels = Callable[[Mapping[str, str]], Mapping[str, str]]


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


def edited_policies(change: ChangesPolicy) -> Hears:
    """Change a policy when it is replaced, and take those that are new as they are."""

    def hears(known: State, action: Action, true: State) -> State:
        taken: dict[str, NetworkPolicy | None] = {
            ref: known.policies.get(ref, each) for ref, each in true.policies.items()
        }
        if isinstance(action, ApplyPolicy):
            ref = action.policy.ref
            taken[ref] = change(action.policy, true) if ref in known.policies else action.policy
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

    def changed(rule: Rule, place: Place) -> Iterable[Rule]:
        peers = tuple(each for peer in rule.peers for each in change(peer, place))
        if _same(peers, rule.peers):
            yield rule
        elif peers:
            yield replace(rule, peers=peers)

    return in_rules(changed)


def in_ports(change: ChangesPort) -> ChangesPolicy:
    """Change the ports of each rule; a rule that had some and has none left matches nothing."""

    def changed(rule: Rule, place: Place) -> Iterable[Rule]:
        ports = tuple(each for port in rule.ports for each in change(port, place))
        if _same(ports, rule.ports):
            yield rule
        elif ports:
            yield replace(rule, ports=ports)

    return in_rules(changed)


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


def labels(*, of_pods: ChangesLabels | None = None, of_namespaces: ChangesLabels | None = None) -> Hears:
    """Change what labels pods and namespaces are taken to have."""

    def hears(_: State, __: Action, true: State) -> State:
        world = true.world
        if of_pods is not None:
            for pod in true.world.pods.values():
                if (kept := of_pods(pod.labels)) != pod.labels:
                    world = world.with_pod(replace(pod, labels=kept))
        if of_namespaces is not None:
            for namespace in true.world.namespaces.values():
                if (kept := of_namespaces(namespace.labels)) != namespace.labels:
                    world = world.with_namespace(replace(namespace, labels=kept))
        return true if world is true.world else replace(true, world=world)

    return hears


def together(*, take: Hears, then: Hears) -> Hears:
    """Take an event in one wrong way, and what comes of it in another."""

    def hears(known: State, action: Action, true: State) -> State:
        return then(known, action, take(known, action, true))

    return hears


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(one is other for one, other in zip(new, old, strict=True))
