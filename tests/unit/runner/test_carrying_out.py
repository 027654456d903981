"""Actions on an arena, and the world as it was before them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from runner_fakes import ALLOWED, ScriptedTarget, under_policies

from conformance.errors import ActionFailed
from conformance.model.case import (
    ApplyPolicy,
    CreateNamespace,
    CreatePod,
    CreateService,
    DeleteNamespace,
    DeletePod,
    DeletePolicy,
    LabelNamespace,
    LabelPod,
    ReplacePod,
)
from conformance.model.default_world import default_world
from conformance.model.policy import Direction, IPBlock, LabelSelector, NetworkPolicy, Peer, Rule
from conformance.model.state import State
from conformance.model.verdict import Verdict
from conformance.model.world import Namespace, Pod, Protocol, Server, Service, ServicePort, World
from conformance.runner.carrying_out import carry_out, take_back

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runner_fakes import Script, ScriptedArena

    from conformance.model.case import Action, Case
    from conformance.runner.session import Session

SERVERS = (Server(80, Protocol.TCP),)
SERVICE = Service("x", "web", {"pod": "a"}, (ServicePort(8080, 80),))


def policy(name: str = "deny", namespace: str = "x", cidr: str = "") -> NetworkPolicy:
    peers = (Peer(ip_block=IPBlock(cidr)),) if cidr else ()
    rules = (Rule(peers),) if cidr else ()
    manifest: dict[str, Any] = {"spec": {"ingress": [{"from": [{"ipBlock": {"cidr": cidr}}]}]}}
    return NetworkPolicy(
        namespace, name, LabelSelector(), frozenset({Direction.INGRESS}), ingress=rules, manifest=manifest
    )


@pytest.fixture
def arena(target: ScriptedTarget) -> ScriptedArena:
    return target.open_arena(default_world(), "main-1")


def done(arena: ScriptedArena, *actions: Action) -> State:
    state = carry_out(actions, State(arena.world), arena)
    arena.script.log.clear()
    return state


def shape(world: World) -> Any:
    """Return what a world is to a case: all but who was made again, and where."""
    return (
        {name: dict(each.labels) for name, each in world.namespaces.items()},
        {ref: (dict(each.labels), each.servers, each.node) for ref, each in world.pods.items()},
        {ref: (dict(each.selector), each.ports) for ref, each in world.services.items()},
    )


# Carrying out.


def test_each_action_is_one_change_of_the_arena_and_the_state_has_its_addresses(arena: ScriptedArena) -> None:
    state = State(arena.world)
    actions: Sequence[tuple[Action, tuple[Any, ...]]] = (
        (CreateNamespace(Namespace("w")), ("create_namespace", Namespace("w"))),
        (CreatePod(Pod("w", "a", servers=SERVERS)), ("create_pod", Pod("w", "a", servers=SERVERS))),
        (CreateService(SERVICE), ("create_service", SERVICE)),
        (LabelPod("w/a", {"k": "v"}), ("label_pod", "w/a", {"k": "v"})),
        (LabelNamespace("w", {"k": None}), ("label_namespace", "w", {"k": None})),
        (ApplyPolicy(policy()), ("apply_policy", policy())),
        (DeletePolicy("x/deny"), ("delete_policy", "x/deny")),
        (DeletePod("w/a"), ("delete_pod", "w/a")),
        (DeleteNamespace("w"), ("delete_namespace", "w")),
    )
    for action, call in actions:
        arena.script.log.clear()
        state = carry_out([action], state, arena)
        assert arena.script.log == [call]
        assert state.world == arena.world
    assert shape(state.world)[:2] == shape(default_world())[:2]
    assert state.policies == {}


def test_changes_that_follow_each_other_are_made_together_unless_they_are_of_one_object(
    arena: ScriptedArena, monkeypatch: pytest.MonkeyPatch
) -> None:
    together: list[int] = []
    monkeypatch.setattr(arena, "change", lambda changes: together.append(len(changes)))
    relabelled = [LabelPod("x/a", {"k": "v"}), LabelNamespace("x", {"k": "v"})]
    carry_out([ApplyPolicy(policy()), *relabelled, ApplyPolicy(policy())], State(arena.world), arena)
    assert together == [3, 1]
    carry_out([relabelled[0], CreatePod(Pod("x", "d")), relabelled[1]], State(arena.world), arena)
    assert together == [3, 1, 1, 1]


def test_named_addresses_are_those_that_the_arena_has_now(arena: ScriptedArena) -> None:
    state = State(arena.world)
    state = carry_out([ApplyPolicy(policy(cidr="$(x/a)"))], state, arena)
    address = arena.world.pods["x/a"].addresses[0]
    held = state.policies["x/deny"]
    assert held.ingress[0].peers[0].ip_block == IPBlock(f"{address}/32")
    assert held.manifest["spec"]["ingress"][0]["from"][0]["ipBlock"]["cidr"] == f"{address}/32"
    assert arena.script.log[-1] == ("apply_policy", held)


def test_a_pod_that_is_replaced_is_another_one_of_the_same_name(arena: ScriptedArena) -> None:
    before = arena.world.pods["x/a"]
    state = done(arena, LabelPod("x/a", {"k": "v"}), ReplacePod("x/a"))
    after = state.world.pods["x/a"]
    assert (after.generation, after.labels) == (before.generation + 1, {**before.labels, "k": "v"})
    assert after.identity != before.identity
    assert after.addresses


def test_what_the_target_refuses_changes_no_state(arena: ScriptedArena) -> None:
    state = State(arena.world)
    arena.script.errors["apply_policy"] = [ActionFailed("no")]
    with pytest.raises(ActionFailed):
        carry_out([ApplyPolicy(policy())], state, arena)
    assert state.policies == {}


# Taking back.


@pytest.mark.parametrize(
    "actions",
    [
        [],
        [ApplyPolicy(policy()), ApplyPolicy(policy("more"))],
        [LabelPod("x/a", {"pod": "b", "team": None, "new": "1"})],
        [LabelNamespace("y", {"ns": None, "new": "1"})],
        [CreatePod(Pod("x", "d", servers=SERVERS))],
        [DeletePod("x/a")],
        [ReplacePod("x/a")],
        [ReplacePod("x/a"), LabelPod("x/a", {"team": "blue"}), DeletePod("x/a")],
        [DeletePod("x/a"), CreatePod(Pod("x", "a", {"pod": "a"}, SERVERS))],
        [DeletePod("x/b"), CreatePod(replace(default_world().pods["x/b"], node=1, labels={}))],
        [CreateNamespace(Namespace("w")), CreatePod(Pod("w", "a", servers=SERVERS)), ApplyPolicy(policy("p", "w"))],
        [DeleteNamespace("z")],
        [DeleteNamespace("z"), CreateNamespace(Namespace("z", {"new": "1"})), CreatePod(Pod("z", "new"))],
        [CreateService(SERVICE)],
        [CreateNamespace(Namespace("w")), CreateService(replace(SERVICE, namespace="w"))],
        [ApplyPolicy(policy("p", "z")), DeleteNamespace("z")],
    ],
    ids=lambda actions: " ".join(type(action).__name__ for action in actions) or "nothing",
)
def test_the_world_is_what_it_was(arena: ScriptedArena, actions: list[Action]) -> None:
    before = arena.world
    take_back(done(arena, *actions), before, arena)
    assert shape(arena.world) == shape(before)
    assert arena._state.policies == {}
    assert all(pod.addresses for pod in arena.world.pods.values())


def test_what_was_not_changed_is_not_touched(arena: ScriptedArena) -> None:
    before = arena.world
    take_back(done(arena), before, arena)
    assert arena.script.log == []
    take_back(done(arena, ReplacePod("x/a"), LabelPod("y/b", {"k": "v"})), before, arena)
    assert arena.script.log == [("label_pod", "y/b", {"k": None})]


def test_policies_go_first(arena: ScriptedArena) -> None:
    """A pod that is made while they are in force would be isolated by them."""
    before = arena.world
    take_back(done(arena, DeletePod("x/a"), ApplyPolicy(policy()), CreateService(SERVICE)), before, arena)
    assert [call[0] for call in arena.script.log] == ["delete_policy", "delete_service", "create_pod"]


def test_what_goes_with_its_namespace_is_not_deleted_before_it(arena: ScriptedArena) -> None:
    before = arena.world
    created = (
        CreateNamespace(Namespace("w")),
        CreatePod(Pod("w", "a")),
        CreateService(replace(SERVICE, namespace="w")),
    )
    take_back(done(arena, *created), before, arena)
    assert arena.script.log == [("delete_namespace", "w")]


def test_a_pod_that_is_made_again_is_not_taken_for_the_one_before(arena: ScriptedArena) -> None:
    first = arena.world
    take_back(done(arena, DeletePod("x/a")), first, arena)
    second = arena.world
    take_back(done(arena, ReplacePod("x/a"), LabelPod("x/a", {"k": "v"})), second, arena)
    third = arena.world
    assert [world.pods["x/a"].identity for world in (first, second, third)] == ["x/a#1", "x/a#2", "x/a#3"]


def test_services_of_the_world_come_back_with_their_namespace(target: ScriptedTarget) -> None:
    world = default_world().with_service(SERVICE)
    arena = target.open_arena(world, "main-1")
    before = arena.world
    take_back(done(arena, DeleteNamespace("x")), before, arena)
    assert shape(arena.world) == shape(before)
    assert arena.world.services["web.x.svc"].addresses


# As cases see it.


def test_the_next_case_finds_the_world_that_the_first_one_found(
    session: Session, case: Callable[..., Case], next_case: Case, script: Script
) -> None:
    busy = case(
        """
        world:
          namespaces: [{name: w, labels: {team: red}}]
          pods: [{namespace: w, name: a, labels: {pod: a}}]
        steps:
          - name: moved
            remove: [y/c]
            replace: [x/a]
            label: {x/b: {team: null}, z: {team: red}}
            expect: {default: allow}
        """
    )
    assert session.run(busy).verdict is Verdict.PASS
    assert shape(script.arenas[0].world) == shape(default_world())
    before = script.calls("probe")
    result = session.run(next_case)
    assert (result.verdict, [step.cells for step in result.steps]) == (Verdict.PASS, [288, 288])
    assert script.calls("probe") - before == 2 + 2 + 1, (
        "all of its flows were seen to be open when the first case was cleaned up"
    )


def test_a_pod_that_came_back_otherwise_would_hide_flows_from_the_next_case(
    session: Session, case: Callable[..., Case], next_case: Case, script: Script
) -> None:
    poorer = case(
        """
        steps:
          - name: gone
            remove: [y/a]
            expect: {default: allow}
          - name: another
            create: {pods: [{namespace: "y", name: a, labels: {pod: a}, node: 1}]}
            expect: {default: allow}
        """
    )
    assert session.run(poorer).verdict is Verdict.PASS
    script.lenses = [under_policies(lambda flow: flow.destination == "y/a", ALLOWED)]
    result = session.run(next_case)
    assert (result.verdict, len(result.steps[-1].findings)) == (Verdict.FAIL, 32)
