"""What exists in a case: namespaces, pods, Services, the nodes they are on, and endpoints outside the cluster."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Set by the control plane on every namespace, and immutable.
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"

#: The namespace of the pods that the suite itself changes, to see when a plugin has heard of something. No case tries them.
CANARY = "canary"


class Protocol(StrEnum):
    """The protocols that a NetworkPolicy can name."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class IPFamily(StrEnum):
    """The families of addresses, by the names that Services have for them."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


class Phase(StrEnum):
    """A pod's phase; only a running pod sends, receives, or is a backend."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class Container(StrEnum):
    """Which of a pod's containers serves and declares a port: to a policy they are all the same pod."""

    AGENT = "agent"
    SECOND = "second"
    #: An init container that is restarted always, and so runs beside the others.
    SIDECAR = "sidecar"


@dataclass(frozen=True, slots=True)
class Server:
    """One listening port, and the name that the pod's container gives it."""

    port: int
    protocol: Protocol
    name: str | None = None
    container: Container = Container.AGENT


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace; its `kubernetes.io/metadata.name` label is always part of `all_labels`."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def all_labels(self) -> Mapping[str, str]:
        return {**self.labels, NAMESPACE_NAME_LABEL: self.name}


@dataclass(frozen=True, slots=True)
class Pod:
    """A probe pod. `node` is the number of the worker it is meant for; `addresses` are empty until a target made it."""

    namespace: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    servers: tuple[Server, ...] = ()
    node: int = 0
    phase: Phase = Phase.RUNNING
    addresses: tuple[str, ...] = ()
    generation: int = 1
    #: The port that the kubelet must be able to reach for the pod to count as ready, and so as a backend.
    readiness: tuple[int, Protocol] | None = None
    #: The ref of a pod that has ended, whose address this one must be given; see `Arena.create_pod`.
    address_of: str = ""
    #: What it tries to reach over and over from its first instruction on: refs, ports, protocols.
    from_start: tuple[tuple[str, int, Protocol], ...] = ()
    #: The ref of the pod that it is a copy of, in a world that is larger than cases know; see `model.crowd`.
    copy_of: str = ""

    @property
    def ref(self) -> str:
        """`namespace/name`, as cases and reports write it."""
        return f"{self.namespace}/{self.name}"

    @property
    def identity(self) -> str:
        """What the pod's servers answer with; a pod made again under the same name has another one."""
        return f"{self.ref}#{self.generation}"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A machine outside the cluster that runs the probe agent, as client and as server."""

    name: str
    servers: tuple[Server, ...] = ()
    addresses: tuple[str, ...] = ()

    @property
    def ref(self) -> str:
        return self.name

    @property
    def identity(self) -> str:
        return f"{self.name}#1"


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the cluster. Pods are put on workers only; `addresses` are empty until a target made it."""

    addresses: tuple[str, ...] = ()
    worker: bool = True


class ServiceType(StrEnum):
    """How a Service is reached: by an address inside the cluster, or from outside too, by a port of every node."""

    CLUSTER_IP = "ClusterIP"
    NODE_PORT = "NodePort"


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A Service's port and the number or name that it is forwarded to on each backend."""

    port: int
    target_port: int | str
    protocol: Protocol = Protocol.TCP


@dataclass(frozen=True, slots=True)
class Service:
    """A Service; written `name.namespace.svc` wherever a flow names it. Pods reach it by its address, whatever its type."""

    namespace: str
    name: str
    selector: Mapping[str, str]
    ports: tuple[ServicePort, ...]
    addresses: tuple[str, ...] = ()
    type: ServiceType = ServiceType.CLUSTER_IP
    #: For each of its ports, the number that it has on every node; empty until a target made it, and where the type is another.
    node_ports: Mapping[tuple[int, Protocol], int] = field(default_factory=dict)

    @property
    def ref(self) -> str:
        return f"{self.name}.{self.namespace}.svc"


@dataclass(frozen=True, slots=True)
class World:
    """All that a case can see. Every change gives a new world; namespaces, pods and Services are keyed by their ref."""

    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    pods: Mapping[str, Pod] = field(default_factory=dict)
    services: Mapping[str, Service] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    #: Workers first. A pod's `node` is a place among them, counted round where there are fewer.
    nodes: tuple[Node, ...] = ()

    @property
    def running(self) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods.values() if pod.phase is Phase.RUNNING)

    @property
    def tried(self) -> tuple[Pod, ...]:
        """The running pods that cases try: all but the canaries."""
        return tuple(pod for pod in self.running if pod.namespace != CANARY)

    def original(self, ref: str) -> str:
        """Return the pod that a pod is a copy of; anything else is its own original."""
        pod = self.pods.get(ref)
        return (pod.copy_of or ref) if pod is not None else ref

    def copies(self, ref: str) -> tuple[Pod, ...]:
        return tuple(pod for pod in self.pods.values() if pod.copy_of == ref)

    def with_namespace(self, namespace: Namespace) -> Self:
        return replace(self, namespaces={**self.namespaces, namespace.name: namespace})

    def with_pod(self, pod: Pod) -> Self:
        return replace(self, pods={**self.pods, pod.ref: pod})

    def with_service(self, service: Service) -> Self:
        return replace(self, services={**self.services, service.ref: service})

    def with_endpoint(self, endpoint: Endpoint) -> Self:
        return replace(self, endpoints={**self.endpoints, endpoint.ref: endpoint})

    def without_pod(self, ref: str) -> Self:
        return replace(self, pods={key: pod for key, pod in self.pods.items() if key != ref})

    def without_namespace(self, name: str) -> Self:
        """Delete a namespace with all that lives in it, as the API server does."""
        return replace(
            self,
            namespaces={key: each for key, each in self.namespaces.items() if key != name},
            pods={key: each for key, each in self.pods.items() if each.namespace != name},
            services={key: each for key, each in self.services.items() if each.namespace != name},
        )

    def backends(self, service: Service) -> tuple[Pod, ...]:
        """Return the running pods that a Service forwards to; without a selector it has none."""
        return tuple(
            pod
            for pod in self.running
            if service.selector
            and pod.namespace == service.namespace
            and service.selector.items() <= pod.labels.items()
        )

    def entrance(self, service: Service) -> Node | None:
        """Return the node by which a NodePort Service is tried from outside: one that none of its backends is on.

        What a node sends to its own pods is always allowed, so only a connection that is forwarded to another node is decided by
        policies. None where every node has a backend, or the type is another.
        https://kubernetes.io/docs/concepts/services-networking/network-policies/#the-two-sorts-of-pod-isolation
        """
        workers = sum(node.worker for node in self.nodes)
        if service.type is not ServiceType.NODE_PORT or not workers:
            return None
        taken = {backend.node % workers for backend in self.backends(service)}
        return next((node for number, node in enumerate(self.nodes) if number not in taken), None)


def family_of(address: str) -> IPFamily:
    return IPFamily.IPV6 if ":" in address else IPFamily.IPV4


def address_in(addresses: Sequence[str], family: IPFamily | None) -> str | None:
    """Return the first address of a family, or the very first where none is asked for; None where there is none."""
    return next((each for each in addresses if family is None or family_of(each) is family), None)


def target_port(port: ServicePort, backend: Pod) -> int | None:
    """Return the number that a Service's port is forwarded to on one backend; None where the name is not there."""
    if isinstance(port.target_port, int):
        return port.target_port
    for server in backend.servers:
        if server.name == port.target_port and server.protocol is port.protocol:
            return server.port
    return None
