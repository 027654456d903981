"""What a case's names become on a cluster."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from conformance.cluster.naming import Names, shortened
from conformance.model.world import NAMESPACE_NAME_LABEL

NAMES = Names("abc123", "main-1")
KNOWN = {"x", "y", "z"}


def policy(spec: dict[str, Any], namespace: str = "x") -> dict[str, Any]:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "p", "namespace": namespace},
        "spec": spec,
    }


def peer(selector: dict[str, Any]) -> dict[str, Any]:
    return policy({"podSelector": {}, "ingress": [{"from": [{"namespaceSelector": selector}]}]})


def selector_of(manifest: dict[str, Any]) -> Any:
    return NAMES.translated(manifest, KNOWN)["spec"]["ingress"][0]["from"][0]["namespaceSelector"]


def test_the_namespace_of_a_policy_is_the_real_one() -> None:
    translated = NAMES.translated(policy({"podSelector": {}}), KNOWN)
    assert translated["metadata"] == {"name": "p", "namespace": "netpol-abc123-main-1-x"}
    assert translated["spec"] == {"podSelector": {}}


def test_names_of_namespaces_in_match_labels_are_translated() -> None:
    selector = {"matchLabels": {NAMESPACE_NAME_LABEL: "y", "team": "y"}}
    assert selector_of(peer(selector)) == {"matchLabels": {NAMESPACE_NAME_LABEL: "netpol-abc123-main-1-y", "team": "y"}}


def test_names_of_namespaces_in_match_expressions_are_translated() -> None:
    selector = {
        "matchExpressions": [
            {"key": NAMESPACE_NAME_LABEL, "operator": "NotIn", "values": ["y", "kube-system"]},
            {"key": "ns", "operator": "In", "values": ["y"]},
            {"key": NAMESPACE_NAME_LABEL, "operator": "Exists"},
        ]
    }
    assert selector_of(peer(selector))["matchExpressions"] == [
        {"key": NAMESPACE_NAME_LABEL, "operator": "NotIn", "values": ["netpol-abc123-main-1-y", "kube-system"]},
        {"key": "ns", "operator": "In", "values": ["y"]},
        {"key": NAMESPACE_NAME_LABEL, "operator": "Exists"},
    ]


@pytest.mark.parametrize("name", ["default", "kube-system", "kube-public"])
def test_the_namespaces_of_every_cluster_keep_their_names(name: str) -> None:
    selector = {"matchLabels": {NAMESPACE_NAME_LABEL: name}}
    assert selector_of(peer(selector)) == selector


def test_a_namespace_that_a_case_makes_later_is_translated_already() -> None:
    selector = {"matchLabels": {NAMESPACE_NAME_LABEL: "later"}}
    assert selector_of(peer(selector)) == {"matchLabels": {NAMESPACE_NAME_LABEL: NAMES.namespace("later")}}


def test_an_arena_may_have_a_namespace_called_default() -> None:
    manifest = peer({"matchLabels": {NAMESPACE_NAME_LABEL: "default"}})
    translated = NAMES.translated(manifest, {"default"})
    labels = translated["spec"]["ingress"][0]["from"][0]["namespaceSelector"]["matchLabels"]
    assert labels == {NAMESPACE_NAME_LABEL: NAMES.namespace("default")}


def test_pod_selectors_are_left_alone_even_with_that_key() -> None:
    spec = {
        "podSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: "x"}},
        "egress": [{"to": [{"podSelector": {"matchLabels": {NAMESPACE_NAME_LABEL: "x"}}}]}],
    }
    assert NAMES.translated(policy(spec), KNOWN)["spec"] == spec


def test_empty_and_absent_selectors_stay_what_they_are() -> None:
    spec = {"podSelector": {}, "egress": [{"to": [{"namespaceSelector": {}}]}, {}], "ingress": []}
    assert NAMES.translated(policy(spec), KNOWN)["spec"] == spec


def test_the_case_file_s_object_is_not_changed() -> None:
    manifest = peer({"matchLabels": {NAMESPACE_NAME_LABEL: "y"}})
    before = copy.deepcopy(manifest)
    NAMES.translated(manifest, KNOWN)
    assert manifest == before


def test_what_only_the_server_writes_is_left_out() -> None:
    manifest = policy({"podSelector": {}}) | {"status": {}}
    manifest["metadata"] |= {"resourceVersion": "7", "uid": "u"}
    translated = NAMES.translated(manifest, KNOWN)
    assert "status" not in translated
    assert translated["metadata"].keys() == {"name", "namespace"}


def test_long_names_fit_and_stay_apart() -> None:
    long = [NAMES.namespace("n" * 60 + end) for end in "ab"]
    assert len(set(long)) == 2
    assert all(len(name) == 63 for name in long)
    assert shortened("short") == "short"
    assert "--" not in shortened("a" * 53 + "-" * 3 + "b" * 20)
