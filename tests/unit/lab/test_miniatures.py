"""Miniatures that have one defect, and by which names they are made."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.choose import choose
from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases
from conformance.errors import UsageError
from conformance.lab.miniatures.registry import DEFECTS, make
from conformance.model.case import ApplyPolicy, DeletePolicy, LabelPod
from conformance.model.default_world import default_world
from conformance.model.flow import DEFAULT_PROBE, Flow, flows
from conformance.model.matrix import CellVerdict, Observed
from conformance.model.policy import Direction, IPBlock, LabelSelector, NetworkPolicy, Peer, Rule
from conformance.model.verdict import Verdict
from conformance.model.world import Protocol
from conformance.runner.session import Session

if TYPE_CHECKING:
    from conformance.lab.miniatures.perfect import PerfectArena
    from conformance.model.case import Case

INGRESS = frozenset({Direction.INGRESS})


@pytest.fixture
def deny() -> Case:
    (case,) = choose(load_cases(list(find([cases()]))), ["WF4X"])
    return case


X_A = LabelSelector({"pod": "a"})


def policy(name: str, *peers: Peer, selects: LabelSelector = X_A) -> NetworkPolicy:
    return NetworkPolicy("x", name, selects, INGRESS, (Rule(peers),) if peers else ())


def passes(arena: PerfectArena, flow: str) -> bool:
    source, _, destination = flow.partition(" -> ")
    tried = Flow(source, destination, 80, Protocol.TCP)
    return arena.probe([tried], 1.0)[tried].observed is Observed.ALLOWED


def ignores_except(arena: PerfectArena) -> str:
    block = IPBlock("0.0.0.0/0", (arena.world.pods["x/b"].addresses[0] + "/32",))
    arena.change([ApplyPolicy(policy("p", Peer(ip_block=block)))])
    return "x/b -> x/a"


def ignores_namespace(arena: PerfectArena) -> str:
    arena.change([ApplyPolicy(policy("p", Peer(pod_selector=LabelSelector({"pod": "b"}))))])
    return "y/b -> x/a"


def isolates_both(arena: PerfectArena) -> str:
    arena.change([ApplyPolicy(policy("p", Peer(pod_selector=LabelSelector())))])
    return "x/a -> y/a"


def keeps_rules(arena: PerfectArena) -> str:
    arena.change([ApplyPolicy(policy("p", Peer(pod_selector=LabelSelector({"pod": "b"}))))])
    arena.change([ApplyPolicy(policy("p"))])
    return "x/b -> x/a"


def keeps_labels(arena: PerfectArena) -> str:
    arena.change([LabelPod("x/b", {"colour": "green"})])
    arena.change([ApplyPolicy(policy("p", Peer(pod_selector=LabelSelector({"colour": "green"}))))])
    arena.change([LabelPod("x/b", {"colour": None})])
    return "x/b -> x/a"


def last_policy_wins(arena: PerfectArena) -> str:
    arena.change([ApplyPolicy(policy("p", Peer(pod_selector=LabelSelector({"pod": "b"}))))])
    arena.change([ApplyPolicy(policy("q", Peer(pod_selector=LabelSelector({"pod": "c"}))))])
    return "x/b -> x/a"


def delete_opens(arena: PerfectArena) -> str:
    arena.change([ApplyPolicy(policy("q", selects=LabelSelector()))])
    arena.change([ApplyPolicy(policy("p"))])
    arena.change([DeletePolicy("x/q")])
    return "x/b -> x/a"


#: For each mistake, what must be done for it to show; it returns a flow that is then seen otherwise than it must be.
SHOWN = {
    "ignores-except": ignores_except,
    "ignores-namespace": ignores_namespace,
    "isolates-both": isolates_both,
    "keeps-rules": keeps_rules,
    "keeps-labels": keeps_labels,
    "last-policy-wins": last_policy_wins,
    "delete-opens": delete_opens,
}


@pytest.mark.parametrize("name", SHOWN)
def test_each_makes_its_mistake_and_no_other(name: str) -> None:
    for mistake in ("perfect", *SHOWN):
        arena = make(mistake).open_arena(default_world(), "main-1")
        right = make("perfect").open_arena(default_world(), "main-1")
        flow = SHOWN[name](arena)
        SHOWN[name](right)
        assert (passes(arena, flow) is not passes(right, flow)) is (mistake == name), mistake


def test_every_defect_has_a_name_of_its_own_a_class_and_a_sentence() -> None:
    assert len(DEFECTS) >= 150
    assert {each.of for each in DEFECTS.values()} == {f"M{number:02}" for number in range(1, 41)}
    assert all(name == each.name and each.what for name, each in DEFECTS.items())
    assert len({each.what for each in DEFECTS.values()}) == len(DEFECTS)


@pytest.mark.parametrize("name", DEFECTS)
def test_without_policies_a_defect_does_not_show(name: str) -> None:
    arena = make(name).open_arena(default_world(), "main-1")
    tried = flows(arena.world, DEFAULT_PROBE, external=True)
    assert all(seen.observed is Observed.ALLOWED for seen in arena.probe(tried, 1.0).values())


@pytest.mark.parametrize("scope", ["egress", "ingress"])
def test_a_defect_may_show_in_one_direction_only(scope: str) -> None:
    arena = make(f"enforces-nothing@{scope}").open_arena(default_world(), "main-1")
    both = NetworkPolicy("x", "p", X_A, frozenset(Direction))
    arena.change([ApplyPolicy(both)])
    assert passes(arena, "x/a -> x/b") is (scope == "egress")
    assert passes(arena, "x/b -> x/a") is (scope == "ingress")


def test_a_pod_that_is_made_again_has_another_address() -> None:
    arena = make("perfect").open_arena(default_world(), "main-1")
    pod = arena.world.pods["x/a"]
    arena.delete_pod("x/a")
    arena.create_pod(replace(pod, addresses=(), generation=2))
    assert not set(pod.addresses) & set(arena.world.pods["x/a"].addresses)


@pytest.mark.parametrize("name", ["perfect", "delete-opens", "slow-2s", "slow-node-0.5s+keeps-rules"])
def test_it_is_called_what_it_was_asked_for_by(name: str) -> None:
    described = make(name).describe()
    assert (described.target, described.implementation) == (f"mini:{name}", f"mini-{name}")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "nope",
        "slow",
        "slow-2",
        "slow-pod-2s",
        "slow-2s+",
        "slow-2s+perfect",
        "slow-2s+nope",
        "perfect+delete-opens",
    ],
)
def test_names_that_none_has(name: str) -> None:
    with pytest.raises(UsageError, match="no miniature is called"):
        make(name)


@pytest.mark.parametrize(
    ("name", "verdict", "cells"),
    [
        ("flaps", Verdict.FAIL, {CellVerdict.UNSTABLE}),
        ("failing-exec", Verdict.PASS, set()),
        ("no-exec", Verdict.ERROR, set()),
        ("dying-server", Verdict.ERROR, {CellVerdict.UNKNOWN}),
        ("slow-5s", Verdict.PASS, set()),
        ("slow-200s", Verdict.FAIL, {CellVerdict.LEAK}),
    ],
)
def test_what_disturbs_a_run_is_held_against_nobody_but_a_plugin_that_flaps_or_is_too_late(
    name: str, verdict: Verdict, cells: set[CellVerdict], deny: Case
) -> None:
    result = Session(make(name)).run(deny)
    assert result.verdict is verdict
    assert {cell.verdict for step in result.steps for cell in step.findings} == cells
    if name == "slow-5s":
        assert max(result.steps[0].latencies) >= 5.0
