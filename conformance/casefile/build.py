"""From checked raw data to a frozen Case."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.casefile.networkpolicy import check_port_name, network_policy
from conformance.casefile.rows import expectation, span
from conformance.casefile.selectors import labels
from conformance.casefile.shape import items, mapping
from conformance.model.case import (
    Action,
    ApplyPolicy,
    Case,
    CreateNamespace,
    CreatePod,
    CreateService,
    DeleteNamespace,
    DeletePod,
    DeletePolicy,
    LabelNamespace,
    LabelPod,
    ReplacePod,
    RestartImplementation,
    Step,
    Tier,
)
from conformance.model.default_world import servers
from conformance.model.world import (
    Container,
    IPFamily,
    Namespace,
    Phase,
    Pod,
    Protocol,
    Service,
    ServicePort,
    ServiceType,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conformance.casefile.document import CaseDocument, PodDocument, ServiceDocument, StepDocument, ThingsDocument
    from conformance.casefile.source import Path, Source
    from conformance.model.case import Expectation
    from conformance.model.policy import NetworkPolicy


_PORT = re.compile(r"[0-9]+/[A-Z]+")
#: Each is tried between all pods.
_MOST_PROBED = 200


@dataclass(frozen=True, slots=True)
class ReadStep:
    """What of a step is read from raw data, since it has a notation of its own."""

    policies: tuple[NetworkPolicy, ...]
    expect: Expectation | None


def steps(source: Source) -> tuple[ReadStep, ...]:
    """Read manifests, rows and labels of all steps; problems go to the source."""
    found = []
    for index, raw in items(source, ("steps",), source.data.get("steps")):
        path: Path = ("steps", index)
        fields = mapping(source, path, raw)
        policies = [
            network_policy(source, (*path, "apply", number), item)
            for number, item in items(source, (*path, "apply"), fields.get("apply"))
        ]
        for ref, changes in mapping(source, (*path, "label"), fields.get("label")).items():
            labels(source, (*path, "label", ref), changes, removable=True)
        things(source, (*path, "create"), fields.get("create"))
        if "expect" in fields and fields["expect"] is None:
            source.complain(
                (*path, "expect"), "expected a mapping, found nothing; a step that is not read has no `expect`"
            )
        expect = expectation(source, (*path, "expect"), fields.get("expect"))
        found.append(ReadStep(tuple(policy for policy in policies if policy is not None), expect))
    return tuple(found)


def things(source: Source, path: Path, raw: Any) -> None:
    """Check labels and ports of what `world` or `create` adds; problems go to the source."""
    fields = mapping(source, path, raw)
    for kind, field in (("namespaces", "labels"), ("pods", "labels"), ("services", "selector")):
        for index, item in items(source, (*path, kind), fields.get(kind)):
            here = (*path, kind, index)
            each = mapping(source, here, item)
            labels(source, (*here, field), each.get(field))
            if kind == "pods":
                _port_names(source, here, each)
            if kind == "services":
                _service_ports(source, (*here, "ports"), each.get("ports"))


def _port_names(source: Source, pod: Path, fields: Mapping[str, Any]) -> None:
    more = [text for _, text in items(source, (*pod, "serves"), fields.get("serves")) if isinstance(text, str)]
    served = {f"{server.port}/{server.protocol}" for server in servers()} | {*more}
    named: dict[str, str] = {}
    places: dict[str, str] = {}
    for field in ("portNames", "secondContainer", "sidecar"):
        for name, text in mapping(source, (*pod, field), fields.get(field)).items():
            path = (*pod, field, name)
            check_port_name(source, path, name, key=True)
            if not isinstance(text, str) or not _PORT.fullmatch(text):
                continue
            if text not in served:
                source.complain(path, f"the pod does not serve {text}, so the name would be of nothing")
            elif named.setdefault(text, name) != name:
                source.complain(path, f"{text} has the name {named[text]} already")
            elif places.setdefault(name, text) != text:
                source.complain(
                    path, f"{name} is the name of {places[name]} already; which of them is meant is left open"
                )


def _service_ports(source: Source, path: Path, raw: Any) -> None:
    seen: set[tuple[Any, Any]] = set()
    for index, item in items(source, path, raw):
        fields = mapping(source, (*path, index), item)
        port = (fields.get("port"), fields.get("protocol", Protocol.TCP))
        if isinstance(port[0], int) and isinstance(port[1], str):
            if port in seen:
                source.complain((*path, index), f"the Service has a port {port[0]}/{port[1]} already")
            seen.add(port)
        if isinstance(fields.get("targetPort"), str):
            check_port_name(source, (*path, index, "targetPort"), fields["targetPort"])


def probed(source: Source, document: CaseDocument) -> None:
    """Check that not too many ports are probed; problems go to the source."""
    if sum(len(span(text.partition("/")[0])) for text in document.probe) > _MOST_PROBED:
        source.complain(("probe",), f"more than {_MOST_PROBED} ports")


def case(source: Source, document: CaseDocument, read: Sequence[ReadStep]) -> Case:
    """Build the case from a document without problems."""
    return Case(
        id=document.id,
        requirement=document.requirement,
        spec=document.spec,
        tier=Tier(document.tier),
        features=frozenset(document.features),
        defects=tuple(document.defects),
        covers=tuple(document.covers),
        setup=tuple(_created(document.world)),
        probe=ports(document.probe),
        families=tuple(IPFamily(each) for each in document.families),
        steps=tuple(
            Step(
                each.name,
                tuple(_actions(each, raw)),
                raw.expect,
                source.at(("steps", index)),
                each.hold,
                each.one_sided,
            )
            for index, (each, raw) in enumerate(zip(document.steps, read, strict=True))
        ),
        location=source.at(("id",)),
        digest=hashlib.sha256(json.dumps(source.data, sort_keys=True).encode()).hexdigest()[:16],
    )


def ports(texts: Iterable[str]) -> tuple[tuple[int, Protocol], ...]:
    """Return the ports of `80/TCP` and `80-83/UDP`, each once."""
    found: list[tuple[int, Protocol]] = []
    for text in texts:
        numbers, _, protocol = text.partition("/")
        found.extend((number, Protocol(protocol)) for number in span(numbers))
    return tuple(dict.fromkeys(found))


def _actions(step: StepDocument, read: ReadStep) -> Iterator[Action]:
    if step.restart is not None:
        yield RestartImplementation()
    for ref in step.remove:
        yield DeletePod(ref) if "/" in ref else DeleteNamespace(ref)
    yield from _created(step.create)
    for ref in step.replace:
        yield ReplacePod(ref)
    for ref, changes in step.label.items():
        yield LabelPod(ref, changes) if "/" in ref else LabelNamespace(ref, changes)
    for ref in step.delete:
        yield DeletePolicy(ref)
    for policy in read.policies:
        yield ApplyPolicy(policy)


def _created(document: ThingsDocument) -> Iterator[Action]:
    for namespace in document.namespaces:
        yield CreateNamespace(Namespace(namespace.name, namespace.labels))
    for pod in document.pods:
        yield CreatePod(_pod(pod))
    for service in document.services:
        yield CreateService(_service(service))


def action_paths(step: Mapping[str, Any]) -> Iterator[Path]:
    """Yield where in a raw step each of its actions stands, in the order in which `_actions` yields them."""
    if step.get("restart") is not None:
        yield ("restart",)
    yield from _parts(step, "remove")
    for path in created_paths(step.get("create", {})):
        yield ("create", *path)
    for field in ("replace", "label", "delete", "apply"):
        yield from _parts(step, field)


def created_paths(raw: Mapping[str, Any]) -> Iterator[Path]:
    """Yield where in a raw `world` or `create` each of its actions stands."""
    for field in ("namespaces", "pods", "services"):
        yield from _parts(raw, field)


def _parts(raw: Mapping[str, Any], field: str) -> Iterator[Path]:
    inside = raw.get(field, ())
    for part in inside if isinstance(inside, dict) else range(len(inside)):
        yield (field, part)


def _pod(document: PodDocument) -> Pod:
    others = {Container.SECOND: _places(document.second_container), Container.SIDECAR: _places(document.sidecar)}
    served = servers(_places(document.port_names), others, ports(document.serves))
    return Pod(
        document.namespace,
        document.name,
        document.labels,
        served,
        node=document.node,
        phase=Phase(document.phase),
        address_of=document.address_of,
        readiness=ports([document.readiness])[0] if document.readiness else None,
        from_start=tuple(_destination(text) for text in document.from_start),
    )


def _destination(text: str) -> tuple[str, int, Protocol]:
    ref, _, place = text.rpartition(":")
    return ref, *ports([place])[0]


def _places(names: Mapping[str, str]) -> Mapping[str, tuple[int, Protocol]]:
    return {name: ports([text])[0] for name, text in names.items()}


def _service(document: ServiceDocument) -> Service:
    forwarded = tuple(
        ServicePort(each.port, each.target_port if each.target_port is not None else each.port, Protocol(each.protocol))
        for each in document.ports
    )
    return Service(document.namespace, document.name, document.selector, forwarded, type=ServiceType(document.type))
