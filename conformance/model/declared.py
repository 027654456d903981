"""A case without a target: what there is at each step that is read, on a usual cluster, and what the case declares of each flow."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from conformance.model import address
from conformance.model.case import ApplyPolicy
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.state import State

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from conformance.model.case import Action, Case, Step
    from conformance.model.flow import Flow
    from conformance.model.world import IPFamily, World


@dataclass(frozen=True, slots=True)
class DeclaredStep:
    """A step that is read: what there is then, the flows that are tried, and of each whether it must pass."""

    step: Step
    state: State
    tried: tuple[Flow, ...]
    allowed: tuple[bool, ...]


def declared_steps(case: Case) -> Iterator[DeclaredStep]:
    """Walk through a case, with the addresses of a usual cluster in place of those that a target gives."""
    state = State(_usual_world(case.addressed))
    for action in case.setup:
        state = after(state, action, case.addressed)
    for step in case.steps:
        for action in step.actions:
            state = after(state, action, case.addressed)
        if step.expect is not None:
            tried = flows(state.world, case.probe, external=case.external, families=case.families)
            yield DeclaredStep(step, state, tried, tuple(map(step.expect.allows, tried)))


def after(state: State, action: Action, families: Collection[IPFamily]) -> State:
    """Return the state after an action, with addresses for what is new and named addresses filled in."""
    if isinstance(action, ApplyPolicy):
        action = ApplyPolicy(address.fill_in(action.policy, state.world))
    state = state.after(action)
    return replace(state, world=address.with_sample_addresses(state.world, families))


@cache
def _usual_world(families: tuple[IPFamily, ...]) -> World:
    return address.with_sample_addresses(default_world(), families)
