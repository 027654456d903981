"""A world with more pods: what a case says of a pod is said of its copies."""

from __future__ import annotations

import pytest

from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases
from conformance.lab.miniatures.perfect import PerfectTarget
from conformance.model.case import ApplyPolicy, DeletePod, DeletePolicy, LabelPod, ReplacePod
from conformance.model.crowd import crowded, for_copies_too
from conformance.model.default_world import default_world
from conformance.model.flow import DEFAULT_PROBE, flows
from conformance.model.verdict import Verdict
from conformance.runner.session import Session


@pytest.mark.parametrize("size", [0, 5, 9])
def test_who_asks_for_no_more_has_the_world_as_it_is(size: int) -> None:
    assert crowded(default_world(), size) == default_world()


def test_copies_are_added_in_turn_on_other_nodes() -> None:
    world = crowded(default_world(), 20)
    assert len(world.pods) == 20
    assert [pod.ref for pod in world.copies("x/a")] == ["x/a-2", "x/a-3"]
    assert [pod.ref for pod in world.copies("z/c")] == ["z/c-2"]
    original, second = world.pods["x/a"], world.pods["x/a-2"]
    assert (second.labels, second.servers) == (original.labels, original.servers)
    assert second.node != original.node
    assert world.original("x/a-2") == world.original("x/a") == "x/a"
    assert world.original("ext") == "ext"


def test_two_copies_of_one_pod_are_not_tried_with_each_other() -> None:
    world = crowded(default_world(), 18)
    tried = flows(world, DEFAULT_PROBE, external=False)
    assert len(tried) == 18 * 16 * len(DEFAULT_PROBE)
    assert not [flow for flow in tried if world.original(flow.source) == world.original(flow.destination)]


def test_what_happens_to_a_pod_happens_to_its_copies() -> None:
    world = crowded(default_world(), 12)
    actions = [LabelPod("x/a", {"k": "v"}), DeletePolicy("x/p"), ReplacePod("x/b"), DeletePod("z/c")]
    assert list(for_copies_too(actions, world)) == [
        LabelPod("x/a", {"k": "v"}),
        LabelPod("x/a-2", {"k": "v"}),
        DeletePolicy("x/p"),
        ReplacePod("x/b"),
        ReplacePod("x/b-2"),
        DeletePod("z/c"),
    ]


@pytest.mark.parametrize("id", ["YQT9", "C4FF-ingress-replaced-subject", "C4FF-egress-labelled-peer"])
def test_a_case_means_the_same_in_a_crowd(id: str) -> None:  # noqa: A002 -- what it is
    case = next(each for each in load_cases(find([cases()])) if each.id == id)
    result = Session(PerfectTarget(), world=crowded(default_world(), 12)).run(case)
    assert result.verdict is Verdict.PASS
    alone = Session(PerfectTarget()).run(case)
    assert result.steps[-1].cells > alone.steps[-1].cells


def test_a_case_that_names_an_address_tries_no_copies() -> None:
    case = next(
        each
        for each in load_cases(find([cases() / "ipblock"]))
        if any(
            "$(" in str(action.policy.manifest)
            for step in each.steps
            for action in step.actions
            if isinstance(action, ApplyPolicy)
        )
    )
    crowd, alone = (Session(PerfectTarget(), world=crowded(default_world(), size)).run(case) for size in (12, 9))
    assert crowd.verdict is Verdict.PASS
    assert [step.cells for step in crowd.steps] == [step.cells for step in alone.steps]
