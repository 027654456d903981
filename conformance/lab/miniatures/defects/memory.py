"""Mistakes of what a plugin remembers from event to event: M27, M30 to M34."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import selects
from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.rewriting import edits, with_namespaces, with_pods
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
from conformance.model.default_world import default_world
from conformance.model.policy import LabelSelector, NetworkPolicy
from conformance.model.world import CANARY, Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.miniatures.rewriting import Part
    from conformance.model.policy import Rule
    from conformance.model.state import State
    from conformance.model.world import Namespace, Pod

    Labels = Mapping[str, str]
    KeepsLabels = Callable[[Labels, Labels], Labels]


#: What the event before was about is remembered as a policy of this name, in no namespace and so about nothing.
_EVENT_BEFORE = ""


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


def _first_of_two_last(known: State, action: Action, true: State) -> State:
    """Of two events about one policy, one right after the other, the first is heard of last: what it said stays."""
    policies = {ref: each for ref, each in known.policies.items() if each.namespace in true.world.namespaces}
    before = known.policies.get(_EVENT_BEFORE)
    if isinstance(action, (ApplyPolicy, DeletePolicy)):
        ref = action.policy.ref if isinstance(action, ApplyPolicy) else action.ref
        if before is not None and before.name == ref:
            return replace(true, policies=policies)
        policies.pop(ref, None)
        if isinstance(action, ApplyPolicy):
            policies[ref] = action.policy
        policies[_EVENT_BEFORE] = NetworkPolicy("", ref, LabelSelector(), frozenset())
    return replace(true, policies=policies)


def _unless(skips: Callable[[Action], bool]) -> Hears:
    """Do not hear of some events at all, until the next one."""
    return lambda known, action, true: known if skips(action) else true


def _stale_labels_of_pods(keeps: KeepsLabels) -> Hears:
    """Keep of a pod's labels something that was known before, as long as it is the same pod."""

    def hears(known: State, _: Action, true: State) -> State:
        def stale(pod: Pod) -> Pod:
            before = known.world.pods.get(pod.ref)
            same = before is not None and before.generation == pod.generation
            return replace(pod, labels=keeps(before.labels, pod.labels)) if before is not None and same else pod

        return with_pods(true, stale)

    return hears


def _stale_labels_of_namespaces(keeps: KeepsLabels) -> Hears:
    def hears(known: State, action: Action, true: State) -> State:
        def stale(namespace: Namespace) -> Namespace:
            before = known.world.namespaces.get(namespace.name)
            new = isinstance(action, CreateNamespace) and action.namespace.name == namespace.name
            if before is None or new:
                return namespace
            return replace(namespace, labels=keeps(before.labels, namespace.labels))

        return with_namespaces(true, stale)

    return hears


def _with_lost(before: Labels, now: Labels) -> Labels:
    return {**before, **now}


def _as_before(before: Labels, _: Labels) -> Labels:
    return before


def _with_old_values(before: Labels, now: Labels) -> Labels:
    """Hear of keys that come and go, and not of values that change."""
    return {**now, **{key: value for key, value in before.items() if key in now}}


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


def _with_both_rules(old: NetworkPolicy, new: NetworkPolicy) -> NetworkPolicy:
    return replace(new, ingress=(*old.ingress, *new.ingress), egress=(*old.egress, *new.egress))


def _unless_more_rules(old: NetworkPolicy, new: NetworkPolicy) -> NetworkPolicy:
    """Take an edit that changes no number of rules for none."""
    return old if (len(old.ingress), len(old.egress)) == (len(new.ingress), len(new.egress)) else new


def _with_old(part: Part) -> Callable[[NetworkPolicy, NetworkPolicy], NetworkPolicy]:
    """Keep the peers or the ports of each rule that was there before."""

    def rules(old: tuple[Rule, ...], new: tuple[Rule, ...]) -> tuple[Rule, ...]:
        kept = (replace(rule, **{part: getattr(before, part)}) for before, rule in zip(old, new, strict=False))
        return (*kept, *new[len(old) :])

    return lambda old, new: replace(new, ingress=rules(old.ingress, new.ingress), egress=rules(old.egress, new.egress))


def _keeps_deleted_where(holds: Callable[[NetworkPolicy, State], bool]) -> Hears:
    """Never take back a policy of some kind that is deleted, as long as its namespace is there."""

    def hears(known: State, _: Action, true: State) -> State:
        gone = {
            ref: each
            for ref, each in known.policies.items()
            if ref not in true.policies and each.namespace in true.world.namespaces and holds(each, true)
        }
        return replace(true, policies={**gone, **true.policies}) if gone else true

    return hears


def _was_the_last(policy: NetworkPolicy, state: State) -> bool:
    return not any(other.namespace == policy.namespace for other in state.policies.values())


def _forgets_pods(of: Callable[[Pod, State, State], bool]) -> Hears:
    """Leave pods out that came in some way; the tables of others do not know them, and they have none."""
    return lambda known, _, true: with_pods(true, lambda pod: None if of(pod, known, true) else pod)


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
        and pod.namespace not in {*default_world().namespaces, CANARY}
    )


def _misses_replaced(known: State, action: Action, true: State) -> State:
    again = isinstance(action, CreatePod) and action.pod.ref in known.world.pods
    return known if again or isinstance(action, DeletePod) else true


def _dead_are_alive(_: State, __: Action, true: State) -> State:
    ended = {Phase.SUCCEEDED, Phase.FAILED}
    return with_pods(true, lambda pod: replace(pod, phase=Phase.RUNNING) if pod.phase in ended else pod)


def _end_of_a_pod_takes_its_address(known: State, action: Action, true: State) -> State:
    """Forget, when a pod is deleted, whoever has its address by then; the API server's generations tell whom it forgot before."""
    gone = known.world.pods.get(action.ref) if isinstance(action, DeletePod) else None
    taken = set(gone.addresses) if gone is not None else set()

    def is_forgotten(pod: Pod) -> bool:
        before = pod.ref not in known.world.pods and pod.ref in known.generations
        return before or not taken.isdisjoint(pod.addresses)

    return with_pods(true, lambda pod: None if is_forgotten(pod) else pod)


def _added(change: Mapping[str, str | None]) -> bool:
    return any(value is not None for value in change.values())


def _removed(change: Mapping[str, str | None]) -> bool:
    return any(value is None for value in change.values())


_KEEPS_LABELS = Defect(
    "keeps-labels",
    "M30",
    "hears of labels that a pod gets, and not of those that it loses",
    _stale_labels_of_pods(_with_lost),
)
_STALE_LABELS = Defect(
    "never-relabels-pods", "M30", "never hears that a pod's labels change", _stale_labels_of_pods(_as_before)
)
_STALE_NAMESPACES = Defect(
    "never-relabels-namespaces",
    "M30",
    "never hears that a namespace's labels change",
    _stale_labels_of_namespaces(_as_before),
)
_KEEPS_RULES = Defect(
    "keeps-rules", "M31", "adds the rules of an edited policy to those that it had before", edits(_with_both_rules)
)
_KEEPS_DELETED = Defect(
    "keeps-deleted-policies",
    "M31",
    "never takes back a policy that is deleted",
    _keeps_deleted_where(lambda _, __: True),
)

DEFECTS = (
    Defect("last-policy-wins", "M27", "forgets, when a policy is applied, all others that select a pod that it selects", _last_policy_wins),
    Defect("first-policy-wins", "M27", "ignores a policy that selects a pod which another one selects already", _first_policy_wins),
    Defect("swaps-two-events", "M31", "hears of the second of two events about one policy first, where nothing came in between", _first_of_two_last),
    Defect("delete-opens", "M27", "forgets, when a policy is deleted, all others that select a pod that it selected", _delete_opens),
    _KEEPS_LABELS,
    _KEEPS_LABELS.only("egress", egress),
    _KEEPS_LABELS.only("ingress", ingress),
    _STALE_LABELS,
    _STALE_LABELS.only("egress", egress),
    Defect("keeps-label-values", "M30", "hears of a pod's new and lost labels, and not of values that change", _stale_labels_of_pods(_with_old_values)),
    Defect("misses-added-labels", "M30", "does not hear of labels that a pod gets, until the next event", _unless(lambda action: isinstance(action, LabelPod) and _added(action.labels))),
    Defect("misses-removed-labels", "M30", "does not hear of labels that a pod loses, until the next event", _unless(lambda action: isinstance(action, LabelPod) and _removed(action.labels))),
    _STALE_NAMESPACES,
    _STALE_NAMESPACES.only("egress", egress),
    Defect("keeps-namespace-labels", "M30", "hears of labels that a namespace gets, and not of those that it loses", _stale_labels_of_namespaces(_with_lost)),
    Defect("keeps-namespace-values", "M30", "hears of a namespace's new and lost labels, and not of values that change", _stale_labels_of_namespaces(_with_old_values)),
    Defect("misses-added-namespace-labels", "M30", "does not hear of labels that a namespace gets, until the next event", _unless(lambda action: isinstance(action, LabelNamespace) and _added(action.labels))),
    _KEEPS_RULES,
    _KEEPS_RULES.only("egress", egress),
    Defect("ignores-edits", "M31", "never hears that a policy is edited", edits(lambda old, _: old)),
    Defect("ignores-edits-of-selectors", "M31", "does not hear that a policy selects other pods", edits(lambda old, new: replace(new, pod_selector=old.pod_selector))),
    Defect("ignores-edits-of-types", "M31", "does not hear that a policy's policyTypes change", edits(lambda old, new: replace(new, policy_types=old.policy_types))),
    Defect("ignores-edits-of-ports", "M31", "does not hear that the ports of a rule change", edits(_with_old("ports"))),
    Defect("ignores-edits-of-peers", "M31", "does not hear that the peers of a rule change", edits(_with_old("peers"))),
    Defect("ignores-edits-of-ingress", "M31", "does not hear that ingress rules change", edits(lambda old, new: replace(new, ingress=old.ingress))),
    Defect("ignores-edits-of-egress", "M31", "does not hear that egress rules change", edits(lambda old, new: replace(new, egress=old.egress))),
    Defect("ignores-edits-within-rules", "M31", "hears of an edit only where the number of rules changes", edits(_unless_more_rules)),
    Defect("never-adds-egress-by-edit", "M31", "isolates by an edited policy only in directions that it had before", edits(lambda old, new: replace(new, policy_types=new.policy_types & old.policy_types))),
    Defect("never-drops-types-by-edit", "M31", "goes on isolating in a direction that an edited policy no longer has", edits(lambda old, new: replace(new, policy_types=new.policy_types | old.policy_types))),
    _KEEPS_DELETED,
    _KEEPS_DELETED.only("egress", egress),
    Defect("keeps-the-last-policy", "M31", "never takes back the last policy of a namespace", _keeps_deleted_where(_was_the_last)),
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
