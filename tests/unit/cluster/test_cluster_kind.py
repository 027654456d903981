"""Making a kind cluster: the programs are played by scripts that write down what they are told."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from conformance.casefile.waivers import load_waivers
from conformance.cluster import access, implementations, kind
from conformance.cluster.kind import KindOptions
from conformance.errors import TargetUnavailable, UsageError
from conformance.model.case import FEATURES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >> "{folder}/calls"
case "$(basename "$0") $*" in
  "kind get clusters") cat "{folder}/clusters" ;;
  "kind get nodes"*) echo "one two" ;;
  "helm template"*) echo "kind: Rendered" ;;
  {fails}) echo "it went wrong" >&2; exit 1 ;;
esac
"""


class Programs:
    """Scripts called kind, kubectl and docker; `failing` are patterns of calls that fail."""

    def __init__(self, folder: Path, failing: Sequence[str] = ("never",)) -> None:
        self.folder = folder
        (folder / "clusters").write_text("somebody-s\n")
        for name in ("kind", "kubectl", "docker", "helm"):
            path = folder / name
            path.write_text(_PROGRAM.format(folder=folder, fails="|".join(failing)))
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    @property
    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Programs]:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return lambda *failing: Programs(tmp_path, failing or ("never",))


def test_a_cluster_is_made_with_a_kubeconfig_of_its_own(programs: Callable[..., Programs]) -> None:
    made = programs()
    cluster = kind.create(KindOptions(run="abc123", node_image="node:1", image="probe:1"))
    assert (cluster.name, cluster.context) == ("netpol-conformance-abc123", "kind-netpol-conformance-abc123")
    create = next(call for call in made.calls if call.startswith("kind create"))
    assert f"--kubeconfig {cluster.kubeconfig}" in create
    assert "--image node:1" in create
    assert f"--config {implementations.kind_config()}" in create
    kubectl = [call for call in made.calls if call.startswith("kubectl")]
    assert all(f"--kubeconfig {cluster.kubeconfig} --context {cluster.context}" in call for call in kubectl)
    assert implementations.pinned("calico").manifest in kubectl[0]
    assert any("rollout status daemonset/calico-node" in call for call in kubectl)
    assert "kind load docker-image probe:1 --name netpol-conformance-abc123" in made.calls
    assert not any("export" in call for call in made.calls)

    (made.folder / "clusters").write_text(cluster.name + "\n")
    kind.delete(cluster)
    assert made.calls[-1] == "kind delete cluster --name netpol-conformance-abc123"
    assert not Path(cluster.kubeconfig).parent.exists()


def test_a_cluster_that_is_there_is_not_taken_over(programs: Callable[..., Programs]) -> None:
    made = programs()
    with pytest.raises(UsageError, match="somebody-s already"):
        kind.create(KindOptions(name="somebody-s"))
    assert made.calls == ["kind get clusters"]


def test_a_cluster_that_is_to_be_used_again_stays(programs: Callable[..., Programs]) -> None:
    made = programs()
    cluster = kind.create(KindOptions(name="somebody-s", reuse=True))
    kind.delete(cluster)
    assert not any(call.startswith(("kind create", "kind delete", "kubectl")) for call in made.calls)
    assert any(call.startswith("kind export kubeconfig --name somebody-s --kubeconfig") for call in made.calls)


def test_a_cluster_that_is_kept_becomes_known_to_the_user(programs: Callable[..., Programs]) -> None:
    made = programs()
    cluster = kind.create(KindOptions(name="mine", keep=True))
    kind.delete(cluster)
    assert "kind export kubeconfig --name mine" in made.calls
    assert not any("delete" in call for call in made.calls)


@pytest.mark.parametrize(
    ("failing", "message"),
    [
        ("kind\\ create*", "making the kind cluster mine failed"),
        ("kubectl*apply*", "installing calico failed"),
        ("kubectl*rollout*", "calico v3.28.5 did not come up"),
        ("kubectl*wait*", "calico v3.28.5 did not come up"),
    ],
)
def test_a_cluster_that_fails_says_at_which_step(programs: Callable[..., Programs], failing: str, message: str) -> None:
    made = programs(failing)
    (made.folder / "clusters").write_text("")

    with pytest.raises(TargetUnavailable) as caught:
        kind.create(KindOptions(name="mine"))
    assert caught.value.message == message
    assert "it went wrong" in str(caught.value)


def test_a_failed_cluster_is_deleted(programs: Callable[..., Programs], monkeypatch: pytest.MonkeyPatch) -> None:
    made = programs("kubectl*apply*")
    listings = iter([(), ("mine",)])
    monkeypatch.setattr(kind, "clusters", lambda _: next(listings))
    with pytest.raises(TargetUnavailable):
        kind.create(KindOptions(name="mine", keep=True))
    assert made.calls[-1] == "kind delete cluster --name mine"


def test_programs_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TargetUnavailable, match="kind and kubectl and docker are not on the PATH") as caught:
        kind.create(KindOptions())
    assert "https://kind.sigs.k8s.io" in (caught.value.hint or "")


def test_an_unknown_plugin_lists_the_known_ones(programs: Callable[..., Programs]) -> None:
    programs()
    with pytest.raises(UsageError) as caught:
        kind.create(KindOptions(plugin="calcio"))
    assert "calico" in (caught.value.hint or "")


def test_an_unknown_plugin_with_a_manifest_of_its_own_is_installed(programs: Callable[..., Programs]) -> None:
    made = programs()
    kind.delete(kind.create(KindOptions(name="mine", plugin="new", manifest="new.yaml", keep=True)))
    assert any("-f new.yaml" in call for call in made.calls)


def test_deleting_by_name_needs_the_name_of_one_that_is_there(programs: Callable[..., Programs]) -> None:
    programs()
    with pytest.raises(TargetUnavailable, match="no kind cluster is called mine"):
        kind.delete_by_name("mine")


def test_clusters_that_runs_left_behind_are_known_by_their_names(programs: Callable[..., Programs]) -> None:
    made = programs()
    (made.folder / "clusters").write_text("netpol-conformance-abc123\nnetpol\n")
    assert kind.left_behind() == ("netpol-conformance-abc123",)


def test_the_endpoint_outside_is_a_container_beside_the_nodes() -> None:
    cluster = kind.Cluster("mine", "/folder/kubeconfig")
    options = kind.kubernetes_options(cluster, KindOptions(run="abc123", image="probe:1"))
    assert (options.context, options.kubeconfig, options.run) == ("kind-mine", "/folder/kubeconfig", "abc123")
    assert options.external_command == (
        *("docker", "run", "-i", "--rm", "--network", "kind", "--cap-add", "NET_ADMIN", "probe:1"),
    )


@pytest.mark.parametrize("name", implementations.names())
def test_every_implementation_is_pinned(name: str) -> None:
    pinned = implementations.pinned(name)
    assert pinned.name == name.partition("/")[0]
    assert pinned.version in pinned.manifest or not pinned.manifest.startswith("http")
    assert pinned.config.is_file()
    assert not pinned.waivers or load_waivers(pinned.waivers) is not None
    assert set(pinned.unsupported) <= set(FEATURES)
    networking = yaml.safe_load(pinned.config.read_text()).get("networking", {})
    assert pinned.ip_family == {"dual": "IPv4 and IPv6", "ipv6": "IPv6"}.get(networking.get("ipFamily"), "IPv4")


def test_a_mode_of_an_implementation_has_its_own_files_or_those_of_the_usual_mode() -> None:
    usual, other = implementations.pinned("calico"), implementations.pinned("calico/nftables")
    assert (usual.mode, other.mode) == ("iptables", "nftables")
    assert usual.config == implementations.kind_config() != other.config
    assert usual.waivers != other.waivers


def test_what_a_manifest_leaves_open_is_said_to_kubectl(programs: Callable[..., Programs]) -> None:
    made = programs()
    kind.create(KindOptions(run="abc123", plugin="calico/nftables", image="probe:1"))
    applied = next(number for number, call in enumerate(made.calls) if " apply " in call)
    assert made.calls[applied + 1].endswith(
        "--namespace kube-system set env daemonset/calico-node FELIX_NFTABLESMODE=Enabled"
    )


def test_what_nodes_need_is_brought_to_each_before_anything_is_applied(programs: Callable[..., Programs]) -> None:
    made = programs()
    kind.create(KindOptions(run="abc123", plugin="flannel", image="probe:1"))
    prepared = [number for number, call in enumerate(made.calls) if call.startswith("docker exec")]
    assert [made.calls[number].split()[2] for number in prepared] == ["one", "two"]
    assert prepared[-1] < next(number for number, call in enumerate(made.calls) if " apply " in call)


def test_a_chart_is_rendered_and_applied(programs: Callable[..., Programs]) -> None:
    made = programs()
    cluster = kind.create(KindOptions(run="abc123", plugin="cilium", image="probe:1"))
    version = implementations.pinned("cilium").version
    rendered = next(call for call in made.calls if call.startswith("helm"))
    assert rendered == (
        f"helm template cilium cilium --repo https://helm.cilium.io --version {version} --namespace kube-system "
        "--include-crds --set ipam.mode=kubernetes"
    )
    chart = Path(cluster.kubeconfig).parent / "chart.yaml"
    assert chart.read_text() == "kind: Rendered\n"
    assert any(call.endswith(f"-f {chart}") for call in made.calls)


def test_a_manifest_that_is_given_replaces_a_chart(programs: Callable[..., Programs]) -> None:
    made = programs()
    kind.create(KindOptions(run="abc123", plugin="cilium", manifest="mine.yaml", image="probe:1"))
    assert not any(call.startswith("helm") for call in made.calls)
    assert any(call.endswith("-f mine.yaml") for call in made.calls)


def test_what_is_asked_of_an_account_is_one_role() -> None:
    role = access.cluster_role()
    assert json.dumps(role)
    resources = {resource for rule in role["rules"] for resource in rule["resources"]}
    assert "secrets" not in resources
    assert not any("*" in value for rule in role["rules"] for value in (*rule["verbs"], *rule["resources"]))
