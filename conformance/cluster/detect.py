"""What a cluster is: which plugin enforces its policies, and what it runs on. Pure functions of objects that were read."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.model.world import Node

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Implementation:
    """The plugin that enforces policies, by name, and its version, as far as it can be told."""

    name: str = UNKNOWN
    version: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    """A plugin: a pattern for the repository of its image, and one for its DaemonSet where an image is only a digest.

    `data_plane` is what it enforces policies with, where there is only one way.
    """

    name: str
    image: str
    daemon_set: str
    data_plane: str = ""


#: In order of who enforces when several are there: Canal is flannel for the packets and Calico for the policies.
_KNOWN = (
    _Known("cilium", r"(^|[/-])cilium$", r"^(cilium|anetd)$", "eBPF"),
    _Known("calico", r"(^|/)(calico/node|(mirrored-)?calico-node|hardened-calico|calico)$", r"^(calico-node|canal)$"),
    _Known(
        "antrea", r"(^|/)antrea-(agent-)?(ubuntu|ubi|debian)$|(^|/)antrea-agent$", r"^antrea-agent$", "Open vSwitch"
    ),
    _Known("kube-ovn", r"(^|/)kube-ovn$", r"^kube-ovn-cni$", "Open vSwitch"),
    _Known("ovn-kubernetes", r"(^|/)ovn-kube(rnetes)?(-[a-z0-9]+)?$", r"^ovnkube-(node|pod)", "Open vSwitch"),
    _Known("kube-router", r"(^|/)kube-router$", r"^kube-router$", "iptables"),
    _Known("kube-network-policies", r"(^|/)kube-network-policies$", r"^kube-network-policies", "nftables"),
    _Known("weave", r"(^|/)weave-npc$|(^|/)weave-kube$", r"^weave-net$", "iptables"),
    _Known("azure-npm", r"(^|/)azure-npm$", r"^azure-npm$"),
    _Known("aws-network-policy-agent", r"(^|/)aws-network-policy-agent$", r"^aws-network-policy", "eBPF"),
    _Known("kindnet", r"(^|/)kindnetd?$", r"^kindnet$", "nftables"),
    _Known("amazon-vpc-cni", r"(^|/)amazon-k8s-cni$", r"^aws-node$"),
    _Known("flannel", r"(^|/)(flannel|(mirrored-)?flannel(cni|-io)?-flannel)$", r"^kube-flannel"),
)
#: Distributions that enforce policies inside their own process: the mark in the kubelet's version, and what it means.
_BUILT_IN = (("+k3s", "k3s"),)

_MODE = re.compile(r"^\s*mode:[ \t]*[\"']?(\w*)[\"']?\s*$", re.MULTILINE)


def implementation(daemon_sets: Iterable[Mapping[str, Any]], nodes: Sequence[Mapping[str, Any]]) -> Implementation:
    """Tell the plugin by its agents, which run on every node as a DaemonSet."""
    if (found := _enforcing(daemon_sets)) is not None:
        known, _, version = found
        return Implementation(known.name, version)
    for mark, name in _BUILT_IN:
        for node in nodes:
            if mark in (version := node["status"]["nodeInfo"]["kubeletVersion"]):
                return Implementation(name, version)
    return Implementation()


def enforcing(daemon_sets: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the DaemonSet whose pods enforce policies; None where no plugin that is known runs as one."""
    found = _enforcing(daemon_sets)
    return None if found is None else found[1]


def _enforcing(daemon_sets: Iterable[Mapping[str, Any]]) -> tuple[_Known, Mapping[str, Any], str] | None:
    """Return the plugin, its DaemonSet, and its version where that is known."""
    found = [(each, *split_image(image)) for each in daemon_sets for image in _images(each)]
    for known in _KNOWN:
        for each, repository, version in found:
            if re.search(known.image, repository):
                return known, each, version
        for each, _, _ in found:
            if re.search(known.daemon_set, each["metadata"]["name"]):
                return known, each, ""
    return None


def data_plane(
    daemon_sets: Iterable[Mapping[str, Any]], felix: Mapping[str, Any] | None, kube_proxy: Mapping[str, Any] | None
) -> str:
    """Return what policies are enforced with, as far as it can be told. `felix` is Calico's FelixConfiguration `default`."""
    if (found := _enforcing(daemon_sets)) is None:
        return UNKNOWN
    known, daemon_set, _ = found
    return (
        _data_plane_of_calico(daemon_set, felix, kube_proxy) if known.name == "calico" else known.data_plane or UNKNOWN
    )


def _data_plane_of_calico(
    daemon_set: Mapping[str, Any], felix: Mapping[str, Any] | None, kube_proxy: Mapping[str, Any] | None
) -> str:
    """Read Felix's settings, of which its environment goes before the FelixConfiguration.

    https://docs.tigera.io/calico/latest/reference/felix/configuration: nftablesMode Auto follows kube-proxy.
    """
    containers = daemon_set["spec"]["template"]["spec"]["containers"]
    environment = {each["name"]: each.get("value", "") for one in containers for each in one.get("env") or ()}
    spec = (felix or {}).get("spec", {})
    if str(environment.get("FELIX_BPFENABLED", spec.get("bpfEnabled", ""))).lower() == "true":
        return "eBPF"
    nftables = str(environment.get("FELIX_NFTABLESMODE", spec.get("nftablesMode", ""))).lower()
    if nftables == "disabled" or (nftables != "enabled" and proxy_mode(kube_proxy) in {"iptables", "ipvs"}):
        return "iptables"
    return "nftables" if nftables else UNKNOWN


def split_image(image: str) -> tuple[str, str]:
    """Split an image's reference into repository and tag; a digest is no version, and a registry's port is no tag."""
    repository = image.partition("@")[0]
    head, colon, tag = repository.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (repository, "")


def environment(
    version: Mapping[str, Any],
    nodes: Sequence[Mapping[str, Any]],
    kube_proxy: Mapping[str, Any] | None,
    data_plane: str = UNKNOWN,
) -> dict[str, str]:
    """Return what a reader of a report needs to know about a cluster. Values that differ between nodes are all named."""
    infos = [node["status"]["nodeInfo"] for node in nodes]
    families = sorted({_family(cidr) for node in nodes for cidr in node.get("spec", {}).get("podCIDRs") or ()})
    return {
        "kubernetes": str(version.get("gitVersion", UNKNOWN)),
        "nodes": str(len(nodes)),
        "kernel": _all(info["kernelVersion"] for info in infos),
        "container runtime": _all(info["containerRuntimeVersion"] for info in infos),
        "os": _all(info["osImage"] for info in infos),
        "architecture": _all(info["architecture"] for info in infos),
        "kube-proxy": proxy_mode(kube_proxy),
        "data plane": data_plane,
        "ip family": " and ".join(families) or _all(_family(each) for each in map(internal_address, nodes) if each),
    }


def proxy_mode(config_map: Mapping[str, Any] | None) -> str:
    """Return kube-proxy's mode out of its ConfigMap; not every cluster has one."""
    if config_map is None:
        return UNKNOWN
    match = _MODE.search(config_map.get("data", {}).get("config.conf", ""))
    return (match[1] or "iptables") if match else UNKNOWN


def internal_address(node: Mapping[str, Any]) -> str:
    """Return the address under which the other machines of its network reach a node."""
    return next(iter(_internal_addresses(node)), "")


def places(nodes: Sequence[Mapping[str, Any]]) -> tuple[Node, ...]:
    """Return the nodes that forward what arrives at their node ports: first the workers, in the order of `workers`, then the others."""
    ready = sorted((node for node in nodes if is_ready(node)), key=lambda node: str(node["metadata"]["name"]))
    found = [Node(_internal_addresses(node), worker=takes_pods(node)) for node in ready]
    return tuple(sorted(found, key=lambda node: not node.worker))


def workers(nodes: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the hostname labels of the nodes that pods can be put on, in the order of their names."""
    ready = sorted((node for node in nodes if takes_pods(node)), key=lambda node: str(node["metadata"]["name"]))
    return tuple(node["metadata"]["labels"]["kubernetes.io/hostname"] for node in ready)


def _internal_addresses(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(each["address"] for each in node["status"].get("addresses") or () if each["type"] == "InternalIP")


def is_ready(owner: Mapping[str, Any]) -> bool:
    """Tell whether a node or a pod says of itself that it is ready."""
    conditions = {each["type"]: each["status"] for each in owner["status"].get("conditions") or ()}
    return conditions.get("Ready") == "True"


def takes_pods(node: Mapping[str, Any]) -> bool:
    spec, labels = node.get("spec", {}), node["metadata"].get("labels", {})
    return (
        is_ready(node)
        and not spec.get("unschedulable")
        and all(taint["effect"] == "PreferNoSchedule" for taint in spec.get("taints") or ())
        and labels.get("kubernetes.io/os", "linux") == "linux"
        and "kubernetes.io/hostname" in labels
    )


def _images(daemon_set: Mapping[str, Any]) -> list[str]:
    return [each["image"] for each in daemon_set["spec"]["template"]["spec"]["containers"]]


def _family(cidr: str) -> str:
    return "IPv6" if ":" in cidr else "IPv4"


def _all(values: Iterable[str]) -> str:
    """Name each value once, the most frequent first."""
    return ", ".join(value for value, _ in Counter(values).most_common()) or UNKNOWN
