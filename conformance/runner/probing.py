"""Probing through agents: one open stream a source, whole batches at once, and proof of life in the same batch.

A target says how a stream to an agent is opened; everything else about probing is the same for pods, network namespaces and
machines outside the cluster, and is here.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from conformance.errors import ProbeFailed
from conformance.model.flow import Flow
from conformance.model.matrix import Early, Observation, Observed
from conformance.model.world import IPFamily, family_of
from conformance.model.world import Protocol as IPProtocol
from conformance.runner.routes import Routes, Server, identity, owner_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from conformance.model.world import Endpoint, Pod, World
    from conformance.runner.routes import Job
#: What an agent is given, beyond the timeout of its flows, before its stream counts as broken.
ANSWER_SLACK = 10.0
#: How often a batch is tried on a stream that breaks before its flows are `failed`.
STREAM_TRIES = 3
#: How many flows an agent tries at once, at least: the rest of a batch waits for these (`IN_FLIGHT` of the agent).
AT_ONCE = 500
#: How many timeouts an agent may give a flow (its `MOST_TIMEOUTS`, and one more where it did not run for a while).
TIMEOUTS_A_FLOW = 4
#: What an answer is waited for although others were waited for long enough already: it may have come meanwhile.
_LEAST = 1.0
_SIDE_BY_SIDE = 16
_OBSERVED = {each.value: each for each in Observed}


class Stream(Protocol):
    """An open line to one agent. Both directions raise ProbeFailed once the line is broken."""

    def send(self, line: str) -> None: ...

    def receive(self, timeout: float) -> str:
        """Return the next line without its newline; ProbeFailed when none came within `timeout` seconds."""

    def close(self) -> None: ...


class Prober:
    """The open streams of one arena. `opener` opens the stream of a pod or endpoint, named by its ref."""

    def __init__(self, arena: str, opener: Callable[[str], Stream]) -> None:
        self._arena = arena
        self._opener = opener
        self._streams: dict[str, Stream] = {}
        self._numbers = itertools.count(1)
        self._routes = Routes(arena)
        self.hellos: dict[str, Mapping[str, Any]] = {}

    def open(self, refs: Iterable[str]) -> None:
        """Open streams side by side; ProbeFailed names the first that cannot be opened."""
        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
            list(pool.map(self._stream, refs))

    def forget(self, ref: str) -> None:
        """Close a stream whose agent is gone or about to be."""
        stream = self._streams.pop(ref, None)
        if stream is not None:
            stream.close()

    def close(self) -> None:
        for ref in list(self._streams):
            self.forget(ref)

    def route(self, ref: str, routes: Sequence[tuple[str, str]]) -> Sequence[str]:
        """Have an agent add host routes, as (destination, gateway); return what went wrong."""
        answer = self._ask(ref, {"routes": [list(route) for route in routes], "jobs": []}, 0.0)
        return tuple(answer.get("problems", ()))

    def alive(self, owner: Pod | Endpoint, timeout: float) -> Sequence[str]:
        """Ask all servers of one owner over its own loopback, of each family that it has an address of; return those that did not answer.

        Each comes with what was seen. Protocols that its kernel does not speak are left out: they are in `Arena.unsupported`.
        """
        if owner.ref not in self.hellos:
            self._ask(owner.ref, {"jobs": []}, 0.0)
        sctp = self.hellos[owner.ref].get("sctp")
        servers = [
            Server(owner.ref, each.port, each.protocol, family)
            for family in sorted({family_of(each) for each in owner.addresses} or {IPFamily.IPV4})
            for each in owner.servers
            if sctp or each.protocol is not IPProtocol.SCTP
        ]
        answer = self._ask(owner.ref, {"jobs": [each.own_job for each in servers]}, timeout)
        results = _results(answer, len(servers))
        expected = identity(self._arena, owner)
        return tuple(
            f"{server}: {outcome} {who or detail}".rstrip()
            for server, (outcome, who, _, detail, _) in zip(servers, results, strict=True)
            if (outcome, who) != ("allowed", expected)
        )

    def early(self, world: World, pod: Pod) -> Mapping[Flow, Early]:
        """Ask a pod what it has tried since its start, and what came of it. See `Arena.early`."""
        if not pod.from_start:
            return {}
        told = self._ask(pod.ref, {"jobs": [], "early": True}, 0.0).get("early")
        if not isinstance(told, list) or len(told) != len(pod.from_start):
            raise ProbeFailed(f"{pod.ref} does not say what it has tried since its start", causes=[str(told)[:200]])
        found = {}
        for (ref, port, protocol), (tries, passed, who) in zip(pod.from_start, told, strict=True):
            owner = owner_of(world, ref)
            right = owner is not None and who == identity(self._arena, owner)
            found[Flow(pod.ref, ref, port, protocol)] = Early(tries, passed if right else None)
        return found

    def probe(self, world: World, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        """Try flows and prove their servers alive, in one batch a stream. See `Arena.probe`.

        Where a stream breaks, the flows that it was to try or to prove are tried anew, together with their proofs: what is known of a
        server before or after is no proof for a flow that was silent in between.
        """
        seen: dict[Flow, Observation] = {}
        left: Sequence[Flow] = flows
        for _ in range(STREAM_TRIES):
            observations, broken = self._read(world, left, timeout)
            seen.update(observations)
            left = [
                flow for flow in left if seen[flow].observed is Observed.FAILED and self._touched(world, flow, broken)
            ]
            if not left:
                break
        return {flow: seen[flow] for flow in flows}

    def _read(
        self, world: World, flows: Sequence[Flow], timeout: float
    ) -> tuple[Mapping[Flow, Observation], Mapping[str, str]]:
        """Read flows once; return what was seen, and the streams that broke meanwhile."""
        routes = {flow: self._routes.of(world, flow) for flow in flows}
        tried: dict[str, list[Flow]] = defaultdict(list)
        proofs: dict[str, list[Server]] = defaultdict(list)
        for flow, route in routes.items():
            if route.job:
                tried[flow.source].append(flow)
        for server in sorted({server for flow in itertools.chain(*tried.values()) for server in routes[flow].servers}):
            proofs[server.owner].append(server)
        jobs = {
            ref: [*filter(None, (routes[flow].job for flow in tried[ref])), *(server.own_job for server in proofs[ref])]
            for ref in dict.fromkeys((*tried, *proofs))
        }
        answers, broken = self._ask_all(jobs, timeout)
        nowhere = Observation(Observed.FAILED, 0.0, "no address")
        seen = dict.fromkeys(flows, nowhere)
        lifeless: dict[Server, str] = {}
        for ref, batch in jobs.items():
            results = iter(answers.get(ref) or [["failed", "", 0.0, broken[ref], 0.0]] * len(batch))
            seen.update((flow, _observation(routes[flow].answers, next(results))) for flow in tried[ref])
            for server in proofs[ref]:
                if problem := self._lifeless(world, server, next(results)):
                    lifeless[server] = problem
        return {flow: _proven(each, routes[flow].servers, lifeless) for flow, each in seen.items()}, broken

    def _touched(self, world: World, flow: Flow, refs: Collection[str]) -> bool:
        return flow.source in refs or any(each.owner in refs for each in self._routes.of(world, flow).servers)

    def _lifeless(self, world: World, server: Server, result: Sequence[Any]) -> str:
        outcome, who, _, detail, _ = result
        owner = owner_of(world, server.owner)
        if owner is not None and outcome == "allowed" and who == identity(self._arena, owner):
            return ""
        return f"server {server} is not proven alive: its loopback says {outcome} {who or detail}".rstrip()

    def _ask_all(
        self, jobs: Mapping[str, Sequence[Job]], timeout: float
    ) -> tuple[Mapping[str, Sequence[Sequence[Any]]], Mapping[str, str]]:
        """Ask all agents at the same moment; return the answers, and whose streams broke.

        Streams are opened before anything is sent, and everything is sent before any answer is waited for: flows and the proofs of their
        servers are of one moment.
        """
        broken = self._reopen([ref for ref in jobs if ref not in self._streams])
        sent: dict[str, int] = {}
        for ref, batch in jobs.items():
            try:
                if ref not in broken:
                    sent[ref] = self._send(ref, {"timeout": timeout, "jobs": batch})
            except ProbeFailed as error:
                self.forget(ref)
                broken[ref] = _words(error)
        answers: dict[str, Sequence[Sequence[Any]]] = {}
        began = time.monotonic()
        for ref, number in sent.items():
            patience = _patience(len(jobs[ref]), timeout)
            try:
                answer = self._receive(ref, number, max(_LEAST, began + patience - time.monotonic()))
                answers[ref] = _results(answer, len(jobs[ref]))
            except ProbeFailed as error:
                self.forget(ref)
                broken[ref] = _words(error)
        return answers, broken

    def _reopen(self, refs: Sequence[str]) -> dict[str, str]:
        """Open streams side by side; return those that cannot be opened, and why."""

        def problem(ref: str) -> str:
            try:
                self._stream(ref)
            except ProbeFailed as error:
                return _words(error)
            return ""

        if not refs:
            return {}
        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
            return {ref: why for ref, why in zip(refs, pool.map(problem, refs), strict=True) if why}

    def _ask(self, ref: str, message: Mapping[str, Any], timeout: float) -> Mapping[str, Any]:
        """Ask one agent, on a new stream each time that one breaks; ProbeFailed after the last try."""
        for left in reversed(range(STREAM_TRIES)):
            try:
                number = self._send(ref, {"timeout": timeout, **message})
                return self._receive(ref, number, _patience(len(message["jobs"]), timeout))
            except ProbeFailed:
                self.forget(ref)
                if not left:
                    raise
        raise AssertionError("unreachable")  # pragma: no cover

    def _send(self, ref: str, message: Mapping[str, Any]) -> int:
        number = next(self._numbers)
        self._stream(ref).send(json.dumps({"id": number, **message}, separators=(",", ":")))
        return number

    def _receive(self, ref: str, number: int, patience: float) -> Mapping[str, Any]:
        """Return the answer of that number; an answer to a batch that was given up is not it."""
        while True:
            answer = _parse(self._stream(ref).receive(patience))
            if answer.get("id") == number:
                return answer

    def _stream(self, ref: str) -> Stream:
        if ref not in self._streams:
            stream = self._opener(ref)
            try:
                self.hellos[ref] = _parse(stream.receive(ANSWER_SLACK))
            except ProbeFailed:
                stream.close()
                raise
            self._streams[ref] = stream
        return self._streams[ref]


def _parse(line: str) -> dict[str, Any]:
    try:
        answer = json.loads(line)
    except ValueError as error:
        raise ProbeFailed(f"not an agent's answer: {line[:200]!r}") from error
    if not isinstance(answer, dict):
        raise ProbeFailed(f"not an agent's answer: {line[:200]!r}")
    return answer


def _results(answer: Mapping[str, Any], jobs: int) -> Sequence[Sequence[Any]]:
    results = answer.get("results")
    if not isinstance(results, list) or len(results) != jobs:
        raise ProbeFailed(f"not an answer to {jobs} flows: {str(answer)[:200]}")
    return results


def _words(error: ProbeFailed) -> str:
    return "; ".join((error.message, *error.causes))


def _patience(jobs: int, timeout: float) -> float:
    """How long an agent may take for a batch at most."""
    return timeout * TIMEOUTS_A_FLOW * max(1, -(-jobs // AT_ONCE)) + ANSWER_SLACK


def _observation(expected: Collection[str], result: Sequence[Any]) -> Observation:
    outcome, who, seconds, detail, waited = result
    observed = _OBSERVED[outcome]
    if observed is Observed.ALLOWED and who not in expected:
        wanted = " or ".join(sorted(expected)) or "nobody"
        return Observation(Observed.MISDELIVERED, seconds, f"{who} answered instead of {wanted}")
    return Observation(observed, seconds, detail, waited)


def _proven(seen: Observation, servers: Sequence[Server], lifeless: Mapping[Server, str]) -> Observation:
    """Turn "blocked" into "could not be measured" where a server is not proven alive."""
    if seen.observed in {Observed.DROPPED, Observed.REJECTED}:
        for server in servers:
            if server in lifeless:
                return Observation(Observed.FAILED, seen.seconds, lifeless[server])
        if not servers:
            return Observation(Observed.FAILED, seen.seconds, "no server is behind this Service")
    return seen
