"""From checked raw data to a frozen Case."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.casefile.networkpolicy import network_policy
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
    Step,
    Tier,
)
from conformance.model.default_world import servers
from conformance.model.flow import DEFAULT_PROBE
from conformance.model.world import Namespace, Pod, Protocol, Service, ServicePort

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.casefile.document import CaseDocument, PodDocument, ServiceDocument, StepDocument, ThingsDocument
    from conformance.casefile.source import Path, Source
    from conformance.model.case import Expectation
    from conformance.model.policy import NetworkPolicy


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
        _things_labels(source, (*path, "create"), fields.get("create"))
        expect = expectation(source, (*path, "expect"), fields.get("expect"))
        found.append(ReadStep(tuple(policy for policy in policies if policy is not None), expect))
    return tuple(found)


def world_labels(source: Source) -> None:
    """Check the labels of what `world` adds."""
    _things_labels(source, ("world",), source.data.get("world"))


def _things_labels(source: Source, path: Path, raw: Any) -> None:
    things = mapping(source, path, raw)
    for kind, field in (("namespaces", "labels"), ("pods", "labels"), ("services", "selector")):
        for index, item in items(source, (*path, kind), things.get(kind)):
            here = (*path, kind, index)
            labels(source, (*here, field), mapping(source, here, item).get(field))


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
        probe=_ports(document.probe) if document.probe else DEFAULT_PROBE,
        steps=tuple(
            Step(each.name, tuple(_actions(each, raw)), raw.expect, source.at(("steps", index)))
            for index, (each, raw) in enumerate(zip(document.steps, read, strict=True))
        ),
        location=source.at(("id",)),
        digest=hashlib.sha256(json.dumps(source.data, sort_keys=True).encode()).hexdigest()[:16],
    )


def _ports(texts: Iterable[str]) -> tuple[tuple[int, Protocol], ...]:
    found: list[tuple[int, Protocol]] = []
    for text in texts:
        numbers, _, protocol = text.partition("/")
        found.extend((number, Protocol(protocol)) for number in span(numbers))
    return tuple(dict.fromkeys(found))


def _actions(step: StepDocument, read: ReadStep) -> Iterator[Action]:
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


def _created(things: ThingsDocument) -> Iterator[Action]:
    for namespace in things.namespaces:
        yield CreateNamespace(Namespace(namespace.name, namespace.labels))
    for pod in things.pods:
        yield CreatePod(_pod(pod))
    for service in things.services:
        yield CreateService(_service(service))


def _pod(document: PodDocument) -> Pod:
    names = {_ports([text])[0]: name for name, text in document.port_names.items()}
    return Pod(document.namespace, document.name, document.labels, servers(names), node=document.node)


def _service(document: ServiceDocument) -> Service:
    ports = tuple(
        ServicePort(each.port, each.target_port if each.target_port is not None else each.port, Protocol(each.protocol))
        for each in document.ports
    )
    return Service(document.namespace, document.name, document.selector, ports)
