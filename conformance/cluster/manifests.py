"""The objects that an arena is made of, as the API server gets them. Pure functions of the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance.cluster.admitted import POD_SECURITY
from conformance.cluster.naming import MANAGED_BY, MANAGED_BY_LABEL, POD_LABEL, RUN_LABEL
from conformance.cluster.options import Workload
from conformance.model.world import Container, Phase
from conformance.runner.routes import identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.cluster.naming import Names
    from conformance.model.world import Namespace, Pod, Server, Service

AGENT_CONFIG_MAP = "netpol-agent"
AGENT_PATH = "/netpol/agent.py"
CONTAINER = str(Container.AGENT)
#: What a stream runs in a pod: its client side.
PROBE_COMMAND = ("python3", "-u", AGENT_PATH, "probe")

_NOBODY = 65534
#: Seconds after which a probe pod ends, whoever forgot it. No run takes so long.
_DEADLINE = 24 * 3600
_HOSTNAME_LABEL = "kubernetes.io/hostname"
_PENDING_GATE = f"{MANAGED_BY}/pending"


@dataclass(frozen=True, slots=True)
class Setting:
    """What all objects of one arena have in common. `workers` are the values of the nodes' hostname label.

    Labels and annotations of namespaces are those that the user's cluster wants of them.
    """

    names: Names
    image: str
    workers: Sequence[str]
    agent: str
    workload: Workload = Workload.POD
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_annotations: Mapping[str, str] = field(default_factory=dict)

    def deploys(self, each: Pod) -> bool:
        """Whether a pod is that of a Deployment. One that is not to run cannot be: a Deployment starts it again and again."""
        return self.workload is Workload.DEPLOYMENT and each.phase is Phase.RUNNING


def namespace(each: Namespace, setting: Setting) -> dict[str, Any]:
    """Return a namespace whose pods must meet the strictest Pod Security level: the suite needs no more."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": setting.names.namespace(each.name),
            "annotations": {**setting.namespace_annotations},
            "labels": {
                **setting.namespace_labels,
                **each.labels,
                MANAGED_BY_LABEL: MANAGED_BY,
                RUN_LABEL: setting.names.run,
                POD_SECURITY: "restricted",
                f"{POD_SECURITY}-version": "latest",
            },
        },
    }


def agent_config_map(setting: Setting) -> dict[str, Any]:
    """Return the agent's text as an object that pods mount: so any Python image will do."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": AGENT_CONFIG_MAP, "labels": {RUN_LABEL: setting.names.run}},
        "data": {"agent.py": setting.agent},
    }


def service(each: Service, setting: Setting) -> dict[str, Any]:
    """Return a Service; its addresses, one of each family that the cluster has for Services, and its node ports are the cluster's to choose."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": each.name, "labels": {RUN_LABEL: setting.names.run}},
        "spec": {
            "type": str(each.type),
            "ipFamilyPolicy": "PreferDualStack",
            "selector": dict(each.selector),
            "ports": [
                {
                    "name": f"{port.protocol.lower()}-{port.port}",
                    "port": port.port,
                    "targetPort": port.target_port,
                    "protocol": str(port.protocol),
                }
                for port in each.ports
            ],
        },
    }


def pod(each: Pod, setting: Setting, from_start: Sequence[str] = ()) -> dict[str, Any]:
    """Return a probe pod on the worker that it is meant for, with exactly the world's labels and the run's.

    `from_start` is what its agent tries from its first instruction on, as the agent takes it.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": each.name, "labels": _labels(each, setting)},
        "spec": {**_spec(each, setting, from_start), "activeDeadlineSeconds": _DEADLINE},
    }


def _labels(each: Pod, setting: Setting) -> dict[str, str]:
    return {**each.labels, RUN_LABEL: setting.names.run}


def _spec(each: Pod, setting: Setting, from_start: Sequence[str]) -> dict[str, Any]:
    used = {Container.AGENT, *(server.container for server in each.servers)}
    first = Container.SIDECAR if Container.SIDECAR in used else Container.AGENT
    containers = [
        (name, _container(each, setting, name, from_start if name is first else ()))
        for name in Container
        if name in used
    ]
    spec: dict[str, Any] = {
        "nodeSelector": {_HOSTNAME_LABEL: setting.workers[each.node % len(setting.workers)]},
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
            # Ports below 1024 without a capability. On the list of safe sysctls, and allowed by `restricted`.
            "sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}],
        },
        "restartPolicy": "Always",
        "initContainers": [container for name, container in containers if name is Container.SIDECAR],
        "containers": [container for name, container in containers if name is not Container.SIDECAR],
        "volumes": [{"name": "agent", "configMap": {"name": AGENT_CONFIG_MAP}}],
    }
    if each.phase is Phase.PENDING:
        spec["schedulingGates"] = [{"name": _PENDING_GATE}]
    elif each.phase is not Phase.RUNNING:
        spec["restartPolicy"] = "Never"
    return spec


def deployment(each: Pod, setting: Setting, from_start: Sequence[str] = ()) -> dict[str, Any]:
    """Return a Deployment whose only replica is a probe pod. It knows its pod by a label that no case changes, and its pod may have no deadline."""
    mark = {POD_LABEL: each.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": each.name, "labels": {RUN_LABEL: setting.names.run}},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": mark},
            "template": {
                "metadata": {"labels": {**_labels(each, setting), **mark}},
                "spec": _spec(each, setting, from_start),
            },
        },
    }


def _container(each: Pod, setting: Setting, name: Container, from_start: Sequence[str] = ()) -> dict[str, Any]:
    servers = tuple(server for server in each.servers if server.container is name)
    return {
        "name": str(name),
        **({"restartPolicy": "Always"} if name is Container.SIDECAR else {}),
        "image": setting.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*_command(each, servers, setting), *(f"--from-start={one}" for one in from_start)],
        "ports": _ports(servers),
        **(_readiness(each.readiness[0]) if each.readiness and name is Container.AGENT else {}),
        "volumeMounts": [{"name": "agent", "mountPath": "/netpol", "readOnly": True}],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "1", "memory": "128Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _readiness(port: int) -> dict[str, Any]:
    """Return a probe that finds a pod unready within seconds, so that a step's hold shows it."""
    return {
        "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 2}
    }


def _command(each: Pod, servers: Sequence[Server], setting: Setting) -> list[str]:
    if each.phase in {Phase.SUCCEEDED, Phase.FAILED}:
        return ["python3", "-c", f"raise SystemExit({int(each.phase is Phase.FAILED)})"]
    who = identity(setting.names.unique, each)
    return ["python3", "-u", AGENT_PATH, "serve", "--identity", who, *server_arguments(servers)]


def server_arguments(servers: Sequence[Server]) -> list[str]:
    """Return what the agent is told to listen on."""
    return [f"{server.port}/{server.protocol}" for server in servers]


def _ports(servers: Sequence[Server]) -> list[dict[str, Any]]:
    return [
        {
            "containerPort": server.port,
            "protocol": str(server.protocol),
            **({"name": server.name} if server.name else {}),
        }
        for server in servers
    ]
