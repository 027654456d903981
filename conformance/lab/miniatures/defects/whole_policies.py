"""Mistakes with what a policy isolates, and with its rules as a whole: M17 to M20, M24, M26."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import peer_pods, selects
from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.rewriting import all_ports, first_of, first_rules, in_peers, in_rules, policies
from conformance.lab.miniatures.scopes import egress, ingress, second_node
from conformance.model.policy import Direction, LabelSelector, NetworkPolicy, Rule
from conformance.model.world import CANARY, NAMESPACE_NAME_LABEL, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.miniatures.rewriting import ChangesPolicy, Place
    from conformance.model.case import Action
    from conformance.model.policy import Peer
    from conformance.model.state import State

    Holds = Callable[[NetworkPolicy], bool]


def _rules(policy: NetworkPolicy) -> Iterable[Rule]:
    return (*policy.ingress, *policy.egress)


def _ignored(holds: Holds) -> ChangesPolicy:
    return lambda policy, _: None if holds(policy) else policy


def _without_rules(holds: Holds) -> ChangesPolicy:
    return lambda policy, _: replace(policy, ingress=(), egress=()) if _rules(policy) and holds(policy) else policy


def _has_name(policy: NetworkPolicy) -> bool:
    return any(isinstance(port.port, str) for port in all_ports(policy))


def _has_range(policy: NetworkPolicy) -> bool:
    return any(port.end_port is not None for port in all_ports(policy))


def _has_block(policy: NetworkPolicy) -> bool:
    return any(peer.ip_block is not None for rule in _rules(policy) for peer in rule.peers)


def _has_except(policy: NetworkPolicy) -> bool:
    return any(peer.ip_block is not None and peer.ip_block.excepts for rule in _rules(policy) for peer in rule.peers)


def _has_expressions(policy: NetworkPolicy) -> bool:
    selectors = [policy.pod_selector]
    selectors += [
        each
        for rule in _rules(policy)
        for peer in rule.peers
        for each in (peer.pod_selector, peer.namespace_selector)
        if each is not None
    ]
    return any(each.match_expressions for each in selectors)


def _isolates_where(isolates: Callable[[NetworkPolicy, Direction, State], bool]) -> Hears:
    """Isolate in fewer directions, or in more, than a policy says."""

    def changed(policy: NetworkPolicy, state: State) -> NetworkPolicy:
        types = frozenset(each for each in Direction if isolates(policy, each, state))
        return policy if types == policy.policy_types else replace(policy, policy_types=types)

    return policies(changed)


def _lets_somebody(policy: NetworkPolicy, direction: Direction, state: State) -> bool:
    """Isolate only where some rule has a pod, or anything that is no pod."""
    if direction not in policy.policy_types:
        return False
    rules = policy.rules(direction)
    return not rules or any(
        not rule.peers
        or any(peer.ip_block is not None or peer_pods(peer, policy.namespace, state.world) for peer in rule.peers)
        for rule in rules
    )


def _not_only_names(policy: NetworkPolicy, direction: Direction, _: State) -> bool:
    ports = [port.port for rule in policy.rules(direction) for port in rule.ports]
    return direction in policy.policy_types and not (ports and all(isinstance(port, str) for port in ports))


def _not_only(protocol: Protocol) -> Callable[[NetworkPolicy, Direction, State], bool]:
    def isolates(policy: NetworkPolicy, direction: Direction, _: State) -> bool:
        found = {port.protocol for rule in policy.rules(direction) for port in rule.ports}
        return direction in policy.policy_types and found != {protocol}

    return isolates


def _of_manifest(policy: NetworkPolicy) -> Mapping[str, object]:
    spec = policy.manifest.get("spec")
    return spec if isinstance(spec, dict) else {}


def _default_of_types(policy: NetworkPolicy, direction: Direction, _: State) -> bool:
    """Forget Egress where policyTypes is left out, whatever rules there are."""
    if "policyTypes" in _of_manifest(policy):
        return direction in policy.policy_types
    return direction is Direction.INGRESS


def _always_egress_by_default(policy: NetworkPolicy, direction: Direction, _: State) -> bool:
    return direction in policy.policy_types or "policyTypes" not in _of_manifest(policy)


def _nobody_without_peers(rule: Rule, _: Place) -> Iterator[Rule]:
    if rule.peers:
        yield rule


def _nobody_in_empty_list(rule: Rule, place: Place) -> Iterator[Rule]:
    """Let `from: []` mean nobody, and a list that is not there anybody."""
    raw = _of_manifest(place.policy).get(place.direction.lower())
    written = raw if isinstance(raw, list) else []
    item = written[place.number] if place.number < len(written) else None
    if not (isinstance(item, dict) and any(item.get(key) == [] for key in ("from", "to", "ports"))):
        yield rule


def _allows_without_rules(policy: NetworkPolicy, _: State) -> NetworkPolicy:
    """Let a list of rules that is there and empty allow everything."""
    opened = {direction: (Rule(),) for direction in policy.policy_types if not policy.rules(direction)}
    if not opened:
        return policy
    return replace(
        policy,
        ingress=opened.get(Direction.INGRESS, policy.ingress),
        egress=opened.get(Direction.EGRESS, policy.egress),
    )


def _selects_nothing_when_empty(policy: NetworkPolicy, _: State) -> NetworkPolicy | None:
    return None if policy.pod_selector == LabelSelector() else policy


def _no_empty_selector(peer: Peer, _: Place) -> Iterator[Peer]:
    if LabelSelector() not in (peer.pod_selector, peer.namespace_selector):
        yield peer


def _in_every_namespace(_: State, __: Action, true: State) -> State:
    """Select the pods of all namespaces, for the policy of one."""
    more: dict[str, NetworkPolicy] = {}
    for policy in true.policies.values():
        as_there = in_peers(_bare_of(LabelSelector({NAMESPACE_NAME_LABEL: policy.namespace})))(policy, true) or policy
        for name in true.world.namespaces:
            copy = replace(as_there, namespace=name, name=f"{policy.namespace}.{policy.name}")
            if name not in {policy.namespace, CANARY} and any(selects(copy, pod) for pod in true.world.pods.values()):
                more[copy.ref] = copy
    return replace(true, policies={**true.policies, **more}) if more else true


def _bare_of(namespaces: LabelSelector) -> Callable[[Peer, Place], Iterator[Peer]]:
    """Take a podSelector without a namespaceSelector for one of pods of these namespaces."""

    def changed(peer: Peer, _: Place) -> Iterator[Peer]:
        bare = peer.pod_selector is not None and peer.namespace_selector is None
        yield replace(peer, namespace_selector=namespaces) if bare else peer

    return changed


def _own_namespace_only(peer: Peer, place: Place) -> Iterator[Peer]:
    """Let selectors of namespaces select the policy's own only."""
    if peer.namespace_selector is None:
        yield peer
    elif any(pod.namespace == place.policy.namespace for pod in peer_pods(peer, place.policy.namespace, place.world)):
        yield replace(peer, namespace_selector=None, pod_selector=peer.pod_selector or LabelSelector())


def _crossed(policy: NetworkPolicy, _: State) -> NetworkPolicy:
    """Open to every peer of a policy the ports of all its rules."""

    def pooled(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        if len(rules) < 2:  # noqa: PLR2004 -- one rule has nothing to be pooled with
            return rules
        peers = () if any(not rule.peers for rule in rules) else tuple(each for rule in rules for each in rule.peers)
        ports = () if any(not rule.ports for rule in rules) else tuple(each for rule in rules for each in rule.ports)
        return (Rule(peers, ports),)

    new = pooled(policy.ingress), pooled(policy.egress)
    return policy if new == (policy.ingress, policy.egress) else replace(policy, ingress=new[0], egress=new[1])


_EVERYWHERE = Defect(
    "selects-in-every-namespace", "M24", "selects pods of all namespaces for the policy of one", _in_every_namespace
)
_BARE = Defect(
    "ignores-namespace",
    "M24",
    "takes a podSelector without a namespaceSelector for one of pods of all namespaces",
    policies(in_peers(_bare_of(LabelSelector()))),
)
_NOTHING = Defect("enforces-nothing", "M18", "accepts policies and does nothing", policies(_ignored(lambda _: True)))
_EMPTY_ALLOWS = Defect(
    "no-rules-allow-all",
    "M18",
    "lets everything through where a policy has no rules for a direction",
    policies(_allows_without_rules),
)

DEFECTS = (
    Defect("ignores-policies-with-names", "M17", "ignores a policy that names a port", policies(_ignored(_has_name))),
    Defect("ignores-policies-with-ranges", "M17", "ignores a policy with an endPort", policies(_ignored(_has_range))),
    Defect("ignores-policies-with-blocks", "M17", "ignores a policy with an ipBlock", policies(_ignored(_has_block))),
    Defect("ignores-policies-with-except", "M17", "ignores a policy with an except", policies(_ignored(_has_except))),
    Defect("ignores-policies-with-expressions", "M17", "ignores a policy with matchExpressions", policies(_ignored(_has_expressions))),
    Defect("closes-policies-with-names", "M17", "allows nothing by a policy that names a port", policies(_without_rules(_has_name))),
    Defect("closes-policies-with-ranges", "M17", "allows nothing by a policy with an endPort", policies(_without_rules(_has_range))),
    Defect("closes-policies-with-expressions", "M17", "allows nothing by a policy with matchExpressions", policies(_without_rules(_has_expressions))),
    _NOTHING,
    _NOTHING.only("egress", egress),
    _NOTHING.only("ingress", ingress),
    _NOTHING.only("second-node", second_node),
    _EMPTY_ALLOWS,
    _EMPTY_ALLOWS.only("egress", egress),
    Defect("isolates-not-for-nobody", "M18", "does not isolate by a policy whose rules select no pod", _isolates_where(_lets_somebody)),
    Defect("isolates-not-for-names", "M18", "does not isolate by a policy whose ports are all names", _isolates_where(_not_only_names)),
    Defect("isolates-not-for-udp", "M18", "does not isolate by a policy whose ports are all UDP", _isolates_where(_not_only(Protocol.UDP))),
    Defect("nobody-without-peers", "M19", "lets a rule without peers match nobody", policies(in_rules(_nobody_without_peers))),
    Defect("nobody-in-empty-lists", "M19", "lets an empty list of peers or ports match nothing", policies(in_rules(_nobody_in_empty_list))),
    Defect("empty-selector-selects-nothing", "M19", "ignores a policy with an empty podSelector", policies(_selects_nothing_when_empty)),
    Defect("empty-peer-selector-selects-nothing", "M19", "lets an empty selector of a peer match nobody", policies(in_peers(_no_empty_selector))),
    Defect("isolates-both", "M20", "isolates in both directions whom a policy isolates in one", _isolates_where(lambda _, __, ___: True)),
    Defect("isolates-by-rules", "M20", "isolates in the directions that have rules, whatever policyTypes says", _isolates_where(lambda policy, direction, _: bool(policy.rules(direction)))),
    Defect("rules-isolate-too", "M20", "isolates in a direction that has rules and that policyTypes does not name", _isolates_where(lambda policy, direction, _: direction in policy.policy_types or bool(policy.rules(direction)))),
    Defect("egress-only-when-named", "M20", "does not isolate egress where policyTypes is left out", _isolates_where(_default_of_types)),
    Defect("egress-by-default", "M20", "isolates egress wherever policyTypes is left out", _isolates_where(_always_egress_by_default)),
    Defect("always-ingress", "M20", "isolates ingress by every policy", _isolates_where(lambda policy, direction, _: direction is Direction.INGRESS or direction in policy.policy_types)),
    _EVERYWHERE,
    _EVERYWHERE.only("egress", egress),
    _BARE,
    _BARE.only("egress", egress),
    _BARE.only("ingress", ingress),
    Defect("own-namespace-only", "M24", "selects by namespace only in the policy's own", policies(in_peers(_own_namespace_only))),
    Defect("crosses-rules", "M26", "opens to every peer of a policy the ports of all its rules", policies(_crossed)),
    Defect("first-rule-only", "M26", "knows the first rule of a policy only", policies(first_rules(1))),
    Defect("first-peer-only", "M26", "knows the first peer of a rule only", policies(first_of("peers", 1))),
)  # fmt: skip
