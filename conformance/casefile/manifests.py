"""A user's own manifests: policies, and the namespaces, pods and Services that they are about, from files or from a live cluster.

Policies are read as strictly as the API server reads them. Of everything else only what policies can see is looked at: names, labels, ports,
addresses. Workloads stand for one pod each, by their name.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeGuard

from conformance.casefile.load import files_in
from conformance.casefile.networkpolicy import network_policy
from conformance.casefile.shape import found, items
from conformance.casefile.source import Source, documents, dotted
from conformance.errors import CaseFileError, UsageError
from conformance.model.source import Location
from conformance.model.state import State
from conformance.model.world import Namespace, Phase, Pod, Protocol, Server, Service, ServicePort, World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from conformance.casefile.source import Path as SourcePath
    from conformance.model.policy import NetworkPolicy

SUFFIXES = (".yaml", ".yml", ".json")
_DEFAULT, _LAST_PORT = "default", 65535
#: Where the template of a workload's pods is.
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"), ("spec", "template")),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}
_POLICY_METADATA = ("name", "namespace", "labels", "annotations")


@dataclass(frozen=True, slots=True)
class Manifests:
    """What was read: the state that it describes, and what a reader must know of it."""

    state: State
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Reading:
    """What was found so far; policies come last, since their namespaces must be there."""

    world: World = field(default_factory=World)
    policies: dict[str, NetworkPolicy] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    #: Pods in their node's network.
    on_nodes: list[str] = field(default_factory=list)


def load_manifests(paths: Sequence[Path], namespace: str = _DEFAULT) -> Manifests:
    """Read files, and all manifests under folders; `namespace` is that of objects that name none.

    CaseFileError with every problem of every policy, UsageError for a path that is not there.
    """
    sources = [source for file in _files(paths) for source in documents(file, str(file))]
    return _read(((source, (), source.data) for source in sources), namespace)


def from_objects(called: str, objects: Iterable[Mapping[str, Any]]) -> Manifests:
    """Read objects that an API server gave; `called` is what messages call where they are from."""
    place = Location(called, 0)
    return _read(((Source(called, value_places={(): place}), (), each) for each in objects), _DEFAULT)


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from files_in(path, SUFFIXES)
        elif path.exists():
            yield path
        else:
            raise UsageError(f"{path} is not there")


def _read(documents: Iterable[tuple[Source, SourcePath, Any]], namespace: str) -> Manifests:
    reading = _Reading()
    for source, path, raw in documents:
        _object(reading, source, path, raw, namespace)
    if reading.problems:
        raise CaseFileError(reading.problems)
    world = reading.world
    named = {each.partition("/")[0] for each in (*world.pods, *reading.policies)}
    named |= {service.namespace for service in world.services.values()}
    for name in sorted(named - world.namespaces.keys()):
        world = world.with_namespace(Namespace(name))
        reading.notes.append(f"namespace {name} has no manifest: it is taken to have no labels but its name")
    if reading.on_nodes:
        refs = ", ".join(sorted(set(reading.on_nodes)))
        reading.notes.append(
            f"left out, since what policies mean for pods in their node's network is not specified: {refs}"
        )
    return Manifests(State(world, reading.policies), tuple(reading.notes))


def _object(reading: _Reading, source: Source, path: SourcePath, raw: Any, namespace: str) -> None:
    kind = str(_mapping(raw).get("kind", ""))
    told = replace(source, problems=[])
    if kind.endswith("List"):
        for index, item in items(told, (*path, "items"), raw.get("items")):
            typed = {"kind": kind.removesuffix("List"), "apiVersion": raw.get("apiVersion"), **_mapping(item)}
            _object(reading, source, (*path, "items", index), typed, namespace)
    elif kind == "NetworkPolicy" and str(raw.get("apiVersion", "")).startswith("networking.k8s.io/"):
        _policy(reading, source, path, raw, namespace)
    else:
        _seen_by_policies(reading, told, path, kind, _mapping(raw), namespace)
    reading.problems += map(str, sorted(set(told.problems)))


def _seen_by_policies(
    reading: _Reading, source: Source, path: SourcePath, kind: str, raw: Mapping[str, Any], namespace: str
) -> None:
    metadata = _mapping(raw.get("metadata"))
    name, there = str(metadata.get("name", "")), str(metadata.get("namespace") or namespace)
    if "/" in name or "/" in there:
        source.complain((*path, "metadata"), f"no name has a slash: {name!r} in namespace {there!r}")
    elif kind == "Namespace":
        reading.world = reading.world.with_namespace(Namespace(name, _texts(metadata.get("labels"))))
    elif kind == "Pod":
        _pod(reading, source, path, Pod(there, name), metadata, raw)
    elif kind in _TEMPLATES:
        template: Any = raw
        for key in _TEMPLATES[kind]:
            template = _mapping(template).get(key)
        template = _mapping(template)
        here = (*path, *_TEMPLATES[kind])
        _pod(reading, source, here, Pod(there, name), _mapping(template.get("metadata")), template)
    elif kind == "Service":
        _service(reading, source, (*path, "spec"), Service(there, name, {}, ()), _mapping(raw.get("spec")))


def _policy(reading: _Reading, source: Source, path: SourcePath, raw: Mapping[str, Any], namespace: str) -> None:
    """Read a policy without what the API server adds to it."""
    metadata = _mapping(raw.get("metadata"))
    kept = {key: value for key, value in metadata.items() if key in _POLICY_METADATA}
    applied = {key: value for key, value in raw.items() if key != "status"}
    policy = network_policy(source, path, {**applied, "metadata": {"namespace": namespace, **kept}})
    added = [(*path, "status"), *((*path, "metadata", key) for key in metadata.keys() - kept.keys())]
    reading.problems += [
        str(problem)
        for problem in sorted(set(source.problems))
        if problem.path.startswith(dotted(path)) and not problem.path.startswith(tuple(map(dotted, added)))
    ]
    source.problems.clear()
    if policy is None:
        return
    if policy.ref in reading.policies:
        reading.notes.append(f"{policy.ref} is there more than once: the last one counts ({policy.location})")
    reading.policies[policy.ref] = policy


def _pod(
    reading: _Reading, source: Source, path: SourcePath, pod: Pod, metadata: Mapping[str, Any], raw: Mapping[str, Any]
) -> None:
    spec, status = _mapping(raw.get("spec")), _mapping(raw.get("status"))
    if spec.get("hostNetwork"):
        reading.on_nodes.append(pod.ref)
        return
    phase = str(status.get("phase") or Phase.RUNNING)
    several = items(source, (*path, "status", "podIPs"), status.get("podIPs"))
    addresses = [str(_mapping(each).get("ip", "")) for _, each in several] or [str(status.get("podIP") or "")]
    addresses = list(filter(None, addresses))
    for each in addresses:
        if not _is_address(each):
            source.complain((*path, "status"), f"expected the addresses of a pod, found {each!r}")
    reading.world = reading.world.with_pod(
        replace(
            pod,
            labels=_texts(metadata.get("labels")),
            servers=tuple(_servers(source, (*path, "spec"), spec)),
            phase=Phase(phase) if phase in list(Phase) else Phase.RUNNING,
            addresses=tuple(addresses),
        )
    )


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _servers(source: Source, path: SourcePath, spec: Mapping[str, Any]) -> Iterator[Server]:
    for field_name in ("containers", "initContainers"):
        for number, container in items(source, (*path, field_name), spec.get(field_name)):
            here = (*path, field_name, number, "ports")
            for index, port in items(source, here, _mapping(container).get("ports")):
                declared = _mapping(port)
                served, name = declared.get("containerPort", 0), declared.get("name")
                if not _is_port(served):
                    source.complain((*here, index, "containerPort"), f"expected a port number, found {found(served)}")
                elif not isinstance(name, str | None):
                    source.complain((*here, index, "name"), f"expected text, found {found(name)}; quote it")
                else:
                    yield Server(served, _protocol(declared.get("protocol")), name)


def _service(reading: _Reading, source: Source, path: SourcePath, service: Service, spec: Mapping[str, Any]) -> None:
    ports = []
    for index, raw in items(source, (*path, "ports"), spec.get("ports")):
        declared = _mapping(raw)
        port, target = declared.get("port"), declared.get("targetPort")
        for name, value, good in (("port", port, _is_port(port)), ("targetPort", target, _is_target(target))):
            if not good:
                source.complain((*path, "ports", index, name), f"expected a port, found {found(value)}")
        if _is_port(port) and _is_target(target):
            ports.append(ServicePort(port, target or port, _protocol(declared.get("protocol"))))
    selector = _texts(spec.get("selector"))
    reading.world = reading.world.with_service(replace(service, selector=selector, ports=tuple(ports)))


def _is_port(raw: Any) -> TypeGuard[int]:
    return isinstance(raw, int) and not isinstance(raw, bool) and 0 <= raw <= _LAST_PORT


def _is_target(raw: Any) -> TypeGuard[int | str | None]:
    return raw is None or isinstance(raw, str) or _is_port(raw)


def _protocol(raw: Any) -> Protocol:
    return Protocol(raw) if raw in list(Protocol) else Protocol.TCP


def _mapping(raw: Any) -> Mapping[str, Any]:
    return raw if isinstance(raw, dict) else {}


def _texts(raw: Any) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in _mapping(raw).items()}
