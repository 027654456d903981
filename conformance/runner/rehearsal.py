"""A case without a target: what a person declared against what the evaluator computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.oracle.evaluate import Evaluator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conformance.model.case import Step
    from conformance.model.decision import Decision
    from conformance.model.declared import DeclaredStep


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A flow on which the case and the evaluator differ: one of the two misreads the specification."""

    step: Step
    declared: bool
    decision: Decision


def rehearse(steps: Iterable[DeclaredStep]) -> Iterator[Disagreement]:
    """Yield every flow of a case's steps on which the case file and the evaluator differ."""
    for each in steps:
        evaluator = Evaluator(each.state)
        for flow, declared in zip(each.tried, each.allowed, strict=True):
            decision = evaluator.decide(flow)
            if decision.allowed is not declared:
                yield Disagreement(each.step, declared, decision)
