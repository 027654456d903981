"""What can be wrong with a case as a whole: names that are not there, rows that match nothing, steps that show nothing."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from conformance.casefile import families
from conformance.casefile.build import action_paths, created_paths, ports
from conformance.casefile.coverage import check_covers
from conformance.model import address
from conformance.model.case import (
    ApplyPolicy,
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
    matches_ref,
)
from conformance.model.default_world import default_world
from conformance.model.state import State
from conformance.model.world import CANARY, Phase, ServiceType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.casefile.source import Path, Source
    from conformance.model.case import Action, Case, Expectation, Row
    from conformance.model.flow import Flow
    from conformance.model.world import World

#: What a case with a NodePort Service needs: the Service itself, and somebody outside to connect to its node ports.
_NODE_PORT_FEATURES = ("node-port", "external-client")


#: What may happen while the implementation is away. More than one would have states in between, which nobody is to judge.
_MEANWHILE = (ApplyPolicy, DeletePolicy, LabelPod, LabelNamespace)

#: Far beyond what a person can review, and few enough to look at each for each of the others.
_MOST_ACTIONS, _MOST_ROWS, _MOST_FLOWS = 1000, 2000, 50_000


def check(source: Source, case: Case) -> None:
    """Look up what the case covers, and walk through its states; problems go to the source."""
    if text := _too_much(case):
        source.complain(("steps",), text)
        return
    check_covers(source)
    families.check(source, case)
    state = State(default_world())
    for action, path in zip(case.setup, created_paths(source.data.get("world", {})), strict=True):
        state = _after(source, ("world", *path), case, state, action)
    _probe(source, state.world)
    for index, step in enumerate(case.steps):
        here: Path = ("steps", index)
        for action, path in zip(step.actions, action_paths(source.data["steps"][index]), strict=True):
            state = _after(source, (*here, *path), case, state, action)
        if len(step.actions) > 1 and any(isinstance(each, CreatePod) and each.pod.from_start for each in step.actions):
            source.complain(
                here, "what a pod reaches from its start is judged by what held before: its step does nothing else"
            )
        if step.restarts:
            _restart(source, here, case, index)
        if step.expect is not None:
            _expected(source, here, step.expect, state.world, case)
    if all(step.expect is None for step in case.steps):
        source.complain(("steps",), "no step says what must be seen: give one an `expect`")
    if case.disruptive and not any(step.restarts for step in case.steps):
        source.complain(("features",), "no step of this case is disruptive: none restarts the implementation")


def _too_much(case: Case) -> str:
    actions = len(case.setup) + sum(len(step.actions) for step in case.steps)
    rows = sum(len(step.expect.allow) + len(step.expect.deny) for step in case.steps if step.expect)
    if actions > _MOST_ACTIONS or rows > _MOST_ROWS:
        return f"{actions} actions and {rows} rows: a case has at most {_MOST_ACTIONS} and {_MOST_ROWS}"
    return ""


def _expected(source: Source, path: Path, expect: Expectation, world: World, case: Case) -> None:
    if (count := _most_flows(world, case)) > _MOST_FLOWS:
        source.complain(path, f"this step may try {count} flows: at most {_MOST_FLOWS} are tried")
        return
    _node_ports(source, path, world, case)
    _rows(source, (*path, "expect"), expect, families.tried(case, world), case)


def _most_flows(world: World, case: Case) -> int:
    """Return how many flows a step can have at most, without making them."""
    owners = [each.servers for each in world.pods.values()] + [each.servers for each in world.endpoints.values()]
    probe = {*case.probe}
    served = sum((each.port, each.protocol) in probe for servers in owners for each in servers)
    forwarded = sum(len(service.ports) for service in world.services.values())
    return len(owners) * (served + forwarded) * max(1, len(case.families))


def _node_ports(source: Source, path: Path, world: World, case: Case) -> None:
    """Complain about NodePort Services whose node ports would not be tried, or that the case does not say it needs."""
    services = [each for each in world.services.values() if each.type is ServiceType.NODE_PORT]
    if lacking := [each for each in _NODE_PORT_FEATURES if services and each not in case.features]:
        text = f"{services[0].ref} is of type NodePort, and its node ports are tried from outside the cluster: add {' and '.join(lacking)}"
        source.complain(("features",), text)
    for service in services:
        if world.entrance(service) is None:
            text = (
                f"the node ports of {service.ref} would not be tried, since every node has one of its backends, and what a node "
                "sends to its own pods is always allowed: leave one of the two workers without"
            )
            source.complain(path, text)


def _probe(source: Source, world: World) -> None:
    """Complain about ports that nobody serves: they would never be tried."""
    served = {
        (server.port, server.protocol)
        for owners in (world.pods, world.endpoints)
        for owner in owners.values()
        for server in owner.servers
    }
    for index, text in enumerate(source.data.get("probe", ())):
        wanted = ports([text])
        unserved = [f"{port}/{protocol}" for port, protocol in wanted if (port, protocol) not in served]
        if not wanted:
            source.complain(("probe", index), f"{text!r} holds no port: the lower number comes first")
        elif unserved:
            source.complain(("probe", index), f"nobody serves {_some(unserved)}, so it would never be tried")


def _restart(source: Source, step: Path, case: Case, index: int) -> None:
    """See that what is read while the implementation is away can be judged: by what every state since the step before blocks."""
    path = (*step, "restart")
    others = [each for each in case.steps[index].actions if not isinstance(each, RestartImplementation)]
    if not case.disruptive:
        source.complain(path, "this disturbs all that the target enforces: the case needs the feature disruptive")
    if case.steps[index].expect is None or not index or case.steps[index - 1].expect is None:
        source.complain(path, "only what was seen before can be judged: this step and the one before need an `expect`")
    if len(others) > 1 or not all(isinstance(each, _MEANWHILE) for each in others):
        source.complain(
            path, "meanwhile, one policy may change, or the labels of one pod or namespace, and nothing else"
        )


def _after(source: Source, path: Path, case: Case, state: State, action: Action) -> State:
    families.check_action(source, path, case, action)
    if taken := _taken(state, action):
        source.complain(path, f"{taken} is there already")
        return state
    if isinstance(action, CreatePod):
        if wanted := action.pod.address_of:
            ended = [ref for ref, pod in state.world.pods.items() if pod.phase is not Phase.RUNNING]
            if wanted not in ended or state.world.pods[wanted].node != action.pod.node:
                text = f"no pod {wanted} has ended on that node at this point{_meant(wanted, ended)}"
                source.complain((*path, "addressOf"), text)
        for index, (ref, port, protocol) in enumerate(action.pod.from_start):
            owner = state.world.pods.get(ref) or state.world.endpoints.get(ref)
            if owner is None or (port, protocol) not in {(each.port, each.protocol) for each in owner.servers}:
                text = f"nobody serves {ref}:{port}/{protocol} at this point{_meant(ref, state.world.pods)}"
                source.complain((*path, "fromStart", index), text)
    if isinstance(action, ApplyPolicy):
        owners = {*state.world.pods, *state.world.endpoints}
        for ref in sorted({ref for ref, _ in address.refs(action.policy)} - owners):
            text = f"$({ref}) is the address of nothing: there is no pod or endpoint {ref} at this point"
            source.complain(path, text + _meant(ref, owners))
    try:
        return state.after(action)
    except KeyError:
        kind, ref, known = _needed(state, action)
        source.complain(path, f"there is no {kind} {ref} at this point{_meant(ref, known)}", key=True)
        return state


def _taken(state: State, action: Action) -> str | None:
    match action:
        case CreateNamespace(namespace) if namespace.name in {*state.world.namespaces, CANARY}:
            return f"namespace {namespace.name}"
        case CreatePod(pod) if pod.ref in state.world.pods:
            return f"pod {pod.ref}"
        case CreateService(service) if service.ref in state.world.services:
            return f"Service {service.ref}"
    return None


def _needed(state: State, action: Action) -> tuple[str, str, Iterable[str]]:
    """Return what an action cannot do without: its kind, its name, and what there is of that kind."""
    match action:
        case DeletePolicy(ref):
            return "policy", ref, state.policies
        case LabelPod(ref) | ReplacePod(ref) | DeletePod(ref):
            return "pod", ref, state.world.pods
        case LabelNamespace(name) | DeleteNamespace(name):
            return "namespace", name, state.world.namespaces
        case ApplyPolicy(made) | CreatePod(made) | CreateService(made):
            return "namespace", made.namespace, state.world.namespaces
        case CreateNamespace(namespace):
            return "namespace", namespace.name, ()
        case RestartImplementation():
            return "implementation", "", ()


def _meant(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


def _rows(source: Source, path: Path, expect: Expectation, tried: tuple[Flow, ...], case: Case) -> None:
    if not tried:
        source.complain(path, "this step tries no flow at all")
    sources, destinations = {flow.source for flow in tried}, {flow.destination for flow in tried}
    for name, rows in (("allow", expect.allow), ("deny", expect.deny)):
        for index, row in enumerate(rows):
            text = (
                _unmet(row.sources, sources, "source")
                or _unmet(row.destinations, destinations, "destination")
                or _idle(row, tried)
            )
            if text:
                source.complain((*path, name, index), f"{row.text!r}: {text}{_reason(row, case)}")


def _reason(row: Row, case: Case) -> str:
    """Say why flows that the author may have meant are not tried, where the case as a whole is the reason."""
    if not case.external and any("ext" in each for each in (*row.sources, *row.destinations)):
        return "; ext is tried only by cases with an external-… feature"
    if row.family and row.family not in case.families:
        return f"; only a case with {row.family} among its `families` tries flows over {row.family}"
    return ""


def _unmet(patterns: Iterable[str], refs: Iterable[str], what: str) -> str:
    """Say which pattern names nobody: most likely a typo, and behind a `!` it would allow or deny too much."""
    for pattern in patterns:
        if not any(matches_ref(pattern, ref) for ref in refs):
            return f"{pattern} is the {what} of none of the flows that this step tries"
    return ""


def _idle(row: Row, tried: Iterable[Flow]) -> str:
    """Say what in a row, whose names are all right, has no effect on the flows that this step tries."""
    if not any(row.matches(flow) for flow in tried):
        return "matches none of the flows that this step tries"
    used = {flow.port for flow in tried if row.matches(flow)} if row.ports else set()
    idle = [str(port) for port in sorted(row.ports or ()) if port not in used]
    return f"names ports that this step does not try there: {_some(idle)}" if idle else ""


def _some(words: list[str]) -> str:
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")  # noqa: PLR2004
