"""The sentences that say why a case was not judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.judge.explain import explain
from conformance.model.matrix import CellVerdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model.case import Step
    from conformance.model.decision import Decision
    from conformance.model.flow import Flow
    from conformance.model.verdict import StepResult
    from conformance.runner.settling import Settled


def not_connected(settled: Settled) -> str:
    return f"the world does not connect before any policy: {some(settled)}"


def some(settled: Settled) -> str:
    """Name the first few cells that do not agree, and what was seen of them."""
    examples = [f"{flow} {settled.observations[flow].observed}" for flow in sorted(settled.verdicts)]
    return "; ".join(examples[:5]) + (f"; and {len(examples) - 5} more" if len(examples) > 5 else "")  # noqa: PLR2004


def suite_disagrees(step: Step, expected: Mapping[Flow, bool], differing: Sequence[Decision]) -> str:
    first = differing[0]
    said = "allowed" if expected[first.flow] else "blocked"
    why = "; ".join(explain(first)) or "its backends differ, or there are none"
    return (
        f"the suite disagrees with itself on {len(differing)} flows of step {step.name!r}: the case declares {first.flow} "
        f"{said}, the evaluator says otherwise: {why}"
    )


def befell(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Say which of the implementation's agents somebody took away or replaced while the case ran; nothing where nobody did."""
    gone = sorted(node for node, agent in before.items() if after.get(node) != agent)
    if not gone:
        return ""
    return f"something is not as it must be, but somebody replaced or removed the implementation's agent on {', '.join(gone)} while the case ran"


def unknown(steps: Sequence[StepResult]) -> str:
    unknown = [cell for step in steps for cell in step.findings if cell.verdict is CellVerdict.UNKNOWN]
    first = unknown[0]
    return (
        f"{len(unknown)} flows could not be measured, such as {first.flow}: {first.observation.detail or 'no detail'}"
    )
