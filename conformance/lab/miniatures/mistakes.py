"""What plugins make of what they hear: what is so, or with one mistake.

What a plugin knows of the cluster is a `State`, as what the API server holds is. Each function here is given what the plugin knew,
the event, and what the API server holds after it, and returns what the plugin knows then.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import selects
from conformance.model.case import Action, ApplyPolicy, DeletePolicy
from conformance.model.policy import Direction, LabelSelector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model.policy import NetworkPolicy, Peer, Rule
    from conformance.model.state import State
    from conformance.model.world import Pod

    Hears = Callable[[State, Action, State], State]


def rightly(_: State, __: Action, true: State) -> State:
    return true


def ignores_except(_: State, __: Action, true: State) -> State:
    """Let the whole `cidr` of an ipBlock through, without its holes."""

    def without_holes(peer: Peer) -> Peer:
        return replace(peer, ip_block=replace(peer.ip_block, excepts=())) if peer.ip_block else peer

    return replace(true, policies=_with_peers(true.policies, without_holes))


def ignores_namespace(_: State, __: Action, true: State) -> State:
    """Take a podSelector without a namespaceSelector for one of pods of all namespaces."""

    def of_every_namespace(peer: Peer) -> Peer:
        if peer.pod_selector is None or peer.namespace_selector is not None:
            return peer
        return replace(peer, namespace_selector=LabelSelector())

    return replace(true, policies=_with_peers(true.policies, of_every_namespace))


def isolates_both(_: State, __: Action, true: State) -> State:
    """Isolate in both directions whom a policy isolates in one."""
    both = frozenset(Direction)
    return replace(true, policies={ref: replace(each, policy_types=both) for ref, each in true.policies.items()})


def keeps_rules(known: State, action: Action, true: State) -> State:
    """Add the rules of an edited policy to those that it had before."""
    policies = _still_known(known, true)
    if isinstance(action, ApplyPolicy):
        new, old = action.policy, policies.get(action.policy.ref)
        if old is not None:
            new = replace(new, ingress=(*old.ingress, *new.ingress), egress=(*old.egress, *new.egress))
        policies[new.ref] = new
    return replace(true, policies=policies)


def keeps_labels(known: State, _: Action, true: State) -> State:
    """Hear of labels that a pod gets and of those that change, and not of those that it loses."""

    def with_old_labels(pod: Pod) -> Pod:
        before = known.world.pods.get(pod.ref)
        if before is None or before.generation != pod.generation:
            return pod
        return replace(pod, labels={**before.labels, **pod.labels})

    pods = {ref: with_old_labels(pod) for ref, pod in true.world.pods.items()}
    return replace(true, world=replace(true.world, pods=pods))


def last_policy_wins(known: State, action: Action, true: State) -> State:
    """Forget, when a policy is applied, all others that select a pod that it selects."""
    policies = _still_known(known, true)
    if isinstance(action, ApplyPolicy):
        policies = {action.policy.ref: action.policy} | _others(policies, action.policy, true)
    return replace(true, policies=policies)


def delete_opens(known: State, action: Action, true: State) -> State:
    """Forget, when a policy is deleted, all others that select a pod that it selected."""
    policies = _still_known(known, true)
    if isinstance(action, ApplyPolicy):
        policies[action.policy.ref] = action.policy
    elif isinstance(action, DeletePolicy) and action.ref in known.policies:
        policies = _others(policies, known.policies[action.ref], true)
    return replace(true, policies=policies)


#: By the name that a miniature has.
MISTAKES: Mapping[str, Hears] = {
    "ignores-except": ignores_except,
    "ignores-namespace": ignores_namespace,
    "isolates-both": isolates_both,
    "keeps-rules": keeps_rules,
    "keeps-labels": keeps_labels,
    "last-policy-wins": last_policy_wins,
    "delete-opens": delete_opens,
}


def _still_known(known: State, true: State) -> dict[str, NetworkPolicy]:
    return {ref: each for ref, each in known.policies.items() if ref in true.policies}


def _others(policies: Mapping[str, NetworkPolicy], one: NetworkPolicy, state: State) -> dict[str, NetworkPolicy]:
    """Return the policies that select no pod that this one selects."""
    pods = [pod for pod in state.world.pods.values() if selects(one, pod)]
    return {ref: each for ref, each in policies.items() if not any(selects(each, pod) for pod in pods)}


def _with_peers(policies: Mapping[str, NetworkPolicy], made: Callable[[Peer], Peer]) -> Mapping[str, NetworkPolicy]:
    def rules(of: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(replace(rule, peers=tuple(map(made, rule.peers))) for rule in of)

    return {
        ref: replace(each, ingress=rules(each.ingress), egress=rules(each.egress)) for ref, each in policies.items()
    }
