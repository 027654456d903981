"""Restarting the implementation: whose pods are deleted, and when they count as ready again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster.client import Api
from conformance.cluster.restart import Restart
from conformance.errors import ActionFailed, CannotShow

if TYPE_CHECKING:
    from conftest import FakeServer

SETS = "GET /apis/apps/v1/daemonsets"
SET = "GET /apis/apps/v1/namespaces/kube-system/daemonsets"
PODS = "GET /api/v1/namespaces/kube-system/pods"


def refusal(message: str) -> dict[str, str]:
    return {"kind": "Status", "message": message}


def daemon_set(name: str = "calico-node", image: str = "calico/node:v3", wanted: int = 2) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "kube-system", "uid": f"uid-of-{name}"},
        "spec": {
            "selector": {"matchLabels": {"k8s-app": name}},
            "template": {"spec": {"containers": [{"image": image}]}},
        },
        "status": {"desiredNumberScheduled": wanted},
    }


def pod(name: str, *, owner: str = "uid-of-calico-node", ready: str = "True") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "uid": f"uid-of-{name}", "ownerReferences": [{"uid": owner}]},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.fixture
def api(server: FakeServer, kubeconfig: str) -> Api:
    proxy = daemon_set("kube-proxy", "kube-proxy:v1")
    server.answer(SETS, 200, {"items": [proxy, daemon_set()]})
    server.answer(SET, 200, {"items": [daemon_set()]})
    server.answer(PODS, 200, {"items": [pod("old-1"), pod("old-2"), pod("other", owner="somebody")]})
    for name in ("old-1", "old-2"):
        server.answer(f"DELETE /api/v1/namespaces/kube-system/pods/{name}", 200, {})
    return Api("test", kubeconfig)


def pods_are(server: FakeServer, *pods: dict[str, Any]) -> None:
    server.answers[PODS] = [(200, {"items": list(pods)})]


def test_the_pods_of_the_implementation_are_deleted_and_no_others(server: FakeServer, api: Api) -> None:
    Restart(api)
    asked = [request for request, _, _ in server.asked]
    assert sorted(each for each in asked if each.startswith("DELETE")) == [
        "DELETE /api/v1/namespaces/kube-system/pods/old-1",
        "DELETE /api/v1/namespaces/kube-system/pods/old-2",
    ]
    assert any("labelSelector=k8s-app%3Dcalico-node" in each for each in asked)


def test_it_is_over_when_every_node_has_a_new_pod_that_is_ready(server: FakeServer, api: Api) -> None:
    restart = Restart(api)
    assert restart.left() == ("pod kube-system/old-1 is not ready", "pod kube-system/old-2 is not ready")
    pods_are(server)
    assert restart.left() == ("0 of 2 pods of kube-system/calico-node are ready",)
    pods_are(server, pod("new-1"), pod("old-2"))
    assert restart.left() == ("pod kube-system/old-2 is not ready",)
    pods_are(server, pod("new-1"))
    assert restart.left() == ("1 of 2 pods of kube-system/calico-node are ready",)
    pods_are(server, pod("new-1"), pod("new-2", ready="False"))
    assert restart.left() == ("pod kube-system/new-2 is not ready",)
    pods_are(server, pod("new-1"), pod("new-2"), pod("other", owner="somebody", ready="False"))
    assert restart.left() == ()


def test_an_api_server_that_does_not_answer_says_nothing_of_what_is_ready(server: FakeServer, api: Api) -> None:
    restart = Restart(api)
    server.answers[PODS] = [(500, refusal("etcd is gone"))]
    assert restart.left() == ("etcd is gone",)


def test_without_a_daemon_set_that_is_known_nothing_is_restarted(server: FakeServer, api: Api) -> None:
    server.answers[SETS] = [(200, {"items": [daemon_set("kube-proxy", "kube-proxy:v1")]})]
    with pytest.raises(CannotShow, match="no DaemonSet of this cluster is known to enforce policies"):
        Restart(api)
    assert not any(request.startswith("DELETE") for request, _, _ in server.asked)


def test_a_pod_that_cannot_be_deleted_is_said(server: FakeServer, api: Api) -> None:
    server.answers["DELETE /api/v1/namespaces/kube-system/pods/old-2"] = [(403, refusal("forbidden: User u"))]
    with pytest.raises(ActionFailed, match="the implementation's pods cannot be restarted"):
        Restart(api)
