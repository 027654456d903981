"""A case without a target: what a person declared against what the evaluator computes, with the addresses of a usual cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from conformance.model import address
from conformance.model.case import ApplyPolicy
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.state import State
from conformance.oracle.evaluate import Evaluator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model.case import Action, Case, Step
    from conformance.model.decision import Decision
    from conformance.model.world import World


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A flow on which the case and the evaluator differ: one of the two misreads the specification."""

    step: Step
    declared: bool
    decision: Decision


def rehearse(case: Case) -> Iterator[Disagreement]:
    """Yield every flow of every step that is read on which the case file and the evaluator differ."""
    state = State(_usual_world())
    for action in case.setup:
        state = after(state, action)
    for step in case.steps:
        for action in step.actions:
            state = after(state, action)
        if step.expect is not None:
            tried = flows(state.world, case.probe, external=case.external)
            evaluator = Evaluator(state)
            for flow in tried:
                decision, declared = evaluator.decide(flow), step.expect.allows(flow)
                if decision.allowed is not declared:
                    yield Disagreement(step, declared, decision)


def after(state: State, action: Action) -> State:
    """Return the state after an action, with addresses for what is new and named addresses filled in."""
    if isinstance(action, ApplyPolicy):
        action = ApplyPolicy(address.fill_in(action.policy, state.world))
    state = state.after(action)
    return replace(state, world=address.with_sample_addresses(state.world))


@cache
def _usual_world() -> World:
    return address.with_sample_addresses(default_world())
