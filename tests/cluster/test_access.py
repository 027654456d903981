"""The suite runs as an account that has exactly the role that is written down, and says at once what one lacks."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster import access
from conformance.cluster.cleanup import cleanup
from conformance.cluster.client import Api, namespace_path
from conformance.cluster.options import Workload, new_run
from conformance.cluster.target import DEFAULT_IMAGE, KubernetesOptions, KubernetesTarget
from conformance.cluster.waiting import until_none_left
from conformance.errors import ConformanceError, TargetUnavailable
from conformance.model.case import ApplyPolicy, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.default_world import default_world
from conformance.model.flow import DEFAULT_PROBE, flows
from conformance.model.matrix import Observed
from conformance.model.policy import Direction, LabelSelector, NetworkPolicy
from conformance.model.world import Namespace, Service, ServicePort, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("enforcing")]

CONTEXT = os.environ.get("NETPOL_TEST_CONTEXT", "")
IMAGE = os.environ.get("NETPOL_TEST_IMAGE") or DEFAULT_IMAGE
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Callable[[list[dict[str, Any]]], str]]:
    """Return a function that makes an account with some rules, or gives it others, and returns the kubeconfig that speaks as it."""
    if not CONTEXT:
        pytest.skip("NETPOL_TEST_CONTEXT names no cluster to test on")
    api = Api(CONTEXT)
    name = f"netpol-test-{new_run()}"
    metadata = {"metadata": {"name": name}}
    accounts = namespace_path("default", "serviceaccounts")

    def make(rules: list[dict[str, Any]]) -> str:
        subject = {"kind": "ServiceAccount", "name": name, "namespace": "default"}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        if api.exists(f"{RBAC}/clusterroles/{name}"):
            api.patch(f"{RBAC}/clusterroles/{name}", {"rules": rules})
            return str(tmp_path / "kubeconfig")
        api.create(accounts, {"apiVersion": "v1", "kind": "ServiceAccount", **metadata})
        api.create(f"{RBAC}/clusterroles", {**access.cluster_role(), **metadata, "rules": rules})
        api.create(f"{RBAC}/clusterrolebindings", {**metadata, "roleRef": role, "subjects": [subject]})
        asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        token = api.create(f"{accounts}/{name}/token", asked)["status"]["token"]
        cluster = {"server": api.host, "certificate-authority": api.configuration.ssl_ca_cert}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "account", "context": {"cluster": "c", "user": "u"}}],
        }
        (tmp_path / "kubeconfig").write_text(json.dumps(config))
        return str(tmp_path / "kubeconfig")

    yield make
    for path in (f"{RBAC}/clusterrolebindings/{name}", f"{RBAC}/clusterroles/{name}", f"{accounts}/{name}"):
        api.delete(path)
    api.close()


def small_world() -> World:
    world = default_world()
    return replace(
        world,
        namespaces={"x": world.namespaces["x"]},
        pods={ref: world.pods[ref] for ref in ("x/a", "x/b")},
        services={"web.x.svc": Service("x", "web", {"pod": "a"}, (ServicePort(8080, 80),))},
        endpoints={},
    )


@pytest.mark.parametrize("workload", Workload)
def test_the_written_role_is_enough_for_everything(
    workload: Workload, account: Callable[[list[dict[str, Any]]], str]
) -> None:
    run = new_run()
    options = KubernetesOptions("account", image=IMAGE, run=run, workload=workload)
    kubeconfig = account(access.cluster_role(access.asked_for(options))["rules"])
    everything(replace(options, kubeconfig=kubeconfig))


def everything(options: KubernetesOptions) -> None:
    """Do all that a run may do."""
    target = KubernetesTarget(options)
    try:
        described = target.describe()
        assert described.implementation != "unknown"
        arena = target.open_arena(small_world(), "arena")
        seen = arena.probe(flows(arena.world, DEFAULT_PROBE, external=False), 1.0)
        assert Observed.FAILED not in {each.observed for each in seen.values()}
        manifest = {"metadata": {"name": "p", "namespace": "x"}, "spec": {"podSelector": {}}}
        policy = NetworkPolicy("x", "p", LabelSelector(), frozenset({Direction.INGRESS}), manifest=manifest)
        arena.change([ApplyPolicy(policy)])
        arena.change([ApplyPolicy(policy)])
        arena.change([DeletePolicy("x/p")])
        arena.change([LabelPod("x/a", {"k": "v"})])
        arena.change([LabelNamespace("x", {"k": "v"})])
        arena.create_namespace(Namespace("w"))
        arena.create_pod(replace(default_world().pods["x/a"], namespace="w"))
        arena.delete_pod("w/a")
        arena.delete_namespace("w")
        arena.delete_service("web.x.svc")
        assert cleanup("account", options.kubeconfig, options.run) == (f"namespace netpol-{options.run}-arena-x",)
    finally:
        target.close()


def test_an_account_that_lacks_something_is_refused_before_anything_is_made(
    account: Callable[[list[dict[str, Any]]], str],
) -> None:
    rules = [
        {**rule, "verbs": [verb for verb in rule["verbs"] if verb != "delete"]}
        for rule in access.cluster_role()["rules"]
        if "pods/exec" not in rule["resources"]
    ]
    target = KubernetesTarget(KubernetesOptions("account", account(rules), image=IMAGE))
    with pytest.raises(TargetUnavailable) as caught:
        target.open_arena(small_world(), "arena")
    target.close()
    assert "it may not get pods/exec" in caught.value.causes
    assert "it may not delete namespaces" in caught.value.causes
    assert "it may not delete networkpolicies.networking.k8s.io" in caught.value.causes
    assert "it may not create pods" not in caught.value.causes


def test_an_account_without_any_right_is_told_which(account: Callable[[list[dict[str, Any]]], str]) -> None:
    target = KubernetesTarget(KubernetesOptions("account", account([]), image=IMAGE))
    with pytest.raises(TargetUnavailable) as caught:
        target.describe()
    target.close()
    assert 'cannot list resource "nodes"' in str(caught.value)


NEEDED = [(rule, verb) for rule in access.RULES if not rule.optional and not rule.needed_with for verb in rule.verbs]
#: Kubernetes 1.35 and later ask for it where a stream is opened; those before ask for `get` alone.
LATER = ("pods/exec", "create")


def without(lacking: access.Rule, verb: str) -> list[dict[str, Any]]:
    """Return the rules of the role but for one verb of one of them."""
    rules: list[dict[str, Any]] = access.cluster_role()["rules"]
    place = ([lacking.group], [lacking.resource])
    left = [
        {**rule, "verbs": [each for each in rule["verbs"] if each != verb]}
        if (rule["apiGroups"], rule["resources"]) == place
        else rule
        for rule in rules
    ]
    return [rule for rule in left if rule["verbs"]]


def named(lacking: access.Rule, verb: str) -> str:
    return f"{verb} {lacking.resource}{'.' + lacking.group if lacking.group else ''}"


def test_each_verb_that_is_taken_away_is_named(account: Callable[[list[dict[str, Any]]], str]) -> None:
    for lacking, verb in NEEDED:
        api = Api("account", account(without(lacking, verb)))
        wanted = named(lacking, verb)
        # The API server takes a moment to hear of a role that has changed.
        assert not until_none_left(lambda: [] if access.missing(api) == (wanted,) else [wanted], 10.0)  # noqa: B023
        api.close()


@pytest.mark.skipif(os.environ.get("NETPOL_TEST_THOROUGH") != "yes", reason="it takes minutes")
def test_none_of_the_verbs_can_be_done_without(
    account: Callable[[list[dict[str, Any]]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "missing", lambda *_: ())
    said = {}
    for lacking, verb in NEEDED:
        options = KubernetesOptions("account", account(without(lacking, verb)), image=IMAGE, run=new_run())
        time.sleep(1.0)  # until the API server has heard of it
        try:
            everything(options)
        except (ConformanceError, AssertionError) as error:
            said[lacking.resource, verb] = str(error)
        finally:
            cleanup(CONTEXT, None, options.run)
    assert {(each.resource, verb) for each, verb in NEEDED} - said.keys() <= {LATER}
    silent = [each for each in said if f'cannot {each[1]} resource "{each[0]}' not in said[each]]
    assert silent == [], said
