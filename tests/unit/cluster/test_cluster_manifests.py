"""The objects that an arena is made of."""

from __future__ import annotations

from dataclasses import replace

from conformance.cluster import manifests
from conformance.cluster.manifests import Setting
from conformance.cluster.naming import Names
from conformance.cluster.options import Workload
from conformance.model.default_world import default_world
from conformance.model.world import (
    Container,
    Namespace,
    Phase,
    Pod,
    Protocol,
    Server,
    Service,
    ServicePort,
    ServiceType,
)

SETTING = Setting(Names("abc123", "main-1"), "image:1", ("worker-1", "worker-2"), "the agent's text")
SERVERS = (Server(80, Protocol.TCP, "http"), Server(81, Protocol.UDP))


def test_a_namespace_carries_its_labels_the_run_s_and_the_strictest_pod_security() -> None:
    made = manifests.namespace(Namespace("x", {"team": "red"}), SETTING)
    assert made["metadata"] == {
        "name": "netpol-abc123-main-1-x",
        "annotations": {},
        "labels": {
            "team": "red",
            "app.kubernetes.io/managed-by": "netpol-conformance",
            "netpol-conformance/run": "abc123",
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": "latest",
        },
    }


def test_a_pod_has_exactly_the_world_s_labels_and_the_run_s() -> None:
    made = manifests.pod(Pod("x", "a", {"pod": "a"}, SERVERS), SETTING)
    assert made["metadata"] == {"name": "a", "labels": {"pod": "a", "netpol-conformance/run": "abc123"}}


def test_a_pod_meets_the_restricted_level() -> None:
    spec = manifests.pod(Pod("x", "a", {}, SERVERS), SETTING)["spec"]
    security = spec["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] != 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False


def test_a_pod_may_listen_below_1024_without_a_capability() -> None:
    spec = manifests.pod(Pod("x", "a", {}, SERVERS), SETTING)["spec"]
    assert {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"} in spec["securityContext"]["sysctls"]


def test_each_container_declares_and_serves_its_own_ports() -> None:
    servers = (
        Server(80, Protocol.TCP, "http"),
        Server(81, Protocol.TCP, "second", Container.SECOND),
        Server(82, Protocol.TCP, "third", Container.SIDECAR),
    )
    spec = manifests.pod(Pod("x", "a", {}, servers), SETTING, ["10.0.0.9:80/TCP"])["spec"]
    made = {each["name"]: each for each in (*spec["initContainers"], *spec["containers"])}
    assert [each["name"] for each in spec["containers"]] == ["agent", "second"]
    assert {name: [port["name"] for port in each["ports"]] for name, each in made.items()} == {
        "agent": ["http"],
        "second": ["second"],
        "sidecar": ["third"],
    }
    assert [each["command"][6:] for each in made.values()] == [
        ["82/TCP", "--from-start=10.0.0.9:80/TCP"],
        ["80/TCP"],
        ["81/TCP"],
    ]
    assert made["sidecar"]["restartPolicy"] == "Always"
    assert len({str(each["securityContext"]) for each in made.values()}) == 1


def test_a_pod_that_must_be_ready_is_asked_every_second() -> None:
    spec = manifests.pod(Pod("x", "a", {}, SERVERS, readiness=(80, Protocol.TCP)), SETTING)["spec"]
    probe = spec["containers"][0]["readinessProbe"]
    assert probe["tcpSocket"] == {"port": 80}
    assert probe["periodSeconds"] * probe["failureThreshold"] <= 2
    assert "readinessProbe" not in manifests.pod(Pod("x", "a", {}, SERVERS), SETTING)["spec"]["containers"][0]


def test_servers_are_declared_with_their_names_and_given_to_the_agent() -> None:
    container = manifests.pod(Pod("x", "a", {}, SERVERS, generation=3), SETTING)["spec"]["containers"][0]
    assert container["ports"] == [
        {"containerPort": 80, "protocol": "TCP", "name": "http"},
        {"containerPort": 81, "protocol": "UDP"},
    ]
    assert container["command"] == [
        *("python3", "-u", "/netpol/agent.py", "serve", "--identity", "abc123-main-1/x/a#3"),
        *("80/TCP", "81/UDP"),
    ]


def test_pods_go_to_the_worker_of_their_number() -> None:
    world = default_world()
    hosts = {
        pod.ref: manifests.pod(pod, SETTING)["spec"]["nodeSelector"]["kubernetes.io/hostname"]
        for pod in world.pods.values()
    }
    assert hosts["x/a"] == "worker-1"
    assert hosts["x/b"] == "worker-2"
    for namespace in "xyz":
        assert {hosts[f"{namespace}/{name}"] for name in "abc"} == {"worker-1", "worker-2"}
    assert manifests.pod(Pod("x", "a", node=5), SETTING)["spec"]["nodeSelector"]["kubernetes.io/hostname"] == "worker-2"


def test_pods_that_are_not_meant_to_run_come_to_their_phase_by_themselves() -> None:
    specs = {phase: manifests.pod(Pod("x", "a", phase=phase), SETTING)["spec"] for phase in Phase}
    assert specs[Phase.RUNNING]["restartPolicy"] == "Always"
    assert specs[Phase.SUCCEEDED]["restartPolicy"] == "Never"
    assert specs[Phase.SUCCEEDED]["containers"][0]["command"][-1] == "raise SystemExit(0)"
    assert specs[Phase.FAILED]["containers"][0]["command"][-1] == "raise SystemExit(1)"
    assert specs[Phase.PENDING]["schedulingGates"]


def test_a_service_forwards_numbers_and_names() -> None:
    each = Service("x", "web", {"app": "web"}, (ServicePort(90, 80), ServicePort(91, "dns", Protocol.UDP)))
    assert manifests.service(each, SETTING)["spec"] == {
        "type": "ClusterIP",
        "ipFamilyPolicy": "PreferDualStack",
        "selector": {"app": "web"},
        "ports": [
            {"name": "tcp-90", "port": 90, "targetPort": 80, "protocol": "TCP"},
            {"name": "udp-91", "port": 91, "targetPort": "dns", "protocol": "UDP"},
        ],
    }


def test_the_agent_travels_as_text() -> None:
    assert manifests.agent_config_map(SETTING)["data"] == {"agent.py": "the agent's text"}


def test_a_service_of_type_node_port_leaves_the_numbers_to_the_cluster() -> None:
    each = Service("x", "web", {"app": "web"}, (ServicePort(90, 80),), type=ServiceType.NODE_PORT)
    spec = manifests.service(each, SETTING)["spec"]
    assert (spec["type"], spec["ports"]) == (
        "NodePort",
        [{"name": "tcp-90", "port": 90, "targetPort": 80, "protocol": "TCP"}],
    )


def test_a_deployment_knows_its_pod_by_a_label_that_is_no_case_s() -> None:
    each = Pod("x", "a", {"pod": "a", "app": "web"}, SERVERS)
    made = manifests.deployment(each, SETTING, ["10.0.0.9:80/TCP"])
    alone = manifests.pod(each, SETTING, ["10.0.0.9:80/TCP"])
    assert made["metadata"] == {"name": "a", "labels": {"netpol-conformance/run": "abc123"}}
    assert made["spec"]["replicas"] == 1
    assert made["spec"]["selector"] == {"matchLabels": {"netpol-conformance/pod": "a"}}
    assert made["spec"]["template"] == {
        "metadata": {"labels": {**alone["metadata"]["labels"], "netpol-conformance/pod": "a"}},
        "spec": {key: value for key, value in alone["spec"].items() if key != "activeDeadlineSeconds"},
    }


def test_a_probe_pod_takes_little_can_do_little_and_ends_some_day() -> None:
    spec = manifests.pod(Pod("x", "a", {}, SERVERS), SETTING)["spec"]
    (container,) = spec["containers"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["activeDeadlineSeconds"] == 24 * 3600
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["resources"]["limits"] == {"cpu": "1", "memory": "128Mi"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_only_a_pod_that_runs_is_that_of_a_deployment() -> None:
    deploying = replace(SETTING, workload=Workload.DEPLOYMENT)
    assert [phase for phase in Phase if deploying.deploys(Pod("x", "a", phase=phase))] == [Phase.RUNNING]
    assert not any(SETTING.deploys(Pod("x", "a", phase=phase)) for phase in Phase)
