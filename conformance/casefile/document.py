"""The typed form of a case file, and its JSON Schema for editors.

Manifests, labels and rows are checked by modules of their own, since what is wrong with them is said in the words of the API server
and of the row notation; here they are plain objects and text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from conformance.model.case import Feature  # noqa: TC001 -- pydantic reads it

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLE: Final = "CaseTable"

Labels = dict[str, str]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Port = Annotated[str, Field(pattern=r"^[0-9]{1,5}/(TCP|UDP|SCTP)$")]
AxisName = Annotated[str, Field(pattern=r"^[a-z]+(, [a-z]+)*$")]
EntryName = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
FieldName = Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$")]
Ports = Annotated[str, Field(pattern=r"^[0-9]{1,5}(-[0-9]{1,5})?/(TCP|UDP|SCTP)$")]


class _Document(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, populate_by_name=False)


class NamespaceDocument(_Document):
    """A namespace besides the default ones."""

    name: Name
    labels: Labels = Field(default_factory=dict)


class PodDocument(_Document):
    """A probe pod besides the default ones; it serves the same ports as they do, and those of `serves`."""

    namespace: str
    name: Name
    labels: Labels = Field(default_factory=dict)
    node: Annotated[int, Field(ge=0, le=9, description="the number of the worker, from 0")] = 0
    port_names: Annotated[
        dict[str, Port],
        Field(alias="portNames", description="names of ports, such as {http: 82/TCP}"),
    ] = Field(default_factory=dict)
    phase: Annotated[
        Literal["Running", "Succeeded", "Failed"], Field(description="a pod that is not running has ended, and is kept")
    ] = "Running"
    address_of: Annotated[
        str, Field(alias="addressOf", description="a pod that has ended, whose address this one must be given")
    ] = ""
    readiness: Annotated[
        Port | None, Field(description="the port that the kubelet must reach for the pod to be a backend; over TCP")
    ] = None
    from_start: Annotated[
        list[Annotated[str, Field(pattern=r"^[^ :]+:[0-9]{1,5}/(TCP|UDP)$")]],
        Field(
            alias="fromStart", description="what it tries to reach from its first instruction on, such as x/a:80/TCP"
        ),
    ] = Field(default_factory=list)
    serves: Annotated[list[Port], Field(description="ports that it serves besides 79 to 83")] = Field(
        default_factory=list
    )
    second_container: Annotated[
        dict[str, Port], Field(alias="secondContainer", description="ports that a second container names and serves")
    ] = Field(default_factory=dict)
    sidecar: Annotated[
        dict[str, Port], Field(description="ports that an init container with restartPolicy Always names and serves")
    ] = Field(default_factory=dict)


class ServicePortDocument(_Document):
    """One port of a Service, as in its manifest."""

    port: Annotated[int, Field(ge=1, le=65535)]
    target_port: Annotated[
        Annotated[int, Field(ge=1, le=65535)] | str | None,
        Field(alias="targetPort", description="by default the port itself"),
    ] = None
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"


class ServiceDocument(_Document):
    """A Service. Without a selector it would have no backends."""

    namespace: str
    name: Name
    type: Annotated[
        Literal["ClusterIP", "NodePort"],
        Field(description="one of type NodePort is tried from outside the cluster too, by a port of a node"),
    ] = "ClusterIP"
    selector: Annotated[Labels, Field(min_length=1)]
    ports: Annotated[list[ServicePortDocument], Field(min_length=1)]


class ThingsDocument(_Document):
    """What `world` and `create` add."""

    namespaces: list[NamespaceDocument] = Field(default_factory=list)
    pods: list[PodDocument] = Field(default_factory=list)
    services: list[ServiceDocument] = Field(default_factory=list)


class ExpectationDocument(_Document):
    """What must be seen: the default, rows against it, and rows that take back from those."""

    default: Literal["allow", "deny"]
    allow: list[str] = Field(default_factory=list)
    deny: list[str] = Field(default_factory=list)


class StepDocument(_Document):
    """Changes, in the order of these fields, and what must be seen once they took effect."""

    name: Annotated[str, Field(min_length=1)]
    restart: Annotated[
        Literal["implementation"] | None,
        Field(description="ends what enforces policies on every node; the step is read while that is away, too"),
    ] = None
    remove: Annotated[list[str], Field(description="pods (x/d) and namespaces (w)")] = Field(default_factory=list)
    create: ThingsDocument = Field(default_factory=ThingsDocument)
    replace: Annotated[list[str], Field(description="pods made again under the same name")] = Field(
        default_factory=list
    )
    label: Annotated[
        dict[str, dict[str, str | None]], Field(description="labels of pods (x/a) and namespaces (y); null removes one")
    ] = Field(default_factory=dict)
    delete: Annotated[list[str], Field(description="policies, as namespace/name")] = Field(default_factory=list)
    apply: Annotated[list[dict[str, Any]], Field(description="NetworkPolicy manifests")] = Field(default_factory=list)
    expect: ExpectationDocument | None = None
    hold: Annotated[
        float | int,
        Field(ge=0, le=60, description="seconds for which it must stay so, where the usual hold is too short"),
    ] = 0
    one_sided: Annotated[
        str,
        Field(
            alias="oneSided", description="why nothing is blocked, or nothing passes, although policies are in force"
        ),
    ] = ""


class CaseDocument(_Document):
    """A case file. See docs/writing-cases.md."""

    model_config = ConfigDict(title="NetworkPolicy conformance case")

    api_version: Annotated[Literal["netpol-conformance/v1"], Field(alias="apiVersion")]
    kind: Literal["Case"]
    id: Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$", description="never changed, never reused")]
    requirement: Annotated[
        str, Field(pattern=r"\b(MUST|SHOULD|MAY)\b", description="one sentence with MUST or MUST NOT")
    ]
    spec: Annotated[str, Field(pattern=r"^https://", description="where the specification says so")]
    tier: Literal["core", "extended", "observed"]
    features: list[Feature]
    defects: list[Annotated[str, Field(pattern=r"^M(0[1-9]|[1-3][0-9]|40)$")]] = Field(default_factory=list)
    covers: list[Annotated[str, Field(pattern=r"^[a-z0-9-]+:[A-Za-z0-9._-]+$")]] = Field(default_factory=list)
    probe: Annotated[list[Ports], Field(min_length=1)] = Field(default_factory=lambda: ["80-81/TCP", "80-81/UDP"])
    families: Annotated[
        list[Literal["IPv4", "IPv6"]],
        Field(
            description="the families of addresses over which each flow is tried; by default the cluster's first one"
        ),
    ] = Field(default_factory=list)
    world: ThingsDocument = Field(default_factory=ThingsDocument)
    steps: Annotated[list[StepDocument], Field(min_length=1)]


class RowDocument(CaseDocument):
    """A case that a table expands into; its id names its row."""

    id: Annotated[str, Field(pattern=r"^[A-Z0-9]{4}(-[a-z0-9]+)+$", max_length=63)]


class TableDocument(_Document):
    """A table that expands into cases. See docs/writing-cases.md."""

    model_config = ConfigDict(title="NetworkPolicy conformance cases, as a table")

    api_version: Annotated[Literal["netpol-conformance/v1"], Field(alias="apiVersion")]
    kind: Literal["CaseTable"]
    id: Annotated[str, Field(pattern=r"^[A-Z0-9]{4}$", description="the ids of the cases begin with it")]
    rule: Annotated[str, Field(min_length=20, description="how the expectation of each case was worked out")]
    over: Annotated[
        dict[AxisName, Annotated[dict[EntryName, dict[FieldName, Any]], Field(min_length=1)]],
        Field(min_length=1, description="the entries of each axis; an axis `one, other` stands for pairs"),
    ]
    case: Annotated[dict[str, Any], Field(description="a case with holes: ${axis} and ${axis.field}")]


def json_schemas() -> Mapping[str, dict[str, Any]]:
    """Return the JSON Schemas that editors check case files and tables with, by the names of their files."""
    documents: dict[str, type[BaseModel]] = {"case.schema.json": CaseDocument, "table.schema.json": TableDocument}
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return {name: {**dialect, **each.model_json_schema(by_alias=True)} for name, each in documents.items()}
