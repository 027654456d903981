"""Miniatures that make one mistake, and by which names they are made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.errors import UsageError
from conformance.lab.miniatures.mistakes import MISTAKES
from conformance.lab.miniatures.registry import make
from conformance.model.case import ApplyPolicy, DeletePolicy, LabelPod
from conformance.model.default_world import default_world
from conformance.model.flow import Flow
from conformance.model.matrix import Observed
from conformance.model.policy import Direction, IPBlock, LabelSelector, NetworkPolicy, Peer, Rule
from conformance.model.world import Protocol

if TYPE_CHECKING:
    from conformance.lab.miniatures.perfect import PerfectArena

INGRESS = frozenset({Direction.INGRESS})
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


@pytest.mark.parametrize("name", MISTAKES)
def test_each_makes_its_mistake_and_no_other(name: str) -> None:
    for mistake in ("perfect", *MISTAKES):
        arena = make(mistake).open_arena(default_world(), "main-1")
        right = make("perfect").open_arena(default_world(), "main-1")
        flow = SHOWN[name](arena)
        SHOWN[name](right)
        assert (passes(arena, flow) is not passes(right, flow)) is (mistake == name), mistake


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
