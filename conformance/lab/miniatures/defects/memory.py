"""Mistakes of what a plugin remembers from event to event: M27, M30 to M34."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import selects
from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.scopes import egress, ingress
from conformance.model.case import (
    Action,
    ApplyPolicy,
    CreateNamespace,
    CreatePod,
    DeletePod,
    DeletePolicy,
    LabelNamespace,
    LabelPod,
)
from conformance.model.world import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from conformance.lab.miniatures.defect import Hears
    from conformance.model.policy import NetworkPolicy
    from conformance.model.state import State
    from conformance.model.world import Namespace, Pod


def _still_known(known: State, true: State) -> dict[str, NetworkPolicy]:
    return {ref: each for ref, each in known.policies.items() if ref in true.policies}


def _others(policies: Mapping[str, NetworkPolicy], one: NetworkPolicy, state: State) -> dict[str, NetworkPolicy]:
    """Return the policies that select no pod that this one selects."""
    pods = [pod for pod in state.world.pods.values() if selects(one, pod)]
    return {ref: each for ref, each in policies.items() if not any(selects(each, pod) for pod in pods)}


def _last_policy_wins(known: State, action: Action, true: State) -> State:
    policies = _still_known(known, true)
    if isinstance(action, ApplyPolicy):
        policies = {action.policy.ref: action.policy} | _others(policies, action.policy, true)
    return replace(true, policies=policies)


def _first_policy_wins(known: State, action: Action, true: State) -> State:
    policies = _still_known(known, true)
    if isinstance(action, ApplyPolicy):
        others = {ref: each for ref, each in policies.items() if ref != action.policy.ref}
        if len(_others(others, action.policy, true)) == len(others):
            policies[action.policy.ref] = action.policy
        else:
            policies.pop(action.policy.ref, None)
    return replace(true, policies=policies)


def _delete_opens(known: State, action: Action, true: State) -> State:
    policies = _still_known(known, true)
    if isinstance(action, ApplyPolicy):
        policies[action.policy.ref] = action.policy
    elif isinstance(action, DeletePolicy) and action.ref in known.policies:
        policies = _others(policies, known.policies[action.ref], true)
    return replace(true, policies=policies)


def _unless(skips: Callable[[Action], bool]) -> Hears:
    """Do not hear of some events at all, until the next one."""
    return lambda known, action, true: known if skips(action) else true


def _stale_pods(keeps: Callable[[Pod, Pod], Pod]) -> Hears:
    """Keep of each pod something that was known of it before, as long as it is the same pod."""

    def hears(known: State, _: Action, true: State) -> State:
        world = true.world
        for ref, pod in true.world.pods.items():
            before = known.world.pods.get(ref)
            if before is not None and (kept := keeps(before, pod)) != pod:
                world = world.with_pod(kept)
        return true if world is true.world else replace(true, world=world)

    return hears


def _stale_namespaces(keeps: Callable[[Namespace, Namespace], Namespace]) -> Hears:
    def hears(known: State, action: Action, true: State) -> State:
        world = true.world
        for name, namespace in true.world.namespaces.items():
            before = known.world.namespaces.get(name)
            new = isinstance(action, CreateNamespace) and action.namespace.name == name
            if before is not None and not new and (kept := keeps(before, namespace)) != namespace:
                world = world.with_namespace(kept)
        return true if world is true.world else replace(true, world=world)

    return hears


def _same(before: Pod, pod: Pod) -> bool:
    return before.generation == pod.generation


def _keeps_lost_labels(before: Pod, pod: Pod) -> Pod:
    return replace(pod, labels={**before.labels, **pod.labels}) if _same(before, pod) else pod


def _keeps_labels(before: Pod, pod: Pod) -> Pod:
    return replace(pod, labels=before.labels) if _same(before, pod) else pod


def _keeps_values(before: Pod, pod: Pod) -> Pod:
    """Hear of keys that come and go, and not of values that change."""
    return replace(pod, labels={**pod.labels, **_common(before.labels, pod.labels)}) if _same(before, pod) else pod


def _common(before: Mapping[str, str], now: Mapping[str, str]) -> Mapping[str, str]:
    return {key: value for key, value in before.items() if key in now}


def _by_name_for_ever(keeps: Callable[[Pod, Pod], Pod]) -> Hears:
    """Take a pod that is made again under its name for the one before, in something; those that are gone are remembered for that."""

    def hears(known: State, _: Action, true: State) -> State:
        world = true.world
        for ref, before in known.world.pods.items():
            pod = true.world.pods.get(ref)
            if pod is not None and pod.generation != before.generation:
                world = world.with_pod(keeps(before, pod))
            elif pod is None and before.namespace in true.world.namespaces:
                world = world.with_pod(before)
        return true if world is true.world else replace(true, world=world)

    return hears


def _keeps_lost_namespace_labels(before: Namespace, namespace: Namespace) -> Namespace:
    return replace(namespace, labels={**before.labels, **namespace.labels})


def _keeps_namespace_labels(before: Namespace, namespace: Namespace) -> Namespace:
    return replace(namespace, labels=before.labels)


def _keeps_namespace_values(before: Namespace, namespace: Namespace) -> Namespace:
    return replace(namespace, labels={**namespace.labels, **_common(before.labels, namespace.labels)})


def _edits(change: Callable[[NetworkPolicy, NetworkPolicy], NetworkPolicy]) -> Hears:
    """Make something of an edited policy out of what it was and what it is; it stays so until it is edited again."""

    def hears(known: State, action: Action, true: State) -> State:
        policies = {ref: known.policies.get(ref, each) for ref, each in true.policies.items()}
        if isinstance(action, ApplyPolicy):
            ref = action.policy.ref
            old = known.policies.get(ref)
            policies[ref] = change(old, action.policy) if old is not None else action.policy
        if all(policies[ref] is each for ref, each in true.policies.items()):
            return true
        return replace(true, policies=policies)

    return hears


def _with_both_rules(old: NetworkPolicy, new: NetworkPolicy) -> NetworkPolicy:
    return replace(new, ingress=(*old.ingress, *new.ingress), egress=(*old.egress, *new.egress))


def _unless_more_rules(old: NetworkPolicy, new: NetworkPolicy) -> NetworkPolicy:
    """Take an edit that changes no number of rules for none."""
    return old if (len(old.ingress), len(old.egress)) == (len(new.ingress), len(new.egress)) else new


def _old_ports(old: NetworkPolicy, new: NetworkPolicy) -> NetworkPolicy:
    return replace(new, ingress=_with_ports(old.ingress, new.ingress), egress=_with_ports(old.egress, new.egress))


def _with_ports(old: tuple, new: tuple) -> tuple:  # type: ignore[type-arg]
    return tuple(
        replace(rule, ports=old[number].ports) if number < len(old) else rule for number, rule in enumerate(new)
    )


def _old_peers(old: NetworkPolicy, new: NetworkPolicy) -> NetworkPolicy:
    return replace(new, ingress=_with_peers(old.ingress, new.ingress), egress=_with_peers(old.egress, new.egress))


def _with_peers(old: tuple, new: tuple) -> tuple:  # type: ignore[type-arg]
    return tuple(
        replace(rule, peers=old[number].peers) if number < len(old) else rule for number, rule in enumerate(new)
    )


def _keeps_deleted(known: State, _: Action, true: State) -> State:
    gone = {ref: each for ref, each in known.policies.items() if ref not in true.policies}
    gone = {ref: each for ref, each in gone.items() if each.namespace in true.world.namespaces}
    return replace(true, policies={**gone, **true.policies}) if gone else true


def _keeps_last(known: State, _: Action, true: State) -> State:
    """Keep a deleted policy that was the last of its namespace."""
    gone = {
        ref: each
        for ref, each in known.policies.items()
        if ref not in true.policies
        and each.namespace in true.world.namespaces
        and not any(other.namespace == each.namespace for other in true.policies.values())
    }
    return replace(true, policies={**gone, **true.policies}) if gone else true


def _forgets_pods(of: Callable[[Pod, State, State], bool]) -> Hears:
    """Leave pods out that came in some way; the tables of others do not know them, and they have none."""

    def hears(known: State, _: Action, true: State) -> State:
        unknown = [pod.ref for pod in true.world.pods.values() if of(pod, known, true)]
        world = true.world
        for ref in unknown:
            world = world.without_pod(ref)
        return true if world is true.world else replace(true, world=world)

    return hears


def _came_after_policies(pod: Pod, known: State, true: State) -> bool:
    before = known.world.pods.get(pod.ref)
    if before is not None and before.generation == pod.generation:
        return False
    return any(policy.namespace == pod.namespace for policy in true.policies.values())


def _is_of_new_namespace(pod: Pod, known: State, true: State) -> bool:
    before = known.world.pods.get(pod.ref)
    return (
        before is None
        and bool(true.policies)
        and pod.generation == 1
        and pod.namespace not in {"x", "y", "z", "canary"}
    )


def _misses_replaced(known: State, action: Action, true: State) -> State:
    again = isinstance(action, CreatePod) and action.pod.ref in known.world.pods
    return known if again or isinstance(action, DeletePod) else true


def _dead_are_alive(_: State, __: Action, true: State) -> State:
    world = true.world
    for pod in true.world.pods.values():
        if pod.phase in {Phase.SUCCEEDED, Phase.FAILED}:
            world = world.with_pod(replace(pod, phase=Phase.RUNNING))
    return true if world is true.world else replace(true, world=world)


def _end_of_a_pod_takes_its_address(known: State, action: Action, true: State) -> State:
    """Forget, when a pod is deleted, whoever has its address by then."""
    gone = known.world.pods.get(action.ref) if isinstance(action, DeletePod) else None
    world = true.world
    for pod in true.world.pods.values():
        before = known.world.pods.get(pod.ref)
        forgotten = before is None and pod.ref in _known_refs(known, true)
        if forgotten or (gone is not None and set(gone.addresses) & set(pod.addresses)):
            world = world.without_pod(pod.ref)
    return true if world is true.world else replace(true, world=world)


def _known_refs(known: State, true: State) -> Iterable[str]:
    """Return the pods that were forgotten: the API server's generations tell those that are not new."""
    return [ref for ref in true.world.pods if ref in known.generations]


def _added(change: Mapping[str, str | None]) -> bool:
    return any(value is not None for value in change.values())


def _removed(change: Mapping[str, str | None]) -> bool:
    return any(value is None for value in change.values())


_KEEPS_LABELS = Defect(
    "keeps-labels",
    "M30",
    "hears of labels that a pod gets, and not of those that it loses",
    _stale_pods(_keeps_lost_labels),
)
_STALE_LABELS = Defect(
    "never-relabels-pods", "M30", "never hears that a pod's labels change", _stale_pods(_keeps_labels)
)
_STALE_NAMESPACES = Defect(
    "never-relabels-namespaces",
    "M30",
    "never hears that a namespace's labels change",
    _stale_namespaces(_keeps_namespace_labels),
)
_KEEPS_RULES = Defect(
    "keeps-rules", "M31", "adds the rules of an edited policy to those that it had before", _edits(_with_both_rules)
)
_KEEPS_DELETED = Defect("keeps-deleted-policies", "M31", "never takes back a policy that is deleted", _keeps_deleted)

DEFECTS = (
    Defect("last-policy-wins", "M27", "forgets, when a policy is applied, all others that select a pod that it selects", _last_policy_wins),
    Defect("first-policy-wins", "M27", "ignores a policy that selects a pod which another one selects already", _first_policy_wins),
    Defect("delete-opens", "M27", "forgets, when a policy is deleted, all others that select a pod that it selected", _delete_opens),
    _KEEPS_LABELS,
    _KEEPS_LABELS.only("egress", egress),
    _KEEPS_LABELS.only("ingress", ingress),
    _STALE_LABELS,
    _STALE_LABELS.only("egress", egress),
    Defect("keeps-label-values", "M30", "hears of a pod's new and lost labels, and not of values that change", _stale_pods(_keeps_values)),
    Defect("misses-added-labels", "M30", "does not hear of labels that a pod gets, until the next event", _unless(lambda action: isinstance(action, LabelPod) and _added(action.labels))),
    Defect("misses-removed-labels", "M30", "does not hear of labels that a pod loses, until the next event", _unless(lambda action: isinstance(action, LabelPod) and _removed(action.labels))),
    _STALE_NAMESPACES,
    _STALE_NAMESPACES.only("egress", egress),
    Defect("keeps-namespace-labels", "M30", "hears of labels that a namespace gets, and not of those that it loses", _stale_namespaces(_keeps_lost_namespace_labels)),
    Defect("keeps-namespace-values", "M30", "hears of a namespace's new and lost labels, and not of values that change", _stale_namespaces(_keeps_namespace_values)),
    Defect("misses-added-namespace-labels", "M30", "does not hear of labels that a namespace gets, until the next event", _unless(lambda action: isinstance(action, LabelNamespace) and _added(action.labels))),
    _KEEPS_RULES,
    _KEEPS_RULES.only("egress", egress),
    Defect("ignores-edits", "M31", "never hears that a policy is edited", _edits(lambda old, _: old)),
    Defect("ignores-edits-of-selectors", "M31", "does not hear that a policy selects other pods", _edits(lambda old, new: replace(new, pod_selector=old.pod_selector))),
    Defect("ignores-edits-of-types", "M31", "does not hear that a policy's policyTypes change", _edits(lambda old, new: replace(new, policy_types=old.policy_types))),
    Defect("ignores-edits-of-ports", "M31", "does not hear that the ports of a rule change", _edits(_old_ports)),
    Defect("ignores-edits-of-peers", "M31", "does not hear that the peers of a rule change", _edits(_old_peers)),
    Defect("ignores-edits-of-ingress", "M31", "does not hear that ingress rules change", _edits(lambda old, new: replace(new, ingress=old.ingress))),
    Defect("ignores-edits-of-egress", "M31", "does not hear that egress rules change", _edits(lambda old, new: replace(new, egress=old.egress))),
    Defect("ignores-edits-within-rules", "M31", "hears of an edit only where the number of rules changes", _edits(_unless_more_rules)),
    Defect("never-adds-egress-by-edit", "M31", "isolates by an edited policy only in directions that it had before", _edits(lambda old, new: replace(new, policy_types=new.policy_types & old.policy_types))),
    Defect("never-drops-types-by-edit", "M31", "goes on isolating in a direction that an edited policy no longer has", _edits(lambda old, new: replace(new, policy_types=new.policy_types | old.policy_types))),
    _KEEPS_DELETED,
    _KEEPS_DELETED.only("egress", egress),
    Defect("keeps-the-last-policy", "M31", "never takes back the last policy of a namespace", _keeps_last),
    Defect("misses-deletions", "M31", "does not hear that a policy is deleted, until the next event", _unless(lambda action: isinstance(action, DeletePolicy))),
    Defect("knows-no-later-pods", "M32", "does not hear of pods that come after a policy of their namespace, until the next event", _forgets_pods(_came_after_policies)),
    Defect("misses-new-pods", "M32", "does not hear of new pods, until the next event", _unless(lambda action: isinstance(action, CreatePod))),
    Defect("knows-no-later-namespaces", "M32", "does not hear of pods in namespaces that come after a policy, until the next event", _forgets_pods(_is_of_new_namespace)),
    Defect("dead-pods-keep-addresses", "M33", "goes on with pods that have ended as if they ran", _dead_are_alive),
    Defect("end-of-a-pod-takes-its-address", "M33", "forgets, when a pod is deleted, whoever has its address by then", _end_of_a_pod_takes_its_address),
    Defect("keeps-addresses", "M34", "never hears that a pod of the same name has another address", _by_name_for_ever(lambda before, pod: replace(pod, addresses=before.addresses))),
    Defect("misses-replaced-pods", "M34", "does not hear that a pod was made again, until the next event", _misses_replaced),
    Defect("keeps-labels-of-the-one-before", "M34", "takes a pod that is made again for the one before, with its labels", _by_name_for_ever(lambda before, pod: replace(pod, labels=before.labels))),
    Defect("keeps-ports-of-the-one-before", "M34", "takes a pod that is made again for the one before, with its ports", _by_name_for_ever(lambda before, pod: replace(pod, servers=before.servers))),
)  # fmt: skip
