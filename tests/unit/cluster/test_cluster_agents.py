"""The implementation's agents: which there are, on which nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from test_cluster_restart import PODS, SETS, daemon_set, pod

from conformance.cluster.agents import Roll
from conformance.cluster.client import Api

if TYPE_CHECKING:
    from conftest import FakeServer


def on(node: str, name: str, **metadata: Any) -> dict[str, Any]:
    made = pod(name)
    return {**made, "metadata": {**made["metadata"], **metadata}, "spec": {"nodeName": node}}


def test_they_are_told_apart_by_their_uids_and_those_that_go_do_not_count(server: FakeServer, kubeconfig: str) -> None:
    server.answer(SETS, 200, {"items": [daemon_set()]})
    going = on("two", "b", deletionTimestamp="2026-01-01T00:00:00Z")
    server.answer(PODS, 200, {"items": [on("one", "a"), going, on("three", "c", ownerReferences=[{"uid": "other"}])]})
    roll = Roll(Api("test", kubeconfig))
    assert roll.call() == {"one": "uid-of-a"}


def test_none_are_known_where_the_account_may_not_look_or_nothing_is_known_to_enforce(
    server: FakeServer, kubeconfig: str
) -> None:
    roll = Roll(Api("test", kubeconfig))
    server.answer(SETS, 403, {"kind": "Status", "message": "forbidden"})
    assert roll.call() == {}
    server.answer(SETS, 200, {"items": [daemon_set("kube-proxy", "kube-proxy:v1")]})
    assert roll.call() == {}
