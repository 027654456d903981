"""What admission made of what a run asked for: others' labels, containers beside the agent, policies that are no longer what the case says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.cluster.naming import MANAGED_BY_LABEL, POD_LABEL, RUN_LABEL
from conformance.errors import ActionFailed
from conformance.model.case import ApplyPolicy, LabelNamespace, LabelPod
from conformance.model.policy import Direction
from conformance.model.world import NAMESPACE_NAME_LABEL, Container

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.model.case import Change
    from conformance.model.policy import LabelSelector, NetworkPolicy
    from conformance.model.world import Namespace, Pod

POD_SECURITY = "pod-security.kubernetes.io/enforce"
#: Labels that a run puts on its namespaces; no others may be given to them under these names.
OWN_LABELS = frozenset({MANAGED_BY_LABEL, RUN_LABEL, NAMESPACE_NAME_LABEL, POD_SECURITY, f"{POD_SECURITY}-version"})
#: A list of a NetworkPolicy that the server fills where it is empty.
_DEFAULTED = "policyTypes"
_CONTAINERS = frozenset(map(str, Container))


class Foreign:
    """The keys of labels that an arena's namespaces and pods have, and its world does not know of.

    The evaluator would be wrong about a policy that selects by one of them, so none may.
    """

    def __init__(self) -> None:
        self._of_pods: set[str] = set()
        self._of_namespaces: set[str] = set()

    def namespace(self, each: Namespace, answer: Mapping[str, Any]) -> None:
        self._of_namespaces |= _labels(answer) - each.labels.keys() - OWN_LABELS

    def pod(self, each: Pod, found: Mapping[str, Any]) -> None:
        self._of_pods |= _labels(found) - each.labels.keys() - {RUN_LABEL, POD_LABEL}

    def refuse(self, change: Change) -> None:
        """Raise ActionFailed for a change that is about one of these labels."""
        match change:
            case ApplyPolicy(policy):
                pods, namespaces = _selected_by(policy)
            case LabelPod(_, labels):
                pods, namespaces = set(labels), set()
            case LabelNamespace(_, labels):
                pods, namespaces = set(), set(labels)
            case _:
                return
        found = [f"pods have the label {key}" for key in sorted(pods & self._of_pods)]
        found += [f"namespaces have the label {key}" for key in sorted(namespaces & self._of_namespaces)]
        if found:
            raise ActionFailed(
                "the case is about a label that somebody else puts on what this run makes",
                causes=found,
                hint="a webhook or --namespace-label puts it there; without it the case can be judged",
            )


def stowaways(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the containers of a probe pod that the run did not ask for: a proxy beside an agent may answer in its place."""
    spec = found.get("spec", {})
    names = [each["name"] for kind in ("initContainers", "containers") for each in spec.get(kind) or ()]
    return tuple(name for name in names if name not in _CONTAINERS)


def is_kept(asked: Any, answered: Any) -> bool:
    """Whether all that was asked for is in the answer. The server adds defaults, and leaves out what is empty."""
    if isinstance(asked, dict):
        return not asked or (
            isinstance(answered, dict)
            and all(is_kept(value, answered.get(key)) for key, value in asked.items() if value or key != _DEFAULTED)
        )
    if isinstance(asked, list):
        if not asked:
            return not answered
        return (
            isinstance(answered, list)
            and len(asked) == len(answered)
            and all(is_kept(*pair) for pair in zip(asked, answered, strict=True))
        )
    return bool(asked == answered)


def _labels(found: Mapping[str, Any]) -> set[str]:
    return set(found.get("metadata", {}).get("labels") or ())


def _selected_by(policy: NetworkPolicy) -> tuple[set[str], set[str]]:
    """Return the keys of labels of pods, and those of namespaces, that a policy selects by."""
    peers = [peer for direction in Direction for rule in policy.rules(direction) for peer in rule.peers]
    pods = {key for one in (policy.pod_selector, *(peer.pod_selector for peer in peers)) for key in _keys(one)}
    return pods, {key for peer in peers for key in _keys(peer.namespace_selector)}


def _keys(selector: LabelSelector | None) -> Iterable[str]:
    if selector is not None:
        yield from selector.match_labels
        yield from (each.key for each in selector.match_expressions)
