"""A run beside what others have on the cluster: it harms none of it, and is misled by none of it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster.client import Api, ApiError, namespace_path, policy_path
from conformance.cluster.naming import MANAGED_BY, MANAGED_BY_LABEL, RUN_LABEL
from conformance.cluster.options import new_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.cluster.conftest import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("enforcing")]

CASES = ("cases/recipes", "-k", "deny-all-traffic or limit-traffic-to or only-to-a-port", "-n", "0")
NAMESPACES = "/api/v1/namespaces"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
GLOBAL_POLICIES = "/apis/crd.projectcalico.org/v1/globalnetworkpolicies"


@pytest.fixture
def api(cluster: Cluster) -> Iterator[Api]:
    connected = Api(cluster.context)
    yield connected
    connected.close()


@pytest.fixture
def make(api: Api) -> Iterator[Callable[..., dict[str, Any]]]:
    """Return a function that makes an object which somebody else has on the cluster."""
    made: list[str] = []

    def create(path: str, name: str, labels: dict[str, str] | None = None, **body: Any) -> dict[str, Any]:
        answer = api.create(path, {**body, "metadata": {"name": name, "labels": labels or {}}})
        made.append(f"{path}/{name}")
        return answer

    yield create
    for each in reversed(made):
        api.delete(each)


@pytest.fixture
def run(cluster: Cluster) -> Iterator[str]:
    name = new_run()
    yield name
    cluster.call("cleanup", f"--run={name}")


def header(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.jsonl").read_text().splitlines()[0])
    return found


def test_what_looks_like_a_run_s_own_stays_as_it_is(
    api: Api, make: Callable[..., dict[str, Any]], run: str, cluster: Cluster, tmp_path: Path
) -> None:
    labels = [
        {},
        {RUN_LABEL: run},
        {MANAGED_BY_LABEL: MANAGED_BY},
        {MANAGED_BY_LABEL: "helm", RUN_LABEL: run},
        {MANAGED_BY_LABEL: MANAGED_BY, RUN_LABEL: f"{run}x"},
    ]
    names = [f"netpol-{run}-main-1-{number}" for number in range(len(labels))]
    for name, given in zip(names, labels, strict=True):
        make(NAMESPACES, name, given)
        make(policy_path(name), "deny", given, spec={"podSelector": {}, "policyTypes": ["Ingress"]})
        make(namespace_path(name, "configmaps"), "netpol-agent", given, data={"agent.py": "mine"})
    paths = [
        path
        for name in names
        for path in (namespace_path(name), policy_path(name, "deny"), namespace_path(name, "configmaps/netpol-agent"))
    ]

    def state() -> list[Any]:
        return [
            {key: value for key, value in each["metadata"].items() if key != "managedFields"}
            for each in map(api.get, paths)
        ]

    before = state()
    status, lines, output = cluster.run(tmp_path / "run", *CASES, f"--run={run}")
    assert (status, {line["verdict"] for line in lines.values()}) == (0, {"pass"}), output
    assert "there was nothing to remove" in cluster.call("cleanup", f"--run={run}").stdout
    assert state() == before


def test_two_runs_at_once_do_not_disturb_each_other_and_nor_does_the_end_of_one(
    api: Api, run: str, cluster: Cluster, tmp_path: Path
) -> None:
    wanted = ("--namespace-label=example.org/team=blue", "--namespace-annotation=example.org/why=a test")
    other = new_run()
    command = cluster.command("run", *CASES, f"--run={other}", f"--report={tmp_path / 'other'}")
    with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as beside:
        status, lines, output = cluster.run(tmp_path / "run", *CASES, f"--run={run}", "--keep", *wanted)
        kept = api.items(NAMESPACES, {"labelSelector": f"{RUN_LABEL}={run}"})
        cleaned = cluster.call("cleanup", f"--run={run}")
        beside_output, _ = beside.communicate(timeout=300)
    assert (status, beside.returncode) == (0, 0), output + beside_output
    assert {line["verdict"] for line in lines.values()} == {"pass"}
    assert len(kept) == 4
    assert {each["metadata"]["labels"]["example.org/team"] for each in kept} == {"blue"}
    assert {each["metadata"]["annotations"]["example.org/why"] for each in kept} == {"a test"}
    assert cleaned.stdout.count("removed namespace") == 4
    assert api.items(NAMESPACES, {"labelSelector": f"{RUN_LABEL} in ({run}, {other})"}) == []


def test_a_second_run_of_the_same_name_is_refused_and_the_first_one_stays(
    api: Api, run: str, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.run(tmp_path / "first", *CASES[:1], "-k", "deny-all-traffic", "-n", "0", f"--run={run}", "--keep")
    kept = api.items(NAMESPACES, {"labelSelector": f"{RUN_LABEL}={run}"})
    second = cluster.call("run", *CASES, f"--run={run}")
    assert second.returncode == 69, second.stdout
    assert f'namespaces "netpol-{run}-main-1-x" already exists' in second.stdout
    there = api.items(NAMESPACES, {"labelSelector": f"{RUN_LABEL}={run}"})
    assert [each["metadata"]["uid"] for each in there] == [each["metadata"]["uid"] for each in kept]
    assert {each["status"]["phase"] for each in there} == {"Active"}


def test_a_policy_of_the_whole_cluster_is_named_before_anything_is_made(
    api: Api, make: Callable[..., dict[str, Any]], run: str, cluster: Cluster, tmp_path: Path
) -> None:
    name = f"netpol-test-{run}"
    kind = {"apiVersion": "crd.projectcalico.org/v1", "kind": "GlobalNetworkPolicy"}
    try:
        make(GLOBAL_POLICIES, name, **kind, spec={"selector": f"has({name})", "types": ["Ingress"]})
    except ApiError as error:
        pytest.skip(f"this cluster has no GlobalNetworkPolicy: {error.message}")
    refused = cluster.call("run", *CASES, f"--run={run}")
    assert refused.returncode == 69, refused.stdout
    assert f"globalnetworkpolicies.crd.projectcalico.org {name}" in refused.stdout
    assert api.items(NAMESPACES, {"labelSelector": f"{RUN_LABEL}={run}"}) == []
    status, _, output = cluster.run(tmp_path / "run", *CASES, f"--run={run}", "--despite-policies")
    assert status == 0, output
    named = header(tmp_path / "run")["environment"]["other policies"]
    assert named == f"globalnetworkpolicies.crd.projectcalico.org {name}"


def test_what_admission_refuses_is_said_in_its_words_and_a_label_can_exempt_the_run(
    make: Callable[..., dict[str, Any]], run: str, cluster: Cluster, tmp_path: Path
) -> None:
    name = f"netpol-test-{run}"
    ours = {"matchLabels": {RUN_LABEL: run}, "matchExpressions": [{"key": "exempt", "operator": "DoesNotExist"}]}
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec = {
        "matchConstraints": {"namespaceSelector": ours, "resourceRules": [pods]},
        "validations": [{"expression": "false", "message": "no pods for strangers"}],
    }
    make(f"{ADMISSION}/validatingadmissionpolicies", name, spec=spec)
    binding = {"policyName": name, "validationActions": ["Deny"]}
    make(f"{ADMISSION}/validatingadmissionpolicybindings", name, spec=binding)
    refused = cluster.call("run", *CASES, f"--run={run}")
    assert refused.returncode == 69, refused.stdout
    assert f"ValidatingAdmissionPolicy '{name}'" in refused.stdout
    assert "no pods for strangers" in refused.stdout
    status, _, output = cluster.run(tmp_path / "run", *CASES, f"--run={run}", "--namespace-label=exempt=yes")
    assert status == 0, output
    assert header(tmp_path / "run")["environment"]["admission"] == f"validatingadmissionpolicies {name}"


def test_a_label_that_cases_are_about_cannot_be_given(run: str, cluster: Cluster) -> None:
    refused = cluster.call("run", *CASES, f"--run={run}", "--namespace-label=ns=mine")
    assert refused.returncode == 64, refused.stdout
    assert "namespaces cannot be given the label ns" in refused.stdout
