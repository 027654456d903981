"""Clusters in memory that are late: what is in force when."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.lab.miniatures.registry import make
from conformance.model.case import ApplyPolicy, Change, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.default_world import default_world
from conformance.model.flow import Flow
from conformance.model.matrix import Observed
from conformance.model.policy import Direction, LabelSelector, NetworkPolicy, Peer, Rule
from conformance.model.world import Pod, Protocol

if TYPE_CHECKING:
    from conformance.lab.miniatures.perfect import PerfectArena, PerfectTarget

EVERY_LATENESS = ["slow-2s", "slow-deletes-2s", "slow-node-2s", "slow-pods-2s"]
CLOSED = NetworkPolicy("x", "p", LabelSelector(), frozenset({Direction.INGRESS}))
FROM_GREEN = Rule((Peer(pod_selector=LabelSelector({"colour": "green"})),))
GREEN_ONLY = NetworkPolicy("x", "p", LabelSelector(), frozenset({Direction.INGRESS}), (FROM_GREEN,))


class Watched:
    """A miniature's arena, and what passes in it at a time of the miniature's."""

    def __init__(self, name: str) -> None:
        self.target: PerfectTarget = make(name)
        self.arena: PerfectArena = self.target.open_arena(default_world(), "main-1")

    def wait(self, seconds: float) -> None:
        self.target.clock.sleep(seconds)

    def passes(self, source: str = "x/b", destination: str = "x/a") -> bool:
        flow = Flow(source, destination, 80, Protocol.TCP)
        return self.arena.probe([flow], 0.0)[flow].observed is Observed.ALLOWED


def test_labels_are_heard_of_late_and_policies_are_not() -> None:
    watched = Watched("slow-labels-2s")
    watched.arena.change([ApplyPolicy(GREEN_ONLY)])
    assert not watched.passes()
    watched.arena.change([LabelPod("x/b", {"colour": "green"})])
    assert not watched.passes()
    watched.wait(2.0)
    assert watched.passes()


def test_when_labels_are_heard_of_is_drawn_for_each_change() -> None:
    watched = Watched("slow-labels-2s")
    watched.arena.change([ApplyPolicy(GREEN_ONLY)])
    took = set()
    for colour in ("green", None) * 5:
        before, changed = watched.passes(), watched.target.clock.now()
        watched.arena.change([LabelPod("x/b", {"colour": colour})])
        while watched.passes() is before:
            watched.wait(0.1)
        took.add(round(watched.target.clock.now() - changed, 1))
    assert len(took) >= 5
    assert max(took) <= 2.1


@pytest.mark.parametrize("name", ["slow-0.1s", *EVERY_LATENESS])
def test_its_changes_are_awaited(name: str) -> None:
    assert not make(name).at_once


def test_every_change_is_late() -> None:
    watched = Watched("slow-2s")
    watched.arena.change([ApplyPolicy(CLOSED)])
    watched.wait(1.99)
    assert watched.passes()
    watched.wait(0.02)
    assert not watched.passes()
    watched.arena.change([DeletePolicy("x/p")])
    watched.wait(1.99)
    assert not watched.passes()
    watched.wait(0.02)
    assert watched.passes()


def test_changes_take_effect_in_order_each_after_its_own_time() -> None:
    watched = Watched("slow-2s")
    watched.arena.change([ApplyPolicy(CLOSED)])
    watched.wait(1.0)
    watched.arena.change([DeletePolicy("x/p")])
    watched.wait(1.1)
    assert not watched.passes(), "the first is in force, the second is not yet"
    watched.wait(1.0)
    assert watched.passes()


def test_only_what_is_taken_away_is_late() -> None:
    watched = Watched("slow-deletes-2s")
    watched.arena.change([ApplyPolicy(CLOSED)])
    assert not watched.passes()
    watched.arena.change([DeletePolicy("x/p")])
    watched.wait(1.9)
    assert not watched.passes()
    watched.wait(0.2)
    assert watched.passes()


def test_a_label_that_is_taken_away_and_a_rule_that_is_edited_away_are_such() -> None:
    watched = Watched("slow-deletes-2s")
    watched.arena.change([LabelPod("x/b", {"colour": "green"})])
    watched.arena.change([ApplyPolicy(GREEN_ONLY)])
    assert (watched.passes("x/b"), watched.passes("x/c")) == (True, False)
    watched.arena.change([LabelPod("x/b", {"colour": None})])
    watched.arena.change([LabelPod("x/c", {"colour": "green"})])
    assert (watched.passes("x/b"), watched.passes("x/c")) == (True, True)
    watched.wait(2.0)
    assert (watched.passes("x/b"), watched.passes("x/c")) == (False, True)
    watched.arena.change([ApplyPolicy(CLOSED)])
    assert watched.passes("x/c")
    watched.wait(2.0)
    assert not watched.passes("x/c")


def test_what_comes_back_before_it_was_taken_away_was_never_away() -> None:
    watched = Watched("slow-deletes-2s")
    watched.arena.change([ApplyPolicy(CLOSED)])
    watched.arena.change([DeletePolicy("x/p")])
    watched.wait(1.0)
    watched.arena.change([ApplyPolicy(CLOSED)])
    for _ in range(30):
        assert not watched.passes()
        watched.wait(0.1)


def test_one_node_is_late_and_the_other_is_not() -> None:
    watched = Watched("slow-node-2s")
    on = {
        number: next(pod for pod in watched.arena.world.pods.values() if pod.namespace == "x" and pod.node == number)
        for number in (0, 1)
    }
    watched.arena.change([ApplyPolicy(CLOSED)])
    assert [watched.passes("y/a", on[number].ref) for number in (0, 1)] == [False, True]
    watched.wait(2.0)
    assert [watched.passes("y/a", on[number].ref) for number in (0, 1)] == [False, False]


def test_pods_are_late_each_by_a_time_of_its_own() -> None:
    watched = Watched("slow-pods-2s")
    watched.arena.change([ApplyPolicy(CLOSED)])
    closed: dict[str, float] = {}
    for tenths in range(21):
        for ref in ("x/a", "x/b", "x/c"):
            if not watched.passes("y/a", ref):
                closed.setdefault(ref, tenths / 10)
        watched.wait(0.1)
    assert len(closed) == len(set(closed.values())) == 3


@pytest.mark.parametrize("name", EVERY_LATENESS)
def test_a_new_pod_is_isolated_from_its_start_on(name: str) -> None:
    watched = Watched(name)
    watched.arena.change([ApplyPolicy(CLOSED)])
    watched.arena.create_pod(Pod("x", "new", {"app": "new"}, node=1))
    assert not watched.passes("y/a", "x/new")


@pytest.mark.parametrize("name", EVERY_LATENESS)
def test_what_a_pod_reached_at_its_start_is_remembered(name: str) -> None:
    watched = Watched(name)
    watched.arena.create_pod(Pod("y", "new", node=1, from_start=(("x/a", 80, Protocol.TCP),)))
    watched.arena.change([ApplyPolicy(CLOSED)])
    watched.wait(5.0)
    assert not watched.passes("y/new")
    (early,) = watched.arena.early("y/new").values()
    assert early.passed is not None


@pytest.mark.parametrize("name", EVERY_LATENESS)
def test_while_it_restarts_what_was_in_force_stays(name: str) -> None:
    watched = Watched(name)
    watched.arena.change([ApplyPolicy(CLOSED)])
    watched.wait(3.0)
    watched.arena.restart_implementation()
    away = 0.0
    while watched.arena.still_away():
        assert not watched.passes()
        watched.wait(0.1)
        away += 0.1
    assert away == pytest.approx(2.0, abs=0.11)
    assert not watched.passes()


LABELS = st.sampled_from([{"colour": "green"}, {"colour": "red"}, {"colour": None}])
CHANGES = st.one_of(
    st.builds(ApplyPolicy, st.sampled_from([CLOSED, GREEN_ONLY])),
    st.builds(LabelPod, st.sampled_from(["x/b", "x/c", "y/a"]), LABELS),
    st.builds(LabelNamespace, st.just("y"), LABELS),
)


@given(st.sampled_from(EVERY_LATENESS), st.lists(st.tuples(CHANGES, st.floats(0.0, 3.0)), min_size=1, max_size=6))
def test_in_the_end_it_does_what_the_perfect_one_does(name: str, changes: list[tuple[Change, float]]) -> None:
    slow, perfect = Watched(name), Watched("perfect")
    for change, pause in changes:
        for each in (slow, perfect):
            each.arena.change([change])
        slow.wait(pause)
    slow.wait(2.0)
    sources = ("x/b", "x/c", "y/a")
    assert [slow.passes(each) for each in sources] == [perfect.passes(each) for each in sources]
