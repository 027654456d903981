"""What actions make of a world and its policies."""

from __future__ import annotations

import pytest

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
from conformance.model.policy import Direction, LabelSelector, NetworkPolicy
from conformance.model.state import State
from conformance.model.world import Namespace, Pod, Service, ServicePort


def policy(namespace: str, name: str, *types: Direction) -> NetworkPolicy:
    return NetworkPolicy(namespace, name, LabelSelector(), frozenset(types))


WEB = Service("x", "web", {"app": "web"}, (ServicePort(80, 80),))
FULL = (
    State(default_world())
    .after(ApplyPolicy(policy("x", "p")))
    .after(ApplyPolicy(policy("y", "p")))
    .after(CreateService(WEB))
)


def test_a_policy_is_replaced_by_one_of_the_same_name_and_namespace() -> None:
    newer = policy("x", "p", Direction.EGRESS)
    after = FULL.after(ApplyPolicy(newer))
    assert after.policies == {"x/p": newer, "y/p": FULL.policies["y/p"]}


def test_a_policy_is_deleted_where_it_is() -> None:
    assert set(FULL.after(DeletePolicy("x/p")).policies) == {"y/p"}


def test_labels_are_set_and_removed_and_the_others_stay() -> None:
    after = FULL.after(LabelPod("x/a", {"team": "blue", "app": None, "absent": None}))
    assert after.world.pods["x/a"].labels == {"pod": "a", "team": "blue"}
    assert after.world.pods["y/a"].labels == FULL.world.pods["y/a"].labels
    after = after.after(LabelNamespace("z", {"team": "red", "ns": None}))
    assert after.world.namespaces["z"].all_labels == {"team": "red", "kubernetes.io/metadata.name": "z"}


def test_a_namespace_goes_with_all_that_is_in_it() -> None:
    after = FULL.after(DeleteNamespace("x"))
    assert set(after.world.namespaces) == {"y", "z"}
    assert not [ref for ref in after.world.pods if ref.startswith("x/")]
    assert not after.world.services
    assert set(after.policies) == {"y/p"}


def test_a_namespace_made_again_is_empty() -> None:
    after = FULL.after(DeleteNamespace("x")).after(CreateNamespace(Namespace("x", {"ns": "x"})))
    assert not [ref for ref in after.world.pods if ref.startswith("x/")]
    assert "x/p" not in after.policies


def test_a_replaced_pod_is_another_one_under_the_same_name() -> None:
    pod = FULL.world.pods["x/a"]
    again = FULL.after(ReplacePod("x/a")).world.pods["x/a"]
    assert (again.ref, again.labels, again.servers) == (pod.ref, pod.labels, pod.servers)
    assert again.identity != pod.identity
    assert again.addresses == ()


def test_pods_come_and_go() -> None:
    after = FULL.after(CreatePod(Pod("x", "d", {"app": "web"})))
    assert {pod.ref for pod in after.world.backends(WEB)} == {"x/a", "x/d"}
    assert "x/d" not in after.after(DeletePod("x/d")).world.pods


def test_a_state_does_not_change_by_what_comes_after_it() -> None:
    before = (dict(FULL.policies), dict(FULL.world.pods), dict(FULL.world.namespaces))
    FULL.after(DeleteNamespace("x")).after(LabelPod("y/a", {"a": "b"}))
    assert (dict(FULL.policies), dict(FULL.world.pods), dict(FULL.world.namespaces)) == before


@pytest.mark.parametrize(
    "action",
    [
        ApplyPolicy(policy("w", "p")),
        DeletePolicy("x/q"),
        LabelPod("x/q", {}),
        LabelNamespace("w", {}),
        DeleteNamespace("w"),
        CreatePod(Pod("w", "a")),
        ReplacePod("x/q"),
        DeletePod("x/q"),
        CreateService(Service("w", "web", {}, ())),
    ],
    ids=lambda action: type(action).__name__,
)
def test_what_is_not_there_cannot_be_changed(action: object) -> None:
    with pytest.raises(KeyError):
        FULL.after(action)  # type: ignore[arg-type]
