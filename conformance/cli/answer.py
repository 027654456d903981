"""What `explain` answers: from flows to lines of text."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

from conformance.errors import UsageError
from conformance.judge.advice import to_block, to_pass
from conformance.judge.explain import side_sentence
from conformance.model.flow import Flow
from conformance.oracle.evaluate import evaluate
from conformance.oracle.nearly import near_misses
from conformance.report.declared_grid import grid_of, grid_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model.decision import Decision
    from conformance.model.state import State
    from conformance.model.world import Protocol


_MOST_PODS = 500


def of(state: State, flow: Flow) -> tuple[Decision, Sequence[str]]:
    """Return the decision on a flow to a pod or an endpoint, and what is said of it."""
    decision = evaluate(state, [flow])[flow]
    return decision, list(_lines(state, decision))


def matrix(state: State, port: tuple[int, Protocol]) -> Iterator[str]:
    """Yield the lines of who reaches whom on one port."""
    if (count := len(state.world.pods)) > _MOST_PODS:
        raise UsageError(
            f"there are {count} pods, and of more than {_MOST_PODS} no matrix can be read",
            hint="ask for one flow with --from and --to, or give the manifests of fewer pods",
        )
    tried = [Flow(source, destination, *port) for source, destination in permutations(state.world.pods, 2)]
    if not tried:
        raise UsageError("there are not two pods to connect", hint="give their manifests too, or name them with --pod")
    decisions = evaluate(state, tried)
    yield f"{port[0]}/{port[1]}, all: passes, -: is blocked, .: not asked"
    yield from grid_text(grid_of({flow: bool(decisions[flow].allowed) for flow in tried}), None)


def _lines(state: State, decision: Decision) -> Iterator[str]:
    flow = decision.flow
    yield f"{'ALLOWED' if decision.allowed else 'BLOCKED'} {flow}"
    for side in decision.sides:
        yield f"  {'+' if side.allowed else '-'} {side_sentence(side)}"
    if decision.allowed:
        if advice := list(to_block(decision)):
            yield "  it would be blocked by any of these:"
            yield from (f"    - {each}" for each in advice)
        return
    for side in decision.sides:
        if not side.allowed:
            yield f"  for the {side.direction.lower()} of {side.pod} to let it pass, any of these would do:"
            yield from (f"    - {each}" for each in to_pass(side, flow, list(near_misses(state, flow, side))))
