"""The world and the policies in it, and what each action makes of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conformance.model.case import (
    ApplyPolicy,
    CreateNamespace,
    CreatePod,
    CreateService,
    DeleteNamespace,
    DeletePod,
    DeletePolicy,
    LabelNamespace,
    LabelPod,
    ReplacePod,
    RestartImplementation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model.case import Action
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import Pod, World


@dataclass(frozen=True, slots=True)
class State:
    """What the API server holds at one moment; policies are keyed by `namespace/name`.

    `generations` remembers pods that are gone, so that one made again under the same name is told from them.
    """

    world: World
    policies: Mapping[str, NetworkPolicy] = field(default_factory=dict)
    generations: Mapping[str, int] = field(default_factory=dict)

    def after(self, action: Action) -> State:  # noqa: C901 -- one branch for each action
        """Return the state that an action leads to; KeyError where it names something that is not there."""
        world = self.world
        match action:
            case ApplyPolicy(policy):
                _ = world.namespaces[policy.namespace]
                return replace(self, policies={**self.policies, policy.ref: policy})
            case DeletePolicy(ref):
                _ = self.policies[ref]
                return replace(self, policies={key: each for key, each in self.policies.items() if key != ref})
            case LabelPod(ref, labels):
                pod = world.pods[ref]
                return self._with(world.with_pod(replace(pod, labels=_relabelled(pod.labels, labels))))
            case LabelNamespace(name, labels):
                namespace = world.namespaces[name]
                return self._with(
                    world.with_namespace(replace(namespace, labels=_relabelled(namespace.labels, labels)))
                )
            case CreateNamespace(namespace):
                return self._with(world.with_namespace(namespace))
            case DeleteNamespace(name):
                _ = world.namespaces[name]
                kept = {key: each for key, each in self.policies.items() if each.namespace != name}
                return replace(self._with(world.without_namespace(name)), policies=kept)
            case CreatePod(pod):
                _ = world.namespaces[pod.namespace]
                return self._with(world.with_pod(pod))
            case ReplacePod(ref):
                pod = world.pods[ref]
                return self._with(world.with_pod(replace(pod, generation=pod.generation + 1, addresses=())))
            case DeletePod(ref):
                _ = world.pods[ref]
                return self._with(world.without_pod(ref))
            case CreateService(service):
                _ = world.namespaces[service.namespace]
                return self._with(world.with_service(service))
            case RestartImplementation():
                return self

    def told_apart(self, pod: Pod) -> Pod:
        """Return a pod that is to be made, with a generation that no pod of its name has had in this state."""
        return replace(pod, generation=self.generations.get(pod.ref, 0) + 1)

    def _with(self, world: World) -> State:
        gone = {ref: pod.generation for ref, pod in self.world.pods.items() if ref not in world.pods}
        return replace(self, world=world, generations={**self.generations, **gone})


def _relabelled(labels: Mapping[str, str], changes: Mapping[str, str | None]) -> Mapping[str, str]:
    merged = {**labels, **changes}
    return {key: value for key, value in merged.items() if value is not None}
