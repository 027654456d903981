"""Mistakes with selectors and labels: M21, M22, M23, M25."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.rewriting import (
    in_peer_selectors,
    in_peers,
    in_selectors,
    in_subjects,
    labels,
    policies,
)
from conformance.lab.miniatures.scopes import egress, ingress
from conformance.model.policy import IPBlock, LabelSelector, Operator, Peer, Requirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from conformance.lab.miniatures.rewriting import ChangesSelector, Place

_LONGEST_PART = 63


def _label(picked: slice) -> ChangesSelector:
    """Know one label of several only."""

    def changed(selector: LabelSelector) -> LabelSelector:
        if len(selector.match_labels) < 2:  # noqa: PLR2004 -- one of several
            return selector
        return replace(selector, match_labels=dict(list(selector.match_labels.items())[picked]))

    return changed


_first_label, _last_label = _label(slice(1)), _label(slice(-1, None))


def _no_expressions(selector: LabelSelector) -> LabelSelector:
    return replace(selector, match_expressions=()) if selector.match_expressions else selector


def _labels_or_expressions(selector: LabelSelector) -> LabelSelector:
    """Forget the expressions of a selector that has labels too."""
    if selector.match_labels and selector.match_expressions:
        return replace(selector, match_expressions=())
    return selector


def _first_expression(selector: LabelSelector) -> LabelSelector:
    if len(selector.match_expressions) < 2:  # noqa: PLR2004 -- the first of several
        return selector
    return replace(selector, match_expressions=selector.match_expressions[:1])


def _any_label(field: Literal["pod_selector", "namespace_selector"]) -> Callable[[Peer, Place], Iterator[Peer]]:
    """Let one of the labels of a peer's selector be enough."""

    def changed(peer: Peer, _: Place) -> Iterator[Peer]:
        selector: LabelSelector | None = getattr(peer, field)
        if selector is None or len(selector.match_labels) < 2:  # noqa: PLR2004 -- one label is all of them
            yield peer
            return
        for key, value in selector.match_labels.items():
            yield replace(peer, **{field: LabelSelector({key: value}, selector.match_expressions)})  # type: ignore[arg-type]

    return changed


def _taken_for(*others: Callable[[Peer], Peer]) -> Callable[[Peer, Place], Iterator[Peer]]:
    """Take a peer with both selectors for others."""

    def changed(peer: Peer, _: Place) -> Iterator[Peer]:
        if peer.pod_selector is None or peer.namespace_selector is None:
            yield peer
        else:
            yield from (made(peer) for made in others)

    return changed


def _of_pods(peer: Peer) -> Peer:
    return replace(peer, namespace_selector=None)


def _of_namespaces(peer: Peer) -> Peer:
    return replace(peer, pod_selector=None)


def _world_when(holds: Callable[[LabelSelector], bool]) -> Callable[[Peer, Place], Iterator[Peer]]:
    """Take a selector of namespaces for every address that there is."""

    def changed(peer: Peer, _: Place) -> Iterator[Peer]:
        yield peer
        if peer.namespace_selector is not None and peer.pod_selector is None and holds(peer.namespace_selector):
            yield Peer(ip_block=IPBlock("0.0.0.0/0"))
            yield Peer(ip_block=IPBlock("::/0"))

    return changed


def _only_negative(selector: LabelSelector) -> bool:
    negative = {Operator.NOT_IN, Operator.DOES_NOT_EXIST}
    return (
        bool(selector.match_expressions)
        and not selector.match_labels
        and all(each.operator in negative for each in selector.match_expressions)
    )


def _expressions(change: Callable[[Requirement], tuple[Requirement, ...]]) -> ChangesSelector:
    def changed(selector: LabelSelector) -> LabelSelector:
        new = tuple(each for requirement in selector.match_expressions for each in change(requirement))
        return selector if new == selector.match_expressions else replace(selector, match_expressions=new)

    return changed


def _when(operator: Operator, change: Callable[[Requirement], tuple[Requirement, ...]]) -> ChangesSelector:
    return _expressions(lambda each: change(each) if each.operator is operator else (each,))


def _and_exists(requirement: Requirement) -> tuple[Requirement, ...]:
    return (requirement, Requirement(requirement.key, Operator.EXISTS))


def _value(picked: slice) -> Callable[[Requirement], tuple[Requirement, ...]]:
    return lambda each: (replace(each, values=each.values[picked]),)


_one_value, _last_value = _value(slice(1)), _value(slice(-1, None))


def _needs_value(requirement: Requirement) -> tuple[Requirement, ...]:
    """Take a key without a value for one that is not there."""
    return (requirement, Requirement(requirement.key, Operator.NOT_IN, ("",)))


def _gone(_: Requirement) -> tuple[Requirement, ...]:
    return ()


def _as(operator: Operator) -> Callable[[Requirement], tuple[Requirement, ...]]:
    return lambda each: (replace(each, operator=operator, values=()),)


def _without_keys(holds: Callable[[str], bool]) -> Callable[[Mapping[str, str]], Mapping[str, str]]:
    return lambda found: {key: value for key, value in found.items() if not holds(key)}


def _lower_case(found: Mapping[str, str]) -> Mapping[str, str]:
    return {key: value.lower() for key, value in found.items()}


def _lower_case_values(selector: LabelSelector) -> LabelSelector:
    new = LabelSelector(
        {key: value.lower() for key, value in selector.match_labels.items()},
        tuple(
            replace(each, values=tuple(value.lower() for value in each.values)) for each in selector.match_expressions
        ),
    )
    return selector if new == selector else new


def _is_long(key: str) -> bool:
    return len(key.rpartition("/")[2]) >= _LONGEST_PART


_AND_IS_OR = Defect(
    "either-selector",
    "M21",
    "takes the two selectors of one peer for two peers",
    policies(in_peers(_taken_for(_of_pods, _of_namespaces))),
)
_NO_POD = Defect(
    "no-pod-selector-beside-namespace",
    "M21",
    "ignores the podSelector of a peer that has a namespaceSelector",
    policies(in_peers(_taken_for(_of_namespaces))),
)
_NO_EXPRESSIONS = Defect(
    "ignores-expressions", "M21", "ignores matchExpressions", policies(in_selectors(_no_expressions))
)
_NOT_IN = Defect(
    "not-in-needs-the-key",
    "M23",
    "lets NotIn match only what has the key",
    policies(in_selectors(_when(Operator.NOT_IN, _and_exists))),
)

DEFECTS = (
    _AND_IS_OR,
    _AND_IS_OR.only("egress", egress),
    _AND_IS_OR.only("ingress", ingress),
    _NO_POD,
    _NO_POD.only("egress", egress),
    Defect("no-namespace-selector-beside-pods", "M21", "ignores the namespaceSelector of a peer that has a podSelector", policies(in_peers(_taken_for(_of_pods)))),
    Defect("any-label-of-a-peer", "M21", "lets one of a podSelector's labels be enough, in peers", policies(in_peers(_any_label("pod_selector")))),
    Defect("any-label-of-a-namespace", "M21", "lets one of a namespaceSelector's labels be enough", policies(in_peers(_any_label("namespace_selector")))),
    Defect("first-label-of-a-peer", "M21", "knows the first of a selector's labels only, in peers", policies(in_peer_selectors(pods=_first_label, namespaces=_first_label))),
    Defect("first-label-of-a-subject", "M21", "knows the first label only by which a policy selects its pods", policies(in_subjects(_first_label))),
    Defect("last-label-only", "M21", "knows the last of a selector's labels only", policies(in_selectors(_last_label))),
    _NO_EXPRESSIONS,
    Defect("ignores-expressions-of-subjects", "M21", "ignores the matchExpressions by which a policy selects its pods", policies(in_subjects(_no_expressions))),
    Defect("ignores-expressions-of-pods", "M21", "ignores the matchExpressions of peers' podSelectors", policies(in_peer_selectors(pods=_no_expressions))),
    Defect("ignores-expressions-of-namespaces", "M21", "ignores the matchExpressions of namespaceSelectors", policies(in_peer_selectors(namespaces=_no_expressions))),
    Defect("labels-or-expressions", "M21", "ignores matchExpressions beside matchLabels", policies(in_selectors(_labels_or_expressions))),
    Defect("first-expression-only", "M21", "knows the first of a selector's expressions only", policies(in_selectors(_first_expression))),
    Defect("every-namespace-is-the-world", "M22", "takes an empty namespaceSelector for every address", policies(in_peers(_world_when(lambda each: each == LabelSelector())))),
    Defect("other-namespaces-are-the-world", "M22", "takes a namespaceSelector that only excludes for every address", policies(in_peers(_world_when(_only_negative)))),
    _NOT_IN,
    _NOT_IN.only("egress", egress),
    Defect("not-in-needs-the-key-of-namespaces", "M23", "lets NotIn match only namespaces that have the key", policies(in_peer_selectors(namespaces=_when(Operator.NOT_IN, _and_exists)))),
    Defect("not-in-needs-the-key-of-subjects", "M23", "lets NotIn select for a policy only pods that have the key", policies(in_subjects(_when(Operator.NOT_IN, _and_exists)))),
    Defect("ignores-not-in", "M23", "ignores NotIn", policies(in_selectors(_when(Operator.NOT_IN, _gone)))),
    Defect("ignores-does-not-exist", "M23", "ignores DoesNotExist", policies(in_selectors(_when(Operator.DOES_NOT_EXIST, _gone)))),
    Defect("does-not-exist-is-exists", "M23", "takes DoesNotExist for Exists", policies(in_selectors(_when(Operator.DOES_NOT_EXIST, _as(Operator.EXISTS))))),
    Defect("exists-needs-a-value", "M23", "lets Exists match only a key with a value", policies(in_selectors(_when(Operator.EXISTS, _needs_value)))),
    Defect("ignores-exists", "M23", "ignores Exists", policies(in_selectors(_when(Operator.EXISTS, _gone)))),
    Defect("in-first-value", "M23", "knows the first value of In only", policies(in_selectors(_when(Operator.IN, _one_value)))),
    Defect("in-last-value", "M23", "knows the last value of In only", policies(in_selectors(_when(Operator.IN, _last_value)))),
    Defect("not-in-first-value", "M23", "knows the first value of NotIn only", policies(in_selectors(_when(Operator.NOT_IN, _one_value)))),
    Defect("in-is-exists", "M23", "takes In for Exists", policies(in_selectors(_when(Operator.IN, _as(Operator.EXISTS))))),
    Defect("ignores-case-of-selectors", "M23", "compares the values that selectors give in lower case", policies(in_selectors(_lower_case_values))),
    Defect("ignores-case-of-labels", "M23", "keeps the values of labels in lower case", labels(_lower_case, of_namespaces=True)),
    Defect("no-keys-with-prefix", "M25", "does not know labels whose key has a prefix", labels(_without_keys(lambda key: "/" in key), of_namespaces=True)),
    Defect("no-keys-of-kubernetes", "M25", "does not know labels whose key has a prefix of Kubernetes", labels(_without_keys(lambda key: "kubernetes.io/" in key or "k8s.io/" in key), of_namespaces=False)),
    Defect("no-key-host", "M25", "does not know a pod's label `host`", labels(_without_keys(lambda key: key == "host"), of_namespaces=False)),
    Defect("no-keys-of-controllers", "M25", "does not know the labels that workloads give to their pods", labels(_without_keys(lambda key: key in {"pod-template-hash", "controller-revision-hash", "statefulset.kubernetes.io/pod-name"}), of_namespaces=False)),
    Defect("no-long-keys", "M25", "does not know labels whose key is as long as it may be", labels(_without_keys(_is_long), of_namespaces=True)),
    Defect("no-empty-values", "M25", "does not know labels without a value", labels(lambda found: {key: value for key, value in found.items() if value}, of_namespaces=True)),
    Defect("no-keys-that-name-ports", "M25", "does not know a label whose key is the name of a port", labels(_without_keys(lambda key: key in {"http", "web", "dns"}), of_namespaces=False)),
)  # fmt: skip
