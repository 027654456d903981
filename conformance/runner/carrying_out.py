"""Carry a case's actions out on an arena, and take them back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model import address
from conformance.model.case import (
    ApplyPolicy,
    Change,
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
from conformance.model.world import CANARY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conformance.model.case import Action
    from conformance.model.state import State
    from conformance.model.world import Pod, Service, World
    from conformance.runner.target import Arena


def carry_out(actions: Sequence[Action], state: State, arena: Arena) -> State:
    """Do actions in order, and return the state that they lead to, with the arena's addresses.

    Changes that follow each other are made together, unless they are of the same object.
    """
    for together in _groups(actions):
        if isinstance(together, list):
            done = [_filled_in(each, arena.world) for each in together]
            arena.change(done)
            for each in done:
                state = state.after(each)
        else:
            _do(together, state, arena)
            state = state.after(together)
        state = replace(state, world=arena.world)
    return state


def _groups(actions: Iterable[Action]) -> Iterator[Action | list[Change]]:
    changes: dict[tuple[str, str], Change] = {}
    for action in actions:
        if changes and (not isinstance(action, Change) or _changed(action) in changes):
            yield list(changes.values())
            changes = {}
        if isinstance(action, Change):
            changes[_changed(action)] = action
        else:
            yield action
    if changes:
        yield list(changes.values())


def _changed(change: Change) -> tuple[str, str]:
    """Return what object it is that a change is of."""
    match change:
        case ApplyPolicy(policy):
            return "policy", policy.ref
        case DeletePolicy(ref):
            return "policy", ref
        case LabelPod(ref):
            return "pod", ref
        case LabelNamespace(name):
            return "namespace", name


def _filled_in(change: Change, world: World) -> Change:
    return ApplyPolicy(address.fill_in(change.policy, world)) if isinstance(change, ApplyPolicy) else change


def _do(action: Action, state: State, arena: Arena) -> None:
    match action:
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


def take_back(state: State, wanted: World, arena: Arena) -> None:
    """Delete all policies, and make the arena's world what it was; only what differs is touched."""
    generations = {ref: pod.generation for ref, pod in (*wanted.pods.items(), *arena.world.pods.items())}
    if changes := [*map(DeletePolicy, state.policies), *_relabelling(arena.world, wanted)]:
        arena.change(changes)
    _remove(wanted, arena)
    for name, namespace in wanted.namespaces.items():
        if name not in arena.world.namespaces:
            arena.create_namespace(namespace)
    for ref, pod in wanted.pods.items():
        if ref not in arena.world.pods:
            arena.create_pod(replace(pod, generation=generations[ref] + 1, addresses=()))
    for ref, service in wanted.services.items():
        if ref not in arena.world.services:
            arena.create_service(replace(service, addresses=(), node_ports={}))


def _relabelling(world: World, wanted: World) -> Iterator[Change]:
    """Yield what gives all that stays the labels that it had. The canaries' are the barrier's alone: it counts on the last that it gave them."""
    for name, namespace in wanted.namespaces.items():
        now = world.namespaces.get(name)
        if name != CANARY and now is not None and (labels := _differing(now.labels, namespace.labels)):
            yield LabelNamespace(name, labels)
    for ref, pod in wanted.pods.items():
        stays = pod.namespace != CANARY and _same_pod(world.pods.get(ref), pod)
        if stays and (labels := _differing(world.pods[ref].labels, pod.labels)):
            yield LabelPod(ref, labels)


def _remove(wanted: World, arena: Arena) -> None:
    """Delete what the case made, or made otherwise than it was; what goes with its namespace anyway is not deleted first."""
    world = arena.world
    for service in [each for ref, each in world.services.items() if not _same_service(each, wanted.services.get(ref))]:
        if service.namespace in wanted.namespaces:
            arena.delete_service(service.ref)
    others = [each for ref, each in world.pods.items() if not _same_pod(each, wanted.pods.get(ref))]
    pods = [pod.ref for pod in others if pod.namespace in wanted.namespaces]
    namespaces = sorted(world.namespaces.keys() - wanted.namespaces.keys())
    if pods or namespaces:
        arena.discard(pods, namespaces)


def _same_pod(now: Pod | None, wanted: Pod | None) -> bool:
    """Tell whether labels are all that has to be changed; a pod made again is as good as the one before."""
    return (
        now is not None
        and wanted is not None
        and (now.servers, now.node, now.phase) == (wanted.servers, wanted.node, wanted.phase)
    )


def _same_service(now: Service, wanted: Service | None) -> bool:
    return wanted is not None and (now.type, now.selector, now.ports) == (wanted.type, wanted.selector, wanted.ports)


def _differing(now: Mapping[str, str], wanted: Mapping[str, str]) -> Mapping[str, str | None]:
    removed: dict[str, str | None] = dict.fromkeys(now.keys() - wanted.keys())
    return {**removed, **{key: value for key, value in wanted.items() if now.get(key) != value}}
