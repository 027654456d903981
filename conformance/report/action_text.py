"""What an action does, in words for people."""

from __future__ import annotations

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
from conformance.report.world_text import namespace_text, pod_text, service_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from conformance.model.case import Action, Case
    from conformance.model.state import State


def action_text(action: Action, state: State, names: frozenset[str]) -> str:  # noqa: C901 -- one branch for each action
    """Say what an action makes of a state; of the names of ports, those given are told. A policy's manifest is not part of it."""
    match action:
        case ApplyPolicy(policy):
            there = policy.ref in state.policies
            return f"replace the whole of policy {policy.ref} by" if there else f"create policy {policy.ref}"
        case DeletePolicy(ref):
            return f"delete policy {ref}"
        case LabelPod(ref, labels):
            return f"label pod {ref}: {_labelled(labels)}"
        case LabelNamespace(name, labels):
            return f"label namespace {name}: {_labelled(labels)}"
        case CreateNamespace(namespace):
            return f"create namespace {namespace_text(namespace)}"
        case DeleteNamespace(name):
            return f"delete namespace {name}, with all that is in it"
        case CreatePod(pod):
            return f"create pod {pod.ref} on worker {pod.node}: {pod_text(pod, names)}"
        case ReplacePod(ref):
            return f"delete pod {ref} and make it again, with the same labels; its address may be another"
        case DeletePod(ref):
            return f"delete pod {ref}"
        case CreateService(service):
            return f"create Service {service_text(service, state.world)}"
        case RestartImplementation():
            return "end what enforces policies, on every node, and have it started again; what is blocked before and after must stay so meanwhile"


def port_names(case: Case) -> frozenset[str]:
    """Return the names of ports that a case's policies and Services use: those that a person needs to be told."""
    used: list[int | str | None] = []
    for action in actions(case):
        match action:
            case ApplyPolicy(policy):
                used += [port.port for rule in (*policy.ingress, *policy.egress) for port in rule.ports]
            case CreateService(service):
                used += [port.target_port for port in service.ports]
    return frozenset(name for name in used if isinstance(name, str))


def actions(case: Case) -> Iterator[Action]:
    """Yield all that a case changes, before its first step and in its steps."""
    yield from case.setup
    for step in case.steps:
        yield from step.actions


def _labelled(labels: Mapping[str, str | None]) -> str:
    return ", ".join(f"remove {key}" if value is None else f"set {key}={value}" for key, value in labels.items())
