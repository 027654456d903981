"""What was on a cluster before the run is found in advance, and named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster import surroundings
from conformance.cluster.client import Api
from conformance.errors import ArenaFailed, TargetUnavailable

if TYPE_CHECKING:
    from conftest import FakeServer

CALICO = "/apis/crd.projectcalico.org/v1/globalnetworkpolicies"
CALICO_NATIVE = "/apis/projectcalico.org/v3/globalnetworkpolicies"
CILIUM = "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
ADMISSION = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
X = "netpol-r-main-1-x"


@pytest.fixture
def api(kubeconfig: str) -> Api:
    return Api("test", kubeconfig)


def named(*names: str, **more: Any) -> dict[str, Any]:
    return {"items": [{"metadata": {"name": name}, **more} for name in names]}


def test_policies_that_may_reach_any_pod_are_refused_and_named(server: FakeServer, api: Api) -> None:
    server.answer(f"GET {CALICO}", 200, named("deny-all", "allow-dns"))
    server.answer(f"GET {CILIUM}", 200, named("edge"))
    with pytest.raises(TargetUnavailable) as caught:
        surroundings.refuse_policies(api)
    assert caught.value.message == "the cluster has 3 policies that may reach pods of every namespace"
    assert caught.value.causes == (
        "globalnetworkpolicies.crd.projectcalico.org deny-all",
        "globalnetworkpolicies.crd.projectcalico.org allow-dns",
        "ciliumclusterwidenetworkpolicies.cilium.io edge",
    )
    assert "--despite-policies" in (caught.value.hint or "")


@pytest.mark.parametrize("is_there", [False, True])
def test_policies_of_calico_s_native_api_are_found_where_the_older_one_has_none(
    is_there: bool, server: FakeServer, api: Api
) -> None:
    if is_there:
        server.answer(f"GET {CALICO}", 200, named())
    server.answer(f"GET {CALICO_NATIVE}", 200, named("deny-all"))
    with pytest.raises(TargetUnavailable) as caught:
        surroundings.refuse_policies(api)
    assert caught.value.causes == ("globalnetworkpolicies.projectcalico.org deny-all",)


@pytest.mark.parametrize("is_there", [False, True])
def test_what_may_not_be_listed_by_calico_s_native_api_is_known_by_the_older_one(
    is_there: bool, server: FakeServer, api: Api
) -> None:
    if is_there:
        server.answer(f"GET {CALICO}", 200, named())
    server.refuse(f"GET {CALICO_NATIVE}", 403, "the tier is not yours")
    unknown = "globalnetworkpolicies.projectcalico.org: not this account's to list"
    assert surroundings.described(api, []) == ({} if is_there else {"other policies": unknown})


def test_a_cluster_without_such_policies_has_nothing_to_name(server: FakeServer, api: Api) -> None:
    server.answer(f"GET {CALICO}", 200, named())
    surroundings.refuse_policies(api)
    assert surroundings.described(api, [X]) == {}


def test_what_may_not_be_listed_is_said_to_be_unknown(server: FakeServer, api: Api) -> None:
    server.refuse(f"GET {CALICO}", 403, "forbidden")
    surroundings.refuse_policies(api)
    kind = "globalnetworkpolicies.crd.projectcalico.org"
    assert surroundings.described(api, []) == {"other policies": f"{kind}: not this account's to list"}


def test_an_api_server_that_fails_is_not_one_without_policies(server: FakeServer, api: Api) -> None:
    server.refuse(f"GET {CALICO}", 500, "etcd is away")
    with pytest.raises(TargetUnavailable, match="cannot be listed"):
        surroundings.refuse_policies(api)


@pytest.mark.parametrize(
    ("groups", "resources", "is_asked"),
    [
        ([""], ["pods"], True),
        (["*"], ["*/*"], True),
        ([""], ["pods/exec"], True),
        (["networking.k8s.io"], ["networkpolicies"], True),
        (["cert-manager.io"], ["certificates"], False),
        (["apps"], ["pods"], False),
    ],
)
def test_webhooks_are_named_that_are_asked_about_what_a_run_makes(
    groups: list[str], resources: list[str], is_asked: bool, server: FakeServer, api: Api
) -> None:
    rule = {"apiGroups": groups, "resources": resources}
    server.answer(f"GET {WEBHOOKS}", 200, named("injector", webhooks=[{"rules": [rule]}]))
    server.answer(f"GET {ADMISSION}", 200, named("rules", spec={"matchConstraints": {"resourceRules": [rule]}}))
    both = "mutatingwebhookconfigurations injector; validatingadmissionpolicies rules"
    assert surroundings.described(api, []) == ({"admission": both} if is_asked else {})


def test_limits_of_the_run_s_namespaces_are_named_once_and_without_them(server: FakeServer, api: Api) -> None:
    for name in (X, "netpol-r-main-1-y"):
        hard = {"spec": {"hard": {"pods": "10", "limits.cpu": "4"}}}
        server.answer(f"GET /api/v1/namespaces/{name}/resourcequotas", 200, named("tenant", **hard))
        server.answer(f"GET /api/v1/namespaces/{name}/limitranges", 200, named("sizes", spec={"limits": []}))
    assert surroundings.described(api, [X, "netpol-r-main-1-y"]) == {
        "limits of namespaces": "limitranges sizes; resourcequotas tenant (limits.cpu 4, pods 10)"
    }


def test_policies_that_something_puts_into_new_namespaces_are_named(server: FakeServer, api: Api) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{X}/networkpolicies"
    server.answer(f"GET {path}", 200, named("default-deny"))
    with pytest.raises(ArenaFailed) as caught:
        surroundings.refuse_others(api, [X])
    assert caught.value.causes == (f"{X}/default-deny",)
