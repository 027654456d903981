"""What admission made of what a run asked for."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.cluster.admitted import Foreign, is_kept, stowaways
from conformance.errors import ActionFailed
from conformance.model.case import ApplyPolicy, Change, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.policy import Direction, LabelSelector, NetworkPolicy, Operator, Peer, Requirement, Rule
from conformance.model.world import Namespace, Pod

EVERYTHING = LabelSelector()
BY_TEAM = LabelSelector({"team": "red"})
BY_NO_TEAM = LabelSelector(match_expressions=(Requirement("team", Operator.DOES_NOT_EXIST),))


def selecting(pods: LabelSelector = EVERYTHING, peer: Peer | None = None) -> ApplyPolicy:
    rules = (Rule((peer,)),) if peer else ()
    return ApplyPolicy(NetworkPolicy("x", "p", pods, frozenset(Direction), egress=rules))


def labelled(*keys: str) -> dict[str, Any]:
    return {"metadata": {"labels": dict.fromkeys(keys, "v")}}


@pytest.fixture
def foreign() -> Foreign:
    """Somebody labels each pod and each namespace with their team."""
    found = Foreign()
    found.pod(Pod("x", "a", {"pod": "a"}), labelled("pod", "netpol-conformance/run", "team"))
    found.namespace(Namespace("x", {"ns": "x"}), labelled("ns", "kubernetes.io/metadata.name", "team"))
    return found


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (selecting(BY_TEAM), "pods"),
        (selecting(BY_NO_TEAM), "pods"),
        (selecting(peer=Peer(pod_selector=BY_NO_TEAM)), "pods"),
        (selecting(peer=Peer(namespace_selector=BY_TEAM)), "namespaces"),
        (LabelPod("x/a", {"team": "red"}), "pods"),
        (LabelNamespace("x", {"team": None}), "namespaces"),
    ],
)
def test_nothing_may_depend_on_a_label_that_others_put_there(change: Change, named: str, foreign: Foreign) -> None:
    with pytest.raises(ActionFailed) as caught:
        foreign.refuse(change)
    assert caught.value.causes == (f"{named} have the label team",)


@pytest.mark.parametrize(
    "change",
    [
        selecting(),
        selecting(LabelSelector({"pod": "a"}), Peer(EVERYTHING, LabelSelector({"kubernetes.io/metadata.name": "x"}))),
        DeletePolicy("x/p"),
        LabelPod("x/a", {"pod": "b"}),
    ],
)
def test_labels_of_the_world_and_those_of_every_cluster_are_for_cases(change: Change, foreign: Foreign) -> None:
    foreign.refuse(change)


def test_a_container_beside_the_agent_is_a_stowaway() -> None:
    spec = {"initContainers": [{"name": "istio-init"}], "containers": [{"name": "agent"}, {"name": "istio-proxy"}]}
    assert stowaways({"spec": spec}) == ("istio-init", "istio-proxy")
    assert stowaways({"spec": {"containers": [{"name": "agent"}]}}) == ()


SENT = {"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "a"}}}], "ports": [{"port": 80}]}], "egress": []}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "kept"),
    [
        ({"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "a"}}}], "ports": [{"port": 80, "protocol": "TCP"}]}], "policyTypes": ["Ingress"]}, True),
        ({"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "b"}}}], "ports": [{"port": 80}]}]}, False),
        ({"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"pod": "a"}}}, {"ipBlock": {"cidr": "::/0"}}], "ports": [{"port": 80}]}]}, False),
        ({"podSelector": {}, "ingress": [*SENT["ingress"], {}]}, False),
        ({"podSelector": {}, "ingress": SENT["ingress"], "egress": [{}]}, False),
        ({"podSelector": {}}, False),
        (None, False),
    ],
)  # fmt: skip
def test_a_policy_is_kept_where_only_defaults_were_added(answer: Any, kept: bool) -> None:
    assert is_kept(SENT, answer) is kept


def test_types_that_are_empty_are_filled_by_the_server() -> None:
    assert is_kept({"podSelector": {}, "policyTypes": []}, {"podSelector": {}, "policyTypes": ["Ingress"]})
    assert not is_kept({"podSelector": {}, "policyTypes": ["Ingress"]}, {"podSelector": {}, "policyTypes": ["Egress"]})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_what_comes_back_as_it_was_sent_is_kept(value: Any) -> None:
    assert is_kept(value, value)
