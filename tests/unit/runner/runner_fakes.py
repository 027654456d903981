"""A target that does as it is told: the perfect miniature, with every way to go wrong that a test asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from conformance.lab.miniatures.data_plane import DataPlane
from conformance.lab.miniatures.perfect import PerfectArena, PerfectTarget
from conformance.model.case import ApplyPolicy, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.matrix import Observation, Observed
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conformance.model.case import Change
    from conformance.model.flow import Flow
    from conformance.model.policy import NetworkPolicy
    from conformance.model.state import State
    from conformance.model.world import World

ALLOWED = Observation(Observed.ALLOWED, 0.001, waited=0.001)
DROPPED = Observation(Observed.DROPPED, 0.5)
FAILED = Observation(Observed.FAILED, 0.0, "exec: connection reset by the API server")

#: The steps of a case: everything passes, then one pod is closed.
DENY = """\
steps:
  - name: open
    expect: {default: allow}
  - name: closed
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
    expect:
      default: allow
      deny: ["* -> x/a"]
"""
#: Isolates x/a, and closes nothing.
ALLOW = """\
steps:
  - name: open
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: allow, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress], ingress: [{}]}
    expect: {default: allow}
"""
DENY_Y = DENY.replace("namespace: x", "namespace: 'y'").replace("-> x/a", "-> y/a")

#: What a lens makes of a probe: it is given the arena, the flow and what really happens, and returns what is seen.
Lens = "Callable[[ScriptedArena, Flow, Observation], Observation]"


@dataclass
class Script:
    """What goes wrong on a target, and what was asked of it."""

    lenses: list[Any] = field(default_factory=list)
    #: By the name of an arena's method, or of a kind of change: the errors that its next calls raise, or None for a call that works.
    errors: dict[str, list[BaseException | None]] = field(default_factory=dict)
    #: Calls that were carried out although the target then said that they failed.
    carried_out_anyway: bool = False
    reading_seconds: float = 0.0
    #: How long a restart of the implementation takes.
    away_seconds: float = 0.0
    #: The implementation's agents by their nodes; each time that it is asked for, the first of what is left.
    agents: list[dict[str, str]] = field(default_factory=list)
    unsupported: dict[str, str] = field(default_factory=dict)
    log: list[tuple[Any, ...]] = field(default_factory=list)
    arenas: list[ScriptedArena] = field(default_factory=list)

    def calls(self, name: str) -> int:
        return Counter(call[0] for call in self.log)[name]

    def next_error(self, name: str) -> BaseException | None:
        waiting = self.errors.get(name)
        return waiting.pop(0) if waiting else None


class ScriptedArena(PerfectArena):
    """An arena whose every change is logged, and fails where the script says so."""

    def __init__(self, world: World, name: str, target: ScriptedTarget) -> None:
        super().__init__(world)
        self.name = name
        self.target = target
        self.script = target.script
        self.closed = 0
        self.back_at = 0.0

    @property
    def unsupported(self) -> Mapping[str, str]:
        return self.script.unsupported

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if not name.startswith(("delete_", "create_", "restart_")):
            return found

        def logged(*arguments: Any) -> None:
            self.script.log.append((name, *arguments))
            error = self.script.next_error(name)
            if error is None or self.script.carried_out_anyway:
                found(*arguments)
            if error is not None:
                raise error

        return logged

    def change(self, changes: Sequence[Change]) -> None:
        first = None
        for each in changes:
            name, *arguments = _called(each)
            self.script.log.append((name, *arguments))
            error = self.script.next_error(name)
            if error is None or self.script.carried_out_anyway:
                super().change([each])
            first = first or error
        if first is not None:
            raise first

    def restart_implementation(self) -> None:
        self.back_at = self.target.clock.now() + self.script.away_seconds

    def still_away(self) -> Sequence[str]:
        return ("the pod of worker-1 is not ready",) if self.target.clock.now() < self.back_at else ()

    def agents(self) -> Mapping[str, str]:
        return self.script.agents.pop(0) if self.script.agents else {}

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        self.script.log.append(("probe", tuple(flows), timeout))
        if error := self.script.next_error("probe"):
            raise error
        seen = dict(super().probe(flows, timeout))
        for lens in self.script.lenses:
            seen = {flow: lens(self, flow, each) for flow, each in seen.items()}
        self.target.clock.sleep(self.script.reading_seconds)
        return {flow: _within(each, timeout) for flow, each in seen.items()}

    def commands(self, flow: Flow, policies: Sequence[NetworkPolicy]) -> Sequence[str]:
        return (*(f"apply {policy.ref}" for policy in policies), f"connect {flow}")

    def close(self) -> None:
        self.closed += 1
        if error := self.script.next_error("close"):
            raise error


def _called(change: Change) -> tuple[Any, ...]:
    """How a change is named in the log, and what it is given."""
    match change:
        case ApplyPolicy(policy):
            return "apply_policy", policy
        case DeletePolicy(ref):
            return "delete_policy", ref
        case LabelPod(ref, labels):
            return "label_pod", ref, labels
        case LabelNamespace(name, labels):
            return "label_namespace", name, labels


class ScriptedTarget(PerfectTarget):
    """Gives arenas of one script."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts = Timeouts()
        self.script = Script()

    def open_arena(self, world: World, name: str) -> ScriptedArena:
        self.script.log.append(("open_arena", name))
        if error := self.script.next_error("open_arena"):
            raise error
        arena = ScriptedArena(world, name, self)
        self.script.arenas.append(arena)
        return arena


def _within(seen: Observation, timeout: float) -> Observation:
    """An answer that comes later than a probe waits is silence; before others, nothing else is heard."""
    if seen.observed is not Observed.ALLOWED:
        return seen
    return Observation(Observed.DROPPED, timeout) if seen.seconds > timeout else replace(seen, waited=seen.seconds)


class Late:
    """A plugin that hears of everything late: what is seen is what held `seconds` ago."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._planes: dict[int, list[tuple[float, State, DataPlane]]] = {}

    def __call__(self, arena: ScriptedArena, flow: Flow, seen: Observation) -> Observation:  # noqa: ARG002 -- a lens
        now = arena.target.clock.now()
        planes = self._planes.setdefault(id(arena), [])
        if not planes or planes[-1][1] is not arena._known:  # it is another one after every event
            plane = DataPlane()
            plane.refresh(arena._known.world, arena._known.policies)
            planes.append((now if planes else float("-inf"), arena._known, plane))
        known = [plane for moment, _, plane in planes if moment <= now - self.seconds][-1]
        arena._plane, true = known, arena._plane
        try:
            return ALLOWED if arena._passes(flow) else DROPPED
        finally:
            arena._plane = true


def always(wanted: Callable[[Flow], bool], seen: Observation) -> Any:
    """Return a lens: these flows are seen so, whatever happens."""

    def lens(_: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        return seen if wanted(flow) else really

    return lens


def under_policies(wanted: Callable[[Flow], bool], seen: Observation) -> Any:
    """Return a lens: these flows are seen so while there is any policy."""

    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        return seen if wanted(flow) and arena._state.policies else really

    return lens


def while_away(wanted: Callable[[Flow], bool], seen: Observation) -> Any:
    """Return a lens: these flows are seen so while the implementation restarts."""

    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        return seen if wanted(flow) and arena.still_away() else really

    return lens


def once(wanted: Callable[[Flow], bool], seen: Observation, *, reading: int) -> Any:
    """Return a lens: these flows are seen so in one reading of an arena, counted from 1."""

    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        return seen if wanted(flow) and arena.script.calls("probe") == reading else really

    return lens
