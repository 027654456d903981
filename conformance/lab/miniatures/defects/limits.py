"""Mistakes with names that collide, and with how much a plugin can hold: M39, M40."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.defects.ip_blocks import without_holes
from conformance.lab.miniatures.rewriting import all_ports, first_of, first_rules, in_peers, policies, with_pods
from conformance.model.case import ApplyPolicy
from conformance.model.policy import Direction
from conformance.model.state import State
from conformance.model.world import CANARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.miniatures.rewriting import Place
    from conformance.model.case import Action
    from conformance.model.policy import LabelSelector, NetworkPolicy, Peer
    from conformance.model.world import Pod


def _one_per_key(key: Callable[[NetworkPolicy], str]) -> Hears:
    """Keep of several policies with one key only the one that was applied last."""

    def hears(known: State, action: Action, true: State) -> State:
        order = [ref for ref in known.policies if ref in true.policies]
        order += [ref for ref in true.policies if ref not in order]
        if isinstance(action, ApplyPolicy):
            order.remove(action.policy.ref)
            order.append(action.policy.ref)
        kept = {key(true.policies[ref]): ref for ref in order}
        return replace(
            true, policies={ref: true.policies[ref] for ref in order if kept[key(true.policies[ref])] == ref}
        )

    return hears


def _pods_by(key: Callable[[Pod], str]) -> Hears:
    """Keep of several pods with one key only the last: the others' labels are taken to be its."""

    def hears(_: State, __: Action, true: State) -> State:
        last = _last(true, key)
        return with_pods(true, lambda pod: replace(pod, labels=last[key(pod)].labels) if _is_tried(pod) else pod)

    return hears


def _last_pod_of(key: Callable[[Pod], str]) -> Hears:
    """Know of several pods with one key only the last."""

    def hears(_: State, __: Action, true: State) -> State:
        last = _last(true, key)
        return with_pods(true, lambda pod: pod if not _is_tried(pod) or last[key(pod)] is pod else None)

    return hears


def _last(state: State, key: Callable[[Pod], str]) -> Mapping[str, Pod]:
    return {key(pod): pod for pod in state.world.pods.values() if _is_tried(pod)}


def _is_tried(pod: Pod) -> bool:
    return pod.namespace != CANARY


def _text_of(selector: LabelSelector | None) -> str:
    """A selector written without what keeps its parts apart."""
    if selector is None:
        return ""
    expressions = "".join(f"{each.key}{''.join(each.values)}" for each in selector.match_expressions)
    return "".join(f"{key}{value}" for key, value in selector.match_labels.items()) + expressions


def _by_text(known: State, action: Action, true: State) -> State:
    """Take peers whose selectors give the same text when they are written together for the first of them, in whatever policy that was."""
    first: dict[str, Peer] = {}

    def changed(peer: Peer, _: Place) -> Iterator[Peer]:
        if peer.ip_block is not None:
            yield peer
            return
        alike = first.setdefault(_text_of(peer.namespace_selector) + _text_of(peer.pod_selector), peer)
        same = (alike.pod_selector, alike.namespace_selector) == (peer.pod_selector, peer.namespace_selector)
        yield peer if same else alike

    return policies(in_peers(changed))(known, action, true)


def _pods_and_namespaces_alike(known: State, action: Action, true: State) -> State:
    """Take a namespaceSelector for a podSelector of the same text that came before, and the reverse."""
    kinds: dict[str, str] = {}

    def changed(peer: Peer, _: Place) -> Iterator[Peer]:
        pod, namespace = peer.pod_selector, peer.namespace_selector
        one = pod if namespace is None else namespace if pod is None else None
        if one is None or one.match_expressions or not one.match_labels:
            yield peer
            return
        kind = "pod" if namespace is None else "namespace"
        first = kinds.setdefault(_text_of(one), kind)
        if first == kind:
            yield peer
        elif first == "pod":
            yield replace(peer, pod_selector=one, namespace_selector=None)
        else:
            yield replace(peer, pod_selector=None, namespace_selector=one)

    return policies(in_peers(changed))(known, action, true)


def _first_policies(most: int) -> Hears:
    def hears(_: State, __: Action, true: State) -> State:
        own = [ref for ref, each in true.policies.items() if each.namespace != CANARY]
        if len(own) <= most:
            return true
        lost = set(own[most:])
        return replace(true, policies={ref: each for ref, each in true.policies.items() if ref not in lost})

    return hears


def _first_namespaces(most: int) -> Hears:
    """Know the pods of the first namespaces only."""

    def hears(_: State, __: Action, true: State) -> State:
        known = list(true.world.namespaces)[:most]
        return with_pods(true, lambda pod: pod if pod.namespace in known else None)

    return hears


def _stops_at(poison: Callable[[NetworkPolicy, State], bool]) -> Hears:
    """Hear of nothing more once a policy of some kind is there, until it is gone."""

    def hears(known: State, _: Action, true: State) -> State:
        return known if any(poison(policy, true) for policy in true.policies.values()) else true

    return hears


def _names_nothing(policy: NetworkPolicy, state: State) -> bool:
    names = {server.name for pod in state.world.pods.values() for server in pod.servers}
    return any(isinstance(port.port, str) and port.port not in names for port in all_ports(policy))


def _has_range(policy: NetworkPolicy, _: State) -> bool:
    return any(port.end_port for port in all_ports(policy))


def _without_policies(true: State) -> State:
    return State(true.world)


def _without_egress(true: State) -> State:
    types = frozenset({Direction.INGRESS})
    return replace(
        true,
        policies={ref: replace(each, policy_types=each.policy_types & types) for ref, each in true.policies.items()},
    )


def _without_pods(true: State) -> State:
    """Isolate and know nobody: what lists pods after policies does so for a while."""
    none = {ref: replace(each, ingress=(), egress=()) for ref, each in true.policies.items()}
    return replace(true, policies=none)


DEFECTS = (
    Defect("policies-by-name", "M39", "keeps one policy of a name, whatever namespaces there are", _one_per_key(lambda each: each.name)),
    Defect("policies-by-run-together-name", "M39", "takes policies for one whose namespace and name give the same text when they are written together", _one_per_key(lambda each: each.namespace + each.name)),
    Defect("policies-by-hyphened-name", "M39", "takes policies for one whose namespace and name give the same text with a hyphen between", _one_per_key(lambda each: f"{each.namespace}-{each.name}")),
    Defect("pods-by-name", "M39", "takes pods of one name in different namespaces to have the same labels", _pods_by(lambda pod: pod.name)),
    Defect("pods-by-hyphened-name", "M39", "takes pods for one whose namespace and name give the same text with a hyphen between", _last_pod_of(lambda pod: f"{pod.namespace}-{pod.name}")),
    Defect("pods-by-prefix", "M39", "takes pods for replicas of one workload whose names are alike up to the last hyphen", _pods_by(lambda pod: f"{pod.namespace}/{pod.name.rpartition('-')[0] or pod.name}")),
    Defect("selectors-by-text", "M39", "takes selectors for one whose keys and values give the same text when they are written together", _by_text),
    Defect("selectors-of-two-kinds", "M39", "takes a podSelector and a namespaceSelector for one where their texts are alike", _pods_and_namespaces_alike),
    Defect("first-24-ports", "M40", "knows the first 24 ports of a rule only", policies(first_of("ports", 24))),
    Defect("first-15-ports", "M40", "knows the first 15 ports of a rule only", policies(first_of("ports", 15))),
    Defect("first-16-peers", "M40", "knows the first 16 peers of a rule only", policies(first_of("peers", 16))),
    Defect("first-16-excepts", "M40", "knows the first 16 holes of a block only", policies(in_peers(without_holes(kept=16)))),
    Defect("first-8-rules", "M40", "knows the first 8 rules of a policy only", policies(first_rules(8))),
    Defect("first-8-policies", "M40", "knows the first 8 policies of the cluster only", _first_policies(8)),
    Defect("first-8-namespaces", "M40", "knows the pods of the first 8 namespaces only", _first_namespaces(8)),
    Defect("stops-at-unknown-names", "M40", "hears of nothing more once a policy names a port that no pod has", _stops_at(_names_nothing)),
    Defect("stops-at-ranges", "M40", "hears of nothing more once a policy has an endPort", _stops_at(_has_range)),
    Defect("opens-after-restart", "M40", "knows no policies after its restart, until the next event", after_restart=_without_policies),
    Defect("closes-after-restart", "M40", "knows no peers after its restart, until the next event", after_restart=_without_pods),
    Defect("no-egress-after-restart", "M40", "isolates no egress after its restart, until the next event", after_restart=_without_egress),
)  # fmt: skip
