"""What can be wrong with a case as a whole: names that are not there, rows that match nothing, steps that show nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model import address
from conformance.model.case import ApplyPolicy, CreateNamespace, CreatePod, CreateService
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.state import State

if TYPE_CHECKING:
    from conformance.casefile.source import Path, Source
    from conformance.model.case import Action, Case, Expectation
    from conformance.model.flow import Flow


def check(source: Source, case: Case) -> None:
    """Walk through the case's states; problems go to the source."""
    state = State(default_world())
    for action in case.setup:
        state = _after(source, ("world",), state, action)
    for index, step in enumerate(case.steps):
        path: Path = ("steps", index)
        for action in step.actions:
            state = _after(source, path, state, action)
        if step.expect is not None:
            tried = flows(state.world, case.probe, external=case.external)
            _rows(source, (*path, "expect"), step.expect, tried, external=case.external)
    if all(step.expect is None for step in case.steps):
        source.complain(("steps",), "no step says what must be seen: give one an `expect`")


def _after(source: Source, path: Path, state: State, action: Action) -> State:
    if taken := _taken(state, action):
        source.complain(path, f"{taken} is there already")
        return state
    if isinstance(action, ApplyPolicy):
        for ref in sorted(address.refs(action.policy) - {*state.world.pods, *state.world.endpoints}):
            source.complain(path, f"$({ref}) is the address of nothing: there is no pod or endpoint {ref} at this step")
    try:
        return state.after(action)
    except KeyError as error:
        source.complain(path, f"there is no {error.args[0]} at this step")
        return state


def _taken(state: State, action: Action) -> str | None:
    match action:
        case CreateNamespace(namespace) if namespace.name in state.world.namespaces:
            return f"namespace {namespace.name}"
        case CreatePod(pod) if pod.ref in state.world.pods:
            return f"pod {pod.ref}"
        case CreateService(service) if service.ref in state.world.services:
            return f"Service {service.ref}"
    return None


def _rows(source: Source, path: Path, expect: Expectation, tried: tuple[Flow, ...], *, external: bool) -> None:
    for name, rows in (("allow", expect.allow), ("deny", expect.deny)):
        for index, row in enumerate(rows):
            if not any(row.matches(flow) for flow in tried):
                hint = (
                    ""
                    if external or "ext" not in row.text
                    else "; ext is tried only by cases with an external-… feature"
                )
                source.complain(
                    (*path, name, index), f"{row.text!r} matches none of the flows that this step tries{hint}"
                )
