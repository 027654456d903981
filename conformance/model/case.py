"""A case: what the specification requires, the steps that make it visible, and what a person says must be seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, get_args

from conformance.model.flow import DEFAULT_PROBE
from conformance.model.world import IPFamily

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model.flow import Flow
    from conformance.model.policy import NetworkPolicy
    from conformance.model.source import Location
    from conformance.model.world import Namespace, Pod, Protocol, Service


#: What of NetworkPolicy a case may need. An implementation or a target may lack some of it.
Feature = Literal[
    "ingress",
    "egress",
    "ipblock",
    "ipblock-pod",
    "named-port",
    "end-port",
    "sctp",
    "services",
    "external-server",
    "external-client",
    "ipv6",
    "dual-stack",
    "address-reuse",
    "node-port",
    "disruptive",
]

FEATURES: tuple[str, ...] = get_args(Feature)


class Tier(StrEnum):
    """How binding a case is: `core` for all, `extended` where its features are supported, `observed` never judged."""

    CORE = "core"
    EXTENDED = "extended"
    OBSERVED = "observed"


# Actions. Each names what it changes; `State.after` says what the change means.


@dataclass(frozen=True, slots=True)
class ApplyPolicy:
    """Create a policy, or replace the one of the same name in place."""

    policy: NetworkPolicy


@dataclass(frozen=True, slots=True)
class DeletePolicy:
    ref: str


@dataclass(frozen=True, slots=True)
class LabelPod:
    """Set and remove labels of a pod; a value of None removes the key."""

    ref: str
    labels: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class LabelNamespace:
    """Set and remove labels of a namespace; a value of None removes the key."""

    name: str
    labels: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class CreateNamespace:
    namespace: Namespace


@dataclass(frozen=True, slots=True)
class DeleteNamespace:
    name: str


@dataclass(frozen=True, slots=True)
class CreatePod:
    pod: Pod


@dataclass(frozen=True, slots=True)
class ReplacePod:
    """Delete a pod and make it again under the same name, with the same labels; its address may differ."""

    ref: str


@dataclass(frozen=True, slots=True)
class DeletePod:
    ref: str


@dataclass(frozen=True, slots=True)
class CreateService:
    service: Service


@dataclass(frozen=True, slots=True)
class RestartImplementation:
    """End what enforces policies, on every node, and have it started again; no object of the case changes."""


#: What can be asked of a target side by side: it is accepted at once, and takes effect some time later.
Change = ApplyPolicy | DeletePolicy | LabelPod | LabelNamespace
Action = (
    Change
    | CreateNamespace
    | DeleteNamespace
    | CreatePod
    | ReplacePod
    | DeletePod
    | CreateService
    | RestartImplementation
)


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an expectation, such as `!x/a -> x/*:80/TCP over IPv6`, parsed.

    `sources` and `destinations` are lists of patterns; with `…_negated` they say which refs are left out. `ports`, `protocols` and
    `family` are None where the row does not limit them.
    """

    text: str
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    sources_negated: bool = False
    destinations_negated: bool = False
    ports: frozenset[int] | None = None
    protocols: frozenset[Protocol] | None = None
    location: Location | None = None
    family: IPFamily | None = None

    def matches(self, flow: Flow) -> bool:
        return (
            _matches(self.sources, flow.source) is not self.sources_negated
            and _matches(self.destinations, flow.destination) is not self.destinations_negated
            and (self.ports is None or flow.port in self.ports)
            and (self.protocols is None or flow.protocol in self.protocols)
            and (self.family is None or flow.family is self.family)
        )


@lru_cache(maxsize=65536)
def _matches(patterns: tuple[str, ...], ref: str) -> bool:
    return any(matches_ref(pattern, ref) for pattern in patterns)


def matches_ref(pattern: str, ref: str) -> bool:
    """Tell whether one pattern of a row, such as `x/*` or `*.x.svc`, means a pod, a Service or an endpoint."""
    if pattern in {"*", ref}:
        return True
    namespace, slash, name = pattern.partition("/")
    if slash:
        ref_namespace, ref_slash, ref_name = ref.partition("/")
        return bool(ref_slash) and namespace in {"*", ref_namespace} and name in {"*", ref_name}
    if pattern == "*.svc":
        return ref.endswith(".svc")
    if pattern.endswith(".svc") and ref.endswith(".svc"):
        return all(wanted in {"*", part} for wanted, part in zip(pattern.split("."), ref.split("."), strict=True))
    return False


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be seen, from coarse to fine: the default, then rows against it, then rows that take back from those."""

    default: bool
    allow: tuple[Row, ...] = ()
    deny: tuple[Row, ...] = ()

    def allows(self, flow: Flow) -> bool:
        against, back = (self.deny, self.allow) if self.default else (self.allow, self.deny)
        if not any(row.matches(flow) for row in against):
            return self.default
        return self.default if any(row.matches(flow) for row in back) else not self.default


@dataclass(frozen=True, slots=True)
class Step:
    """Actions, and what must be seen once they have taken effect; None where nothing is read.

    They are carried out in order, but that changes of policies and labels which follow each other are made together.
    """

    name: str
    actions: tuple[Action, ...] = ()
    expect: Expectation | None = None
    location: Location | None = None
    #: How many seconds it must stay as expected, where the usual hold is too short for what might happen.
    hold: float = 0.0
    #: Why it is right that nothing is blocked, or nothing passes, although policies are in force.
    one_sided: str = ""

    @property
    def restarts(self) -> bool:
        """Whether it restarts the implementation, so that it is read while that is away, too."""
        return any(isinstance(each, RestartImplementation) for each in self.actions)


@dataclass(frozen=True, slots=True)
class Case:
    """One case file."""

    id: str
    requirement: str
    spec: str
    tier: Tier
    steps: tuple[Step, ...]
    features: frozenset[str] = frozenset()
    defects: tuple[str, ...] = ()
    covers: tuple[str, ...] = ()
    setup: tuple[Action, ...] = ()
    probe: tuple[tuple[int, Protocol], ...] = DEFAULT_PROBE
    #: The families of addresses over which each flow is tried; where there are none, the cluster's first one.
    families: tuple[IPFamily, ...] = ()
    location: Location | None = None
    digest: str = ""

    @property
    def is_row(self) -> bool:
        """Whether it is a row of a table: its id names the row."""
        return "-" in self.id

    @property
    def disruptive(self) -> bool:
        """Whether the case disturbs all that the target enforces, and so must be alone on it."""
        return "disruptive" in self.features

    @property
    def addressed(self) -> tuple[IPFamily, ...]:
        """The families that its pods have addresses of on a usual cluster: one, or both where the case names any."""
        return tuple(IPFamily) if self.families else (IPFamily.IPV4,)

    @property
    def external(self) -> bool:
        """Whether the case probes endpoints outside the cluster."""
        return bool(self.features & {"external-client", "external-server"})
