"""The world of a case, for people: what is alike is said once."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from conformance.model.world import Container, Phase, ServiceType
from conformance.report.declared_grid import ports_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model.world import Namespace, Pod, Service, World


def labels_text(labels: Mapping[str, str]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items()) or "no labels"


def world_text(world: World, usual: World, names: frozenset[str], *, external: bool) -> Iterator[str]:
    """Yield the lines of a world. What the usual world does not have is marked; of the names of ports, those given are told."""
    for namespace in world.namespaces.values():
        yield f"namespace {namespace_text(namespace)}{_mark(namespace.name not in usual.namespaces)}"
    yield "(and on every namespace kubernetes.io/metadata.name, its own name)"
    for pods in _alike(world, usual, names):
        refs = ", ".join(pod.ref for pod in pods)
        yield f"pod {refs}: {pod_text(pods[0], names)}{_mark(pods[0].ref not in usual.pods)}"
    for node, placed in sorted(_nodes(world).items()):
        yield f"worker {node}: {', '.join(placed)}"
    for service in world.services.values():
        yield f"Service {service_text(service, world)}{_mark(service.ref not in usual.services)}"
    if external:
        yield from (f"endpoint outside the cluster, client and server: {each}" for each in world.endpoints)


def namespace_text(namespace: Namespace) -> str:
    return f"{namespace.name}: {labels_text(namespace.labels)}"


def pod_text(pod: Pod, names: frozenset[str]) -> str:
    """Say everything of a pod but its name and its node."""
    return "; ".join((labels_text(pod.labels), *_peculiarities(pod, names)))


def service_text(service: Service, world: World) -> str:
    ports = ", ".join(f"{each.port}/{each.protocol} to {each.target_port}" for each in service.ports)
    backends = ", ".join(pod.ref for pod in world.backends(service)) or "none"
    text = f"{service.ref}: {ports} of the pods of {service.namespace} with {labels_text(service.selector)} (backends: {backends})"
    if service.type is ServiceType.NODE_PORT:
        text += (
            "; type NodePort, so that outside endpoints reach it too, by its node port of a node that no backend is on"
        )
    return text


def _peculiarities(pod: Pod, names: frozenset[str]) -> Iterator[str]:
    called = [f"{each.name} is {each.port}/{each.protocol}" for each in pod.servers if each.name and each.name in names]
    if called:
        yield f"port names {', '.join(called)}"
    for container, what in ((Container.SECOND, "a second container"), (Container.SIDECAR, "a sidecar")):
        ports = [(each.port, each.protocol) for each in pod.servers if each.container is container]
        if ports:
            yield f"{what} serves {ports_text(ports)}"
    if pod.phase is not Phase.RUNNING:
        yield f"one that has ended ({pod.phase}), and so is not tried"
    if pod.address_of:
        yield f"has the address that {pod.address_of} had"
    if pod.readiness:
        yield f"ready while its node reaches {ports_text([pod.readiness])}"
    if pod.from_start:
        tried = ", ".join(f"{ref}:{ports_text([(port, protocol)])}" for ref, port, protocol in pod.from_start)
        yield f"tries {tried} from its first instruction on"


def _alike(world: World, usual: World, names: frozenset[str]) -> Sequence[Sequence[Pod]]:
    groups: dict[tuple[str, bool], list[Pod]] = defaultdict(list)
    for pod in world.pods.values():
        groups[pod_text(pod, names), pod.ref in usual.pods].append(pod)
    return list(groups.values())


def _nodes(world: World) -> Mapping[int, Sequence[str]]:
    nodes: dict[int, list[str]] = defaultdict(list)
    for pod in world.pods.values():
        nodes[pod.node].append(pod.ref)
    return nodes


def _mark(added: bool) -> str:
    return "  [added by this case]" if added else ""
