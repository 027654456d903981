"""Which pods a label selector means, written from the specification and from nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.policy import Operator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model.policy import LabelSelector, Peer, Requirement
    from conformance.model.world import Pod, World


def selects(selector: LabelSelector, labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy all of a selector; an empty one is satisfied by any."""
    return selector.match_labels.items() <= labels.items() and all(
        _satisfies(requirement, labels) for requirement in selector.match_expressions
    )


def chosen(peer: Peer, home: str, world: World) -> tuple[Pod, ...]:
    """Return the running pods that a peer's selectors mean, in a policy of the namespace `home`."""
    if peer.pod_selector is None and peer.namespace_selector is None:
        return ()
    return tuple(
        pod
        for pod in world.running
        if _in_namespace(peer.namespace_selector, pod.namespace, home, world)
        and (peer.pod_selector is None or selects(peer.pod_selector, pod.labels))
    )


def _in_namespace(selector: LabelSelector | None, name: str, home: str, world: World) -> bool:
    if selector is None:
        return name == home
    return name in world.namespaces and selects(selector, world.namespaces[name].all_labels)


def _satisfies(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    has = requirement.key in labels
    match requirement.operator:
        case Operator.EXISTS:
            return has
        case Operator.DOES_NOT_EXIST:
            return not has
        case Operator.IN:
            return has and labels[requirement.key] in requirement.values
        case Operator.NOT_IN:
            return not has or labels[requirement.key] not in requirement.values
