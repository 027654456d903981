"""Probe pods that are made, waited for and deleted: by themselves, or as those of Deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster.admitted import Foreign
from conformance.cluster.client import Api
from conformance.cluster.manifests import Setting
from conformance.cluster.naming import Names
from conformance.cluster.options import ClusterTimeouts, Workload
from conformance.cluster.pods import Pods
from conformance.errors import ActionFailed, ProbeFailed
from conformance.model.world import Phase, Pod

if TYPE_CHECKING:
    from conftest import FakeServer

NAMESPACE = "netpol-r-main-1-x"
PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
A = Pod("x", "a", {"pod": "a"})
JOB = Pod("x", "job", phase=Phase.SUCCEEDED)


def there(name: str, *, mark: str = "", ends: bool = False, phase: str = "Running") -> dict[str, Any]:
    labels = {"netpol-conformance/run": "r", **({"netpol-conformance/pod": mark} if mark else {})}
    metadata = {"name": name, "uid": f"uid-{name}", "labels": labels}
    running = [{"name": "agent", "state": {"running": {}}}]
    status = {"phase": phase, "containerStatuses": running, "podIPs": [{"ip": "10.0.0.1"}], "hostIP": "172.18.0.2"}
    return {"metadata": {**metadata, **({"deletionTimestamp": "now"} if ends else {})}, "status": status}


@pytest.fixture
def api(kubeconfig: str) -> Api:
    return Api("test", kubeconfig)


def pods(api: Api, workload: Workload, **timeouts: float) -> Pods:
    setting = Setting(Names("r", "main-1"), "image:1", ("worker-1",), "agent", workload)
    return Pods(api, setting, ClusterTimeouts(**timeouts), Foreign())


def asked(server: FakeServer, verb: str) -> list[tuple[str, Any]]:
    return [(request.split()[1], body) for request, _, body in server.asked if request.startswith(f"{verb} ")]


def test_a_pod_by_itself_is_called_what_the_case_calls_it(server: FakeServer, api: Api) -> None:
    made = pods(api, Workload.POD)
    server.answer(f"POST {PODS}", 201, {})
    server.answer(f"GET {PODS}", 200, {"items": [there("a")]})
    server.answer(f"DELETE {PODS}/a", 200, {})
    made.create(A, ActionFailed)
    assert made.wait([A], ActionFailed)["x/a"].addresses == ("10.0.0.1",)
    assert made.real_name(A) == "a"
    made.delete(A, ActionFailed)
    assert [path for path, _ in asked(server, "DELETE")] == [f"{PODS}/a"]


def test_a_deployment_is_made_and_deleted_and_its_pod_is_found_by_its_mark(server: FakeServer, api: Api) -> None:
    made = pods(api, Workload.DEPLOYMENT)
    server.answer(f"POST {DEPLOYMENTS}", 201, {})
    old, new = there("a-1234-old", mark="a", ends=True), there("a-5678-new", mark="a")
    server.answer(f"GET {PODS}", 200, {"items": [there("b-1", mark="b"), new, old]})
    server.answer(f"DELETE {DEPLOYMENTS}/a", 200, {})
    made.create(A, ActionFailed)
    ((_, body),) = asked(server, "POST")
    assert body["kind"] == "Deployment"
    made.wait([A], ActionFailed)
    assert made.real_name(A) == "a-5678-new"
    made.delete(A, ActionFailed)
    ((path, options),) = asked(server, "DELETE")
    assert (path, options["propagationPolicy"]) == (f"{DEPLOYMENTS}/a", "Foreground")
    assert made.real_name(A) == "a"


def test_a_pod_that_ends_is_one_by_itself_everywhere(server: FakeServer, api: Api) -> None:
    made = pods(api, Workload.DEPLOYMENT)
    server.answer(f"POST {PODS}", 201, {})
    server.answer(f"GET {PODS}", 200, {"items": [there("job", phase="Succeeded")]})
    server.answer(f"DELETE {PODS}/job", 200, {})
    made.create(JOB, ActionFailed)
    made.wait([JOB], ActionFailed)
    assert made.real_name(JOB) == "job"
    made.delete(JOB, ActionFailed)
    assert asked(server, "POST")[0][1]["kind"] == "Pod"


def test_a_deployment_that_makes_no_pod_says_why(server: FakeServer, api: Api) -> None:
    made = pods(api, Workload.DEPLOYMENT, pod_ready=0.0)
    failure = {"type": "ReplicaFailure", "reason": "FailedCreate", "message": "exceeded quota"}
    server.answer(f"GET {PODS}", 200, {"items": []})
    server.answer(f"GET {DEPLOYMENTS}/a", 200, {"status": {"conditions": [failure]}})
    with pytest.raises(ActionFailed) as raised:
        made.wait([A], ActionFailed)
    assert raised.value.causes == ("x/a: it is not there; FailedCreate: exceeded quota",)


def test_only_a_pod_of_the_same_name_waits_for_one_that_was_asked_to_go(server: FakeServer, api: Api) -> None:
    made = pods(api, Workload.POD)
    server.answer(f"POST {PODS}", 201, {})
    server.answer(f"DELETE {PODS}/a", 200, {})
    server.answer(f"GET {PODS}/a", 200, there("a", ends=True))
    server.answer(f"GET {PODS}/a", 404, {})
    made.ask_to_go(A, ActionFailed)
    made.create(Pod("x", "b"), ActionFailed)
    assert asked(server, "GET") == []
    made.create(A, ActionFailed)
    requests = [request for request, *_ in server.asked if "fieldValidation" in request or request.startswith("GET")]
    assert [each.partition("?")[0] for each in requests] == [f"POST {PODS}", *[f"GET {PODS}/a"] * 2, f"POST {PODS}"]
    made.create(A, ActionFailed)
    assert len(asked(server, "GET")) == 2, "it is known to be gone"


def test_a_pod_that_does_not_go_is_told_to_who_needs_its_name(server: FakeServer, api: Api) -> None:
    made = pods(api, Workload.POD, gone=0.0)
    server.answer(f"DELETE {PODS}/a", 200, {})
    server.answer(f"GET {PODS}/a", 200, there("a", ends=True))
    made.ask_to_go(A, ActionFailed)
    with pytest.raises(ActionFailed, match="pod x/a is still there 0 s after it was deleted"):
        made.create(A, ActionFailed)


@pytest.mark.parametrize(
    "found", [[], [there("a", ends=True)], [there("a", phase="Failed")], [there("b")]],
    ids=["deleted", "about to go", "evicted", "another"],
)  # fmt: skip
def test_a_pod_that_somebody_took_away_is_missed(server: FakeServer, api: Api, found: list[dict[str, Any]]) -> None:
    server.answer(f"GET {PODS}", 200, {"items": found})
    with pytest.raises(ProbeFailed, match="1 probe pod is gone that this run did not delete: x/a"):
        pods(api, Workload.POD).miss([A])


def test_one_that_is_there_is_not_nor_is_any_where_nobody_answers(server: FakeServer, api: Api) -> None:
    made = pods(api, Workload.POD)
    server.answer(f"GET {PODS}", 200, {"items": [there("a")]})
    made.miss([A])
    server.answer(f"GET {PODS}", 403, {"kind": "Status", "message": "forbidden"})
    made.miss([A])
