"""A world with more pods than cases know: copies of those that they do, with the same labels and servers, on other nodes.

What a case says of a pod is said of its copies: they are selected, labelled, replaced and deleted together. So a case means the same in a
crowd, and an implementation has as many more members, rules and events to cope with. Two copies of one pod are not tried with each other,
since of a pod and itself no case says anything.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.model import address
from conformance.model.case import ApplyPolicy, DeletePod, LabelPod, ReplacePod
from conformance.model.flow import flows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from conformance.model.case import Action, Case, Expectation
    from conformance.model.flow import Flow
    from conformance.model.world import World


def crowded(world: World, size: int) -> World:
    """Add copies in turn until there are so many pods; the world itself where it has as many already."""
    workers = {pod.node for pod in world.pods.values()}
    originals = tuple(world.pods.values())
    for number in range(max(0, size - len(originals))):
        pod = originals[number % len(originals)]
        turn = number // len(originals) + 1
        node = (pod.node + turn) % len(workers)
        world = world.with_pod(replace(pod, name=f"{pod.name}-{turn + 1}", node=node, copy_of=pod.ref))
    return world


def for_copies_too(actions: Iterable[Action], world: World) -> Iterator[Action]:
    """Yield actions, and after each that is about a pod the same for its copies."""
    for action in actions:
        yield action
        if isinstance(action, LabelPod | ReplacePod | DeletePod):
            yield from (replace(action, ref=copy.ref) for copy in world.copies(action.ref))


def declared(expectation: Expectation, tried: Iterable[Flow], world: World) -> Mapping[Flow, bool]:
    """Return what a case says of flows: of those from and to copies, what it says of the pods that they are copies of."""
    return {flow: expectation.allows(_of_originals(flow, world)) for flow in tried}


def tried(case: Case, world: World) -> tuple[Flow, ...]:
    """Return the flows of a reading. A case that names a pod's address means that pod alone: then none of the copies is tried."""
    if any(pod.copy_of for pod in world.pods.values()) and _names_addresses(case):
        world = replace(world, pods={ref: pod for ref, pod in world.pods.items() if not pod.copy_of})
    return flows(world, case.probe, external=case.external, families=case.families)


def _names_addresses(case: Case) -> bool:
    actions = (action for step in case.steps for action in step.actions)
    return any(isinstance(each, ApplyPolicy) and bool(address.refs(each.policy)) for each in (*case.setup, *actions))


def _of_originals(flow: Flow, world: World) -> Flow:
    source, destination = world.original(flow.source), world.original(flow.destination)
    if (source, destination) == (flow.source, flow.destination):
        return flow
    return replace(flow, source=source, destination=destination)
