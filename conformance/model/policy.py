"""NetworkPolicy v1 as the API server understands it after defaulting.

`None` and an empty tuple differ exactly where the API makes them differ: a selector that is absent is `None`, one that
selects everything is empty. Lists that mean the same when absent or empty (`from`, `to`, `ports`) are empty tuples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from conformance.model.world import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model.source import Location


class Direction(StrEnum):
    """The two directions that a policy can isolate a pod in; the values are those of `spec.policyTypes`."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class Operator(StrEnum):
    """The operators of a label selector requirement."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One item of `matchExpressions`."""

    key: str
    operator: Operator
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All labels and all expressions must match; an empty selector matches everything."""

    match_labels: Mapping[str, str] = field(default_factory=dict)
    match_expressions: tuple[Requirement, ...] = ()


@dataclass(frozen=True, slots=True)
class IPBlock:
    """A range of addresses and the ranges cut out of it.

    In a case file an address may be written `$(x/a)`, the address of that pod or endpoint; `model.address` fills it in.
    """

    cidr: str
    excepts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """One item of `from` or `to`: an address block, or pods by namespace and label."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class PolicyPort:
    """One item of `ports`. No `port` means every port of the protocol; `end_port` makes an inclusive range."""

    protocol: Protocol = Protocol.TCP
    port: int | str | None = None
    end_port: int | None = None
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One item of `ingress` or `egress`. No peers means any peer, no ports any port."""

    peers: tuple[Peer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()
    location: Location | None = None


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """One policy with `policyTypes` defaulted. `manifest` is the object as the case file has it, for the API server."""

    namespace: str
    name: str
    pod_selector: LabelSelector
    policy_types: frozenset[Direction]
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    manifest: Mapping[str, Any] = field(default_factory=dict)
    location: Location | None = None

    @property
    def ref(self) -> str:
        return f"{self.namespace}/{self.name}"

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        return self.ingress if direction is Direction.INGRESS else self.egress
