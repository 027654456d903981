"""What the runner needs of a target: an arena to change, and streams to probe through.

A target is a place where policies are enforced: a cluster, the lab of network namespaces, a miniature. An arena is one world
alive on it: its namespaces, pods, Services and endpoints. Every method raises the errors named in `conformance.errors` and
nothing else; none of them knows about cases, expectations or verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.model.case import Change
    from conformance.model.flow import Flow
    from conformance.model.matrix import Early, Observation
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import Namespace, Pod, Service, World
    from conformance.runner.timeouts import Clock, Timeouts


@dataclass(frozen=True, slots=True)
class Description:
    """What a target is: for the head of a report. `implementation` is the plugin that enforces policies, as far as it can be told."""

    target: str
    implementation: str
    version: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)


class Arena(Protocol):
    """One world, alive. Changes return once the target accepted them, not once they took effect."""

    @property
    def world(self) -> World:
        """The world as it is now, with the addresses that the target gave to pods, Services and endpoints."""

    @property
    def unsupported(self) -> Mapping[str, str]:
        """Features that this arena cannot show (`sctp`, `external-client`, ...), each with the reason."""

    def change(self, changes: Sequence[Change]) -> None:
        """Make changes of different objects, all at the same time; ActionFailed for the first that was refused, once all were tried.

        Addresses in policies are filled in already.
        """

    def create_namespace(self, namespace: Namespace) -> None: ...

    def delete_namespace(self, name: str) -> None:
        """Delete a namespace with all that is in it, and wait until it is gone."""

    def create_pod(self, pod: Pod) -> None:
        """Make a pod and wait until its servers answer on its own loopback; one that is to end, until it has ended.

        CannotShow where it must be given the address of a pod that has ended (`Pod.address_of`), and the target does not do that.
        """

    def delete_pod(self, ref: str) -> None:
        """Delete a pod and wait until it is gone."""

    def discard(self, pods: Sequence[str], namespaces: Sequence[str]) -> None:
        """Delete what is no longer tried, and return once that was accepted: what is made under the same name later waits until it is gone."""

    def create_service(self, service: Service) -> None: ...

    def delete_service(self, ref: str) -> None: ...

    def restart_implementation(self) -> None:
        """End what enforces policies, on every node, and have it started again; return at once. CannotShow where it is not known."""

    def still_away(self) -> Sequence[str]:
        """Return what has not come back since `restart_implementation`, each in words; nothing once all is ready again."""

    def agents(self) -> Mapping[str, str]:
        """Return what enforces policies, by where it runs, each with an id that it keeps until somebody replaces it; nothing where that is not known.

        One that ends by itself and is started again keeps it.
        """

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        """Try every flow at once, each with a new socket, and prove in the same batch that every server lives.

        `timeout` is how many seconds a silent flow is given. A flow that did not pass and whose server did not prove itself
        alive is `failed`, and so is one whose source's stream could not be used; no error is raised for either. ProbeFailed where a pod is gone
        that nobody of this run deleted: then nothing that is read says anything.
        """

    def early(self, ref: str) -> Mapping[Flow, Early]:
        """Return what a pod says of the flows that it has tried since its start (`Pod.from_start`); ProbeFailed where it says nothing."""

    def commands(self, flow: Flow, policies: Sequence[NetworkPolicy]) -> Sequence[str]:
        """Return shell commands that a person can type to see this flow, with these policies in force."""

    def close(self) -> None:
        """Remove all of the arena. Calling it twice is fine."""


class Target(Protocol):
    """A place where policies are enforced.

    `clock` is the time that it lives in, `timeouts` how long things may take there, and `at_once` whether a change is in force when the
    method that makes it returns: then nothing has to be awaited.
    """

    @property
    def at_once(self) -> bool: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def timeouts(self) -> Timeouts: ...

    def describe(self) -> Description: ...

    def open_arena(self, world: World, name: str) -> Arena:
        """Bring a world to life under a name that is free on the target; TargetUnavailable or ArenaFailed where that fails."""

    def close(self) -> None:
        """Give back what the target itself took, such as a cluster that it made. Calling it twice is fine."""
