"""Carry a case's actions out on an arena, and take them back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model import address
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
    from conformance.model.state import State
    from conformance.model.world import Pod, Service, World
    from conformance.runner.target import Arena


def carry_out(action: Action, state: State, arena: Arena) -> State:  # noqa: C901 -- one branch for each action
    """Do one action and return the state that it leads to, with the arena's addresses."""
    match action:
        case ApplyPolicy(policy):
            action = ApplyPolicy(address.fill_in(policy, arena.world))
            arena.apply_policy(action.policy)
        case DeletePolicy(ref):
            arena.delete_policy(ref)
        case LabelPod(ref, labels):
            arena.label_pod(ref, labels)
        case LabelNamespace(name, labels):
            arena.label_namespace(name, labels)
        case CreateNamespace(namespace):
            arena.create_namespace(namespace)
        case DeleteNamespace(name):
            arena.delete_namespace(name)
        case CreatePod(pod):
            arena.create_pod(state.told_apart(pod))
        case ReplacePod(ref):
            arena.delete_pod(ref)
            arena.create_pod(state.after(action).world.pods[ref])
        case DeletePod(ref):
            arena.delete_pod(ref)
        case CreateService(service):
            arena.create_service(service)
        case RestartImplementation():
            arena.restart_implementation()
    return replace(state.after(action), world=arena.world)


def take_back(state: State, wanted: World, arena: Arena) -> None:
    """Delete all policies, and make the arena's world what it was; only what differs is touched."""
    for ref in state.policies:
        arena.delete_policy(ref)
    generations = {ref: pod.generation for ref, pod in (*wanted.pods.items(), *arena.world.pods.items())}
    _remove(wanted, arena)
    for name, namespace in wanted.namespaces.items():
        if name not in arena.world.namespaces:
            arena.create_namespace(namespace)
        elif changes := _changes(arena.world.namespaces[name].labels, namespace.labels):
            arena.label_namespace(name, changes)
    for ref, pod in wanted.pods.items():
        if ref not in arena.world.pods:
            arena.create_pod(replace(pod, generation=generations[ref] + 1, addresses=()))
        elif changes := _changes(arena.world.pods[ref].labels, pod.labels):
            arena.label_pod(ref, changes)
    for ref, service in wanted.services.items():
        if ref not in arena.world.services:
            arena.create_service(replace(service, addresses=(), node_ports={}))


def _remove(wanted: World, arena: Arena) -> None:
    """Delete what the case made, or made otherwise than it was; what goes with its namespace anyway is not deleted first."""
    world = arena.world
    for service in [each for ref, each in world.services.items() if not _same_service(each, wanted.services.get(ref))]:
        if service.namespace in wanted.namespaces:
            arena.delete_service(service.ref)
    for pod in [each for ref, each in world.pods.items() if not _same_pod(each, wanted.pods.get(ref))]:
        if pod.namespace in wanted.namespaces:
            arena.delete_pod(pod.ref)
    for name in sorted(world.namespaces.keys() - wanted.namespaces.keys()):
        arena.delete_namespace(name)


def _same_pod(now: Pod, wanted: Pod | None) -> bool:
    """Tell whether labels are all that has to be changed; a pod made again is as good as the one before."""
    return wanted is not None and (now.servers, now.node, now.phase) == (wanted.servers, wanted.node, wanted.phase)


def _same_service(now: Service, wanted: Service | None) -> bool:
    return wanted is not None and (now.type, now.selector, now.ports) == (wanted.type, wanted.selector, wanted.ports)


def _changes(now: Mapping[str, str], wanted: Mapping[str, str]) -> Mapping[str, str | None]:
    removed: dict[str, str | None] = dict.fromkeys(now.keys() - wanted.keys())
    return {**removed, **{key: value for key, value in wanted.items() if now.get(key) != value}}
