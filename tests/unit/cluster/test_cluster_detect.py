"""Telling what a cluster is from objects that were read from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster import detect
from conformance.cluster.target import KubernetesOptions, KubernetesTarget
from conformance.model.world import Node

if TYPE_CHECKING:
    from conftest import FakeServer


def daemon_set(name: str, *images: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"template": {"spec": {"containers": [{"image": image} for image in images]}}},
    }


def node(name: str = "n", *, ready: str = "True", spec: dict[str, Any] | None = None, **info: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": f"host-{name}", "kubernetes.io/os": "linux"}},
        "spec": spec or {},
        "status": {
            "conditions": [{"type": "Ready", "status": ready}],
            "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": "172.18.0.2"}],
            "nodeInfo": {
                "kubeletVersion": "v1.34.2",
                "kernelVersion": "6.1",
                "containerRuntimeVersion": "containerd://2.1",
                "osImage": "Debian",
                "architecture": "amd64",
                **info,
            },
        },
    }


@pytest.mark.parametrize(
    ("image", "name", "version"),
    [
        ("docker.io/calico/node:v3.28.5", "calico", "v3.28.5"),
        ("quay.io/calico/node:v3.31.0", "calico", "v3.31.0"),
        ("quay.io/cilium/cilium:v1.19.0@sha256:0123", "cilium", "v1.19.0"),
        ("registry.local:5000/mirror/cilium/cilium:v1.18.1", "cilium", "v1.18.1"),
        ("rancher/mirrored-cilium-cilium:v1.18.1", "cilium", "v1.18.1"),
        ("antrea/antrea-agent-ubuntu:v2.4.0", "antrea", "v2.4.0"),
        ("docker.io/cloudnativelabs/kube-router:v2.5.0", "kube-router", "v2.5.0"),
        ("docker.io/kindest/kindnetd:v20250512-df8de77b", "kindnet", "v20250512-df8de77b"),
        ("rajchaudhuri/weave-npc:2.9.0", "weave", "2.9.0"),
        ("ghcr.io/flannel-io/flannel:v0.27.0", "flannel", "v0.27.0"),
        ("ghcr.io/ovn-kubernetes/ovn-kubernetes/ovn-kube-ubuntu:master", "ovn-kubernetes", "master"),
        ("docker.io/kubeovn/kube-ovn:v1.14.0", "kube-ovn", "v1.14.0"),
        ("registry.k8s.io/networking/kube-network-policies:v1.0.0", "kube-network-policies", "v1.0.0"),
        ("602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon/aws-network-policy-agent:v1.2.0-eksbuild.1",
         "aws-network-policy-agent", "v1.2.0-eksbuild.1"),
        ("mcr.microsoft.com/containernetworking/azure-npm:v1.6.0", "azure-npm", "v1.6.0"),
    ],
)  # fmt: skip
def test_implementations_are_known_by_their_images(image: str, name: str, version: str) -> None:
    sets = [daemon_set("kube-proxy", "registry.k8s.io/kube-proxy:v1.34.2"), daemon_set("agent", image)]
    assert detect.implementation(sets, [node()]) == detect.Implementation(name, version)


def test_a_digest_is_no_version_but_the_daemon_set_s_name_tells() -> None:
    sets = [daemon_set("ovnkube-node", "quay.io/openshift-release-dev/ocp-v4.0-art-dev@sha256:01")]
    assert detect.implementation(sets, [node()]) == detect.Implementation("ovn-kubernetes", "")


def test_who_enforces_counts_and_not_who_connects() -> None:
    canal = [daemon_set("canal", "ghcr.io/flannel-io/flannel:v0.27.0", "docker.io/calico/node:v3.30.0")]
    assert detect.implementation(canal, [node()]) == detect.Implementation("calico", "v3.30.0")
    eks = [daemon_set("aws-node", "amazon/amazon-k8s-cni:v1.20.0", "amazon/aws-network-policy-agent:v1.2.0")]
    assert detect.implementation(eks, [node()]).name == "aws-network-policy-agent"


def test_whose_pods_enforce_is_told_too() -> None:
    proxy, node_agent = daemon_set("kube-proxy", "kube-proxy:v1"), daemon_set("calico-node", "calico/node:v3")
    assert detect.enforcing([proxy, node_agent]) is node_agent
    by_name = daemon_set("ovnkube-node", "quay.io/release@sha256:01")
    assert detect.enforcing([proxy, by_name]) is by_name
    assert detect.enforcing([proxy]) is None


def felix(**spec: Any) -> dict[str, Any]:
    return {"spec": spec}


def proxied(mode: str) -> dict[str, Any]:
    return {"data": {"config.conf": f"mode: {mode}\n"}}


@pytest.mark.parametrize(
    ("settings", "environment", "kube_proxy", "data_plane"),
    [
        (felix(), {}, proxied("iptables"), "iptables"),
        (None, {}, proxied("ipvs"), "iptables"),
        (felix(nftablesMode="Auto"), {}, proxied("iptables"), "iptables"),
        (felix(nftablesMode="Auto"), {}, proxied("nftables"), "nftables"),
        (felix(nftablesMode="Disabled"), {}, proxied("nftables"), "iptables"),
        (felix(nftablesMode="Enabled"), {}, None, "nftables"),
        (None, {"FELIX_NFTABLESMODE": "Enabled"}, proxied("iptables"), "nftables"),
        (felix(bpfEnabled=True, nftablesMode="Enabled"), {}, None, "eBPF"),
        (felix(bpfEnabled=True), {"FELIX_BPFENABLED": "false"}, proxied("iptables"), "iptables"),
        (felix(), {"FELIX_BPFENABLED": "true"}, proxied("iptables"), "eBPF"),
        (felix(), {}, proxied("nftables"), "unknown"),
        (felix(), {}, None, "unknown"),
    ],
)
def test_calico_s_data_plane_is_told_by_felix_s_settings(
    settings: Any, environment: dict[str, str], kube_proxy: Any, data_plane: str
) -> None:
    agent = daemon_set("calico-node", "docker.io/calico/node:v3.28.5")
    container = agent["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": value} for name, value in environment.items()]
    container["env"].append({"name": "NODENAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}})
    assert detect.data_plane([agent], settings, kube_proxy) == data_plane


@pytest.mark.parametrize("api", ["crd.projectcalico.org/v1", "projectcalico.org/v3"])
def test_felix_s_settings_are_found_in_either_of_calico_s_apis(api: str, server: FakeServer, kubeconfig: str) -> None:
    server.answer("GET /api/v1/nodes", 200, {"items": []})
    agent = daemon_set("calico-node", "docker.io/calico/node:v3.32.0")
    server.answer("GET /apis/apps/v1/daemonsets", 200, {"items": [agent]})
    server.answer(f"GET /apis/{api}/felixconfigurations/default", 200, felix(bpfEnabled=True))
    described = KubernetesTarget(KubernetesOptions("test", kubeconfig)).describe()
    assert (described.implementation, described.environment["data plane"]) == ("calico", "eBPF")


def test_others_have_one_data_plane_or_it_is_unknown() -> None:
    assert detect.data_plane([daemon_set("cilium", "cilium/cilium:v1")], None, None) == "eBPF"
    assert detect.data_plane([daemon_set("azure-npm", "azure-npm:v1")], None, None) == "unknown"
    assert detect.data_plane([daemon_set("kube-proxy", "kube-proxy:v1")], None, None) == "unknown"


def test_what_is_not_known_is_unknown() -> None:
    assert detect.implementation([daemon_set("ciliumish", "example.com/not-cilium-at-all:v1")], [node()]) == (
        detect.Implementation("unknown", "")
    )


def test_a_distribution_that_enforces_by_itself_is_known_by_its_kubelet() -> None:
    nodes = [node(kubeletVersion="v1.33.1+k3s1")]
    assert detect.implementation([], nodes) == detect.Implementation("k3s", "v1.33.1+k3s1")


@pytest.mark.parametrize(
    ("image", "split"),
    [
        ("a/b:v1", ("a/b", "v1")),
        ("host:5000/a/b", ("host:5000/a/b", "")),
        ("host:5000/a/b:v1@sha256:00", ("host:5000/a/b", "v1")),
        ("a", ("a", "")),
    ],
)
def test_images_are_split_at_the_tag(image: str, split: tuple[str, str]) -> None:
    assert detect.split_image(image) == split


def test_the_environment_names_what_differs_between_nodes() -> None:
    nodes = [node("a"), node("b"), node("c", kernelVersion="6.8")]
    found = detect.environment(
        {"gitVersion": "v1.34.2"}, nodes, {"data": {"config.conf": "iptables:\nmode: nftables\n"}}
    )
    assert found["kubernetes"] == "v1.34.2"
    assert found["nodes"] == "3"
    assert found["kernel"] == "6.1, 6.8"
    assert found["kube-proxy"] == "nftables"
    assert found["ip family"] == "IPv4"
    assert found["data plane"] == "unknown"


def test_both_families_are_told_from_the_nodes_pod_ranges() -> None:
    nodes = [node(spec={"podCIDRs": ["10.0.0.0/24", "fd00::/64"]})]
    assert detect.environment({}, nodes, None)["ip family"] == "IPv4 and IPv6"


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ('mode: ""\n', "iptables"),
        ("kind: KubeProxyConfiguration\nmode: ipvs\n", "ipvs"),
        ("kind: KubeProxyConfiguration\n", "unknown"),
    ],
)
def test_kube_proxy_s_mode(text: str, mode: str) -> None:
    assert detect.proxy_mode({"data": {"config.conf": text}}) == mode
    assert detect.proxy_mode(None) == "unknown"


def test_workers_are_ready_schedulable_and_in_the_order_of_their_names() -> None:
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    nodes = [
        node("w2"),
        node("w1"),
        node("control-plane", spec={"taints": [taint]}),
        node("cordoned", spec={"unschedulable": True}),
        node("broken", ready="Unknown"),
        node("w3", spec={"taints": [{"key": "k", "effect": "PreferNoSchedule"}]}),
    ]
    assert detect.workers(nodes) == ("host-w1", "host-w2", "host-w3")


def test_a_control_plane_without_taints_takes_pods_too() -> None:
    assert detect.workers([node("control-plane")]) == ("host-control-plane",)


def test_the_places_of_node_ports_are_the_ready_nodes_workers_first() -> None:
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    nodes = [node("control-plane", spec={"taints": [taint]}), node("w2"), node("broken", ready="False"), node("w1")]
    for number, each in enumerate(nodes):
        each["status"]["addresses"] = [
            {"type": "Hostname", "address": "somewhere"},
            {"type": "InternalIP", "address": f"172.18.0.{number}"},
            {"type": "InternalIP", "address": f"fd00::{number}"},
        ]
    assert detect.workers(nodes) == ("host-w1", "host-w2")
    assert detect.places(nodes) == (
        Node(("172.18.0.3", "fd00::3")),
        Node(("172.18.0.1", "fd00::1")),
        Node(("172.18.0.0", "fd00::0"), worker=False),
    )
