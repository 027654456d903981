"""The rights that a run needs, by its options."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster import access
from conformance.cluster.client import Api
from conformance.cluster.options import KubernetesOptions, Workload

if TYPE_CHECKING:
    from conftest import FakeServer

REVIEWS = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def resources(role: dict[str, Any]) -> list[str]:
    return [rule["resources"][0] for rule in role["rules"]]


def test_deployments_are_part_of_the_role_only_where_they_are_made() -> None:
    assert "deployments" not in resources(access.cluster_role())
    assert "deployments" in resources(access.cluster_role([access.DEPLOYMENTS]))


def test_what_only_makes_a_report_say_more_is_part_of_every_role() -> None:
    assert {"events", "daemonsets"} <= set(resources(access.cluster_role()))


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        ((), set()),
        ((access.DISRUPTIVE,), {"list daemonsets.apps"}),
        (
            (access.DISRUPTIVE, access.DEPLOYMENTS),
            {"list daemonsets.apps", *(f"{verb} deployments.apps" for verb in ("get", "create", "delete"))},
        ),
    ],
)
def test_what_is_asked_for_depends_on_the_options(
    options: tuple[str, ...], needed: set[str], server: FakeServer, kubeconfig: str
) -> None:
    server.answer(REVIEWS, 201, {"status": {"allowed": False}})
    missing = access.missing(Api("test", kubeconfig), options)
    assert {each for each in missing if each.endswith(".apps")} == needed
    assert "create pods" in missing


def test_options_are_those_of_the_command_line() -> None:
    assert access.asked_for(KubernetesOptions("c")) == ()
    both = KubernetesOptions("c", workload=Workload.DEPLOYMENT, disruptive=True)
    assert access.asked_for(both) == ("--disruptive", "--workload=deployment")
    wanted = "python -m conformance.cluster.access --disruptive --workload=deployment | kubectl apply -f -"
    assert access.make_role(access.asked_for(both)) == wanted


def test_the_program_prints_the_role_for_the_options_that_it_is_given() -> None:
    command = [sys.executable, "-m", "conformance.cluster.access", "--workload=deployment"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == access.cluster_role([access.DEPLOYMENTS])
    wrong = subprocess.run([*command, "--keep"], capture_output=True, text=True, check=False)
    assert wrong.returncode
    assert wrong.stderr == "no rights depend on --keep: give none, --disruptive or --workload=deployment\n"
