"""Probing over streams that a test holds the other end of."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.errors import ProbeFailed
from conformance.model.flow import Flow
from conformance.model.matrix import Observed
from conformance.model.world import (
    Endpoint,
    IPFamily,
    Namespace,
    Node,
    Phase,
    Pod,
    Protocol,
    Server,
    Service,
    ServicePort,
    ServiceType,
    World,
)
from conformance.runner.probing import ANSWER_SLACK, AT_ONCE, STREAM_TRIES, TIMEOUTS_A_FLOW, Prober
from conformance.runner.routes import identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Job = tuple[str, int, str]

TCP, UDP = Protocol.TCP, Protocol.UDP
SERVERS = (Server(80, TCP, "web"), Server(81, TCP), Server(80, UDP))
FLOW = Flow("x/a", "y/b", 80, TCP)
BACK = Flow("y/b", "x/a", 80, TCP)
LOOPBACK, LOOPBACK_6 = "127.0.0.1", "::1"


def world() -> World:
    pods = {
        ref: Pod(*ref.split("/"), labels={"app": "web"}, servers=SERVERS, addresses=(f"10.0.0.{number}",))
        for number, ref in enumerate(("x/a", "y/b", "y/c", "z/d"), 1)
    }
    return World(
        namespaces={name: Namespace(name) for name in "xyz"},
        pods=pods,
        services={
            "web.y.svc": Service("y", "web", {"app": "web"}, (ServicePort(8080, "web"),), addresses=("10.96.0.1",)),
            "idle.x.svc": Service("x", "idle", {"app": "none"}, (ServicePort(80, 80),), addresses=("10.96.0.2",)),
        },
        endpoints={"ext": Endpoint("ext", SERVERS, addresses=("172.18.0.9",))},
    )


class Network:
    """What agents see: everything connects, but what a test says otherwise. Streams do as the script of their agent says.

    `script[ref]` says for one opened stream after the other what it does with each message: "ok", "deaf" (never answers), "break" (at
    sending), "garbage", "short" (too few results), "stale" (an answer to another batch first), "mute" (not even hello), "no" (cannot be
    opened). The last word of a stream, and the last stream of a script, are repeated.
    """

    def __init__(self) -> None:
        self.world = world()
        self.script: dict[str, list[list[str]]] = {}
        self.seen: dict[tuple[str, str, int, str], list[Any]] = {}
        self.opened: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        self.batches: dict[str, list[list[Job]]] = defaultdict(list)
        self.waits: list[float] = []
        self.log: list[str] = []
        self.prober = Prober("run-1", self.open)

    def open(self, ref: str) -> FakeStream:
        scripts = self.script.get(ref, [["ok"]])
        words = scripts[min(self.opened[ref], len(scripts) - 1)]
        self.opened[ref] += 1
        self.log.append(f"open {ref}")
        if words[0] == "no":
            raise ProbeFailed(f"no pod {ref}", causes=["it is gone"])
        return FakeStream(self, ref, list(words))

    def probe(self, *flows: Flow, timeout: float = 1.0) -> Mapping[Flow, Any]:
        seen = self.prober.probe(self.world, flows, timeout)
        assert set(seen) == set(flows)
        return seen

    def result(self, ref: str, job: Job) -> list[Any]:
        where, port, protocol = job
        if (ref, *job) in self.seen:
            return self.seen[ref, *job]
        owners = [*self.world.pods.values(), *self.world.endpoints.values()]
        if where in {LOOPBACK, LOOPBACK_6}:
            owner = next(each for each in owners if each.ref == ref)
        elif where.startswith(("10.96.", "fd00:96:")):
            owner, port = self.world.pods["y/c"], 80
        else:
            owner = next(each for each in owners if where in each.addresses)
        listens = any((server.port, server.protocol) == (port, protocol) for server in owner.servers)
        return (
            ["allowed", identity("run-1", owner), 0.001, "", 0.0]
            if listens
            else ["rejected", "", 0.001, "refused", 0.0]
        )


class FakeStream:
    """A stream with an agent at its end."""

    def __init__(self, network: Network, ref: str, words: list[str]) -> None:
        self.network, self.ref, self.words = network, ref, words
        self.lines: list[str] = [] if words[0] == "mute" else [json.dumps({"hello": 1, "sctp": ref == "x/a"})]
        self.broken = False

    def send(self, line: str) -> None:
        self.network.log.append(f"send {self.ref}")
        assert not self.broken, "nobody uses a stream that broke"
        word = self.words.pop(0) if len(self.words) > 1 else self.words[0]
        message = json.loads(line)
        jobs = [tuple(job) for job in message["jobs"]]
        self.network.batches[self.ref].append(jobs)
        results = [self.network.result(self.ref, job) for job in jobs]
        answer = {"id": message["id"], "results": results}
        if message.get("routes"):
            answer["problems"] = [f"route to {destination}: no" for destination, _ in message["routes"]]
        if word == "break":
            raise ProbeFailed("the stream broke while sending")
        if word == "stale":
            stale = [["dropped", "", 1.0, "from another time", 0.0]] * len(jobs)
            self.lines.append(json.dumps({"id": message["id"] - 1, "results": stale}))
        if word == "short":
            answer["results"] = results[:-1]
        if word == "bare":
            del answer["results"]
        if word == "garbage":
            self.lines.append("Unable to use a TTY")
        elif word != "deaf":
            self.lines.append(json.dumps(answer))

    def receive(self, timeout: float) -> str:
        self.network.waits.append(timeout)
        self.network.log.append(f"receive {self.ref}")
        if not self.lines:
            self.broken = True
            raise ProbeFailed(f"{self.ref} says nothing", causes=["its last words"])
        return self.lines.pop(0)

    def close(self) -> None:
        self.network.closed[self.ref] += 1


@pytest.fixture
def network() -> Network:
    return Network()


def silent(network: Network, source: str, address: str, port: int = 80, outcome: str = "dropped") -> None:
    network.seen[source, address, port, "TCP"] = [outcome, "", 1.0, "silence", 0.0]


# What is seen.


def test_the_right_server_answers(network: Network) -> None:
    seen = network.probe(FLOW, BACK, Flow("ext", "x/a", 80, UDP), Flow("x/a", "ext", 81, TCP))
    assert {(each.observed, each.seconds) for each in seen.values()} == {(Observed.ALLOWED, 0.001)}


@pytest.mark.parametrize(
    "answers", ["run-1/y/c#1", "run-1/y/b#2", "run-2/y/b#1", "y/b#1", ""], ids=lambda who: who or "nobody"
)
def test_somebody_else_answers(network: Network, answers: str) -> None:
    network.seen["x/a", "10.0.0.2", 80, "TCP"] = ["allowed", answers, 0.01, "", 0.0]
    seen = network.probe(FLOW)[FLOW]
    assert (seen.observed, seen.detail) == (
        Observed.MISDELIVERED,
        f"{answers} answered instead of run-1/y/b#1",
    )


def test_a_pod_made_again_is_another_one(network: Network) -> None:
    network.world = network.world.with_pod(replace(network.world.pods["y/b"], generation=2))
    assert network.probe(FLOW)[FLOW].observed is Observed.ALLOWED
    network.seen["x/a", "10.0.0.2", 80, "TCP"] = ["allowed", "run-1/y/b#1", 0.01, "", 0.0]
    assert network.probe(FLOW)[FLOW].observed is Observed.MISDELIVERED


@pytest.mark.parametrize("outcome", ["dropped", "rejected"])
def test_blocked_is_said_of_a_living_server(network: Network, outcome: str) -> None:
    silent(network, "x/a", "10.0.0.2", outcome=outcome)
    seen = network.probe(FLOW)[FLOW]
    assert (seen.observed, seen.detail) == (Observed(outcome), "silence")


@pytest.mark.parametrize("outcome", ["dropped", "rejected"])
@pytest.mark.parametrize(
    "loopback",
    [
        ["dropped", "", 1.0, "", 0.0],
        ["rejected", "", 0.0, "Connection refused", 0.0],
        ["failed", "", 0.0, "no socket", 0.0],
        ["misdelivered", "", 0.0, "who?", 0.0],
        ["allowed", "run-1/y/c#1", 0.0, "", 0.0],
    ],
    ids=lambda result: result[0],
)
def test_blocked_is_never_said_of_a_server_that_is_not_proven_alive(
    network: Network, outcome: str, loopback: list[Any]
) -> None:
    silent(network, "x/a", "10.0.0.2", outcome=outcome)
    network.seen["y/b", LOOPBACK, 80, "TCP"] = loopback
    seen = network.probe(FLOW)[FLOW]
    assert seen.observed is Observed.FAILED
    assert seen.detail.startswith(
        f"server y/b:80/TCP is not proven alive: its loopback says {loopback[0]} {loopback[1] or loopback[3]}".rstrip()
    )


def test_the_proof_is_of_the_same_port_and_protocol(network: Network) -> None:
    silent(network, "x/a", "10.0.0.2")
    network.seen["y/b", LOOPBACK, 81, "TCP"] = ["dropped", "", 1.0, "", 0.0]
    network.seen["y/b", LOOPBACK, 80, "UDP"] = ["dropped", "", 1.0, "", 0.0]
    assert network.probe(FLOW, Flow("x/a", "y/b", 81, TCP))[FLOW].observed is Observed.DROPPED


def test_every_batch_has_the_proofs_of_the_servers_that_are_tried(network: Network) -> None:
    network.probe(FLOW, BACK, Flow("x/a", "y/c", 80, TCP))
    assert network.batches == {
        "x/a": [[("10.0.0.2", 80, "TCP"), ("10.0.0.3", 80, "TCP"), (LOOPBACK, 80, "TCP")]],
        "y/b": [[("10.0.0.1", 80, "TCP"), (LOOPBACK, 80, "TCP")]],
        "y/c": [[(LOOPBACK, 80, "TCP")]],
    }


def test_an_answer_needs_no_proof(network: Network) -> None:
    network.seen["y/b", LOOPBACK, 80, "TCP"] = ["dropped", "", 1.0, "", 0.0]
    assert network.probe(FLOW)[FLOW].observed is Observed.ALLOWED


def test_what_has_no_address_yet_could_not_be_measured(network: Network) -> None:
    network.world = network.world.with_pod(replace(network.world.pods["y/b"], addresses=()))
    seen = network.probe(FLOW)[FLOW]
    assert (seen.observed, seen.detail) == (Observed.FAILED, "no address")


# Services.

TO_SERVICE = Flow("z/d", "web.y.svc", 8080, TCP)


def test_any_backend_may_answer_for_a_service(network: Network) -> None:
    assert network.probe(TO_SERVICE)[TO_SERVICE].observed is Observed.ALLOWED
    network.seen["z/d", "10.96.0.1", 8080, "TCP"] = ["allowed", "run-1/y/b#1", 0.01, "", 0.0]
    assert network.probe(TO_SERVICE)[TO_SERVICE].observed is Observed.ALLOWED


def test_who_is_no_backend_may_not_answer_for_a_service(network: Network) -> None:
    network.seen["z/d", "10.96.0.1", 8080, "TCP"] = ["allowed", "run-1/x/a#1", 0.01, "", 0.0]
    seen = network.probe(TO_SERVICE)[TO_SERVICE]
    assert (seen.observed, seen.detail) == (
        Observed.MISDELIVERED,
        "run-1/x/a#1 answered instead of run-1/y/b#1 or run-1/y/c#1",
    )


def test_a_service_is_blocked_only_if_all_its_backends_live(network: Network) -> None:
    network.seen["z/d", "10.96.0.1", 8080, "TCP"] = ["dropped", "", 1.0, "", 0.0]
    assert network.probe(TO_SERVICE)[TO_SERVICE].observed is Observed.DROPPED
    assert [batch[-1] for batch in network.batches["y/c"]] == [(LOOPBACK, 80, "TCP")]
    network.seen["y/c", LOOPBACK, 80, "TCP"] = ["rejected", "", 0.0, "Connection refused", 0.0]
    assert network.probe(TO_SERVICE)[TO_SERVICE].observed is Observed.FAILED


def test_a_backend_that_does_not_run_is_none(network: Network) -> None:
    network.world = network.world.with_pod(replace(network.world.pods["y/c"], phase=Phase.FAILED))
    network.seen["z/d", "10.96.0.1", 8080, "TCP"] = ["allowed", "run-1/y/c#1", 0.01, "", 0.0]
    assert network.probe(TO_SERVICE)[TO_SERVICE].observed is Observed.MISDELIVERED


def test_a_service_without_backends_cannot_be_blocked(network: Network) -> None:
    flow = Flow("z/d", "idle.x.svc", 80, TCP)
    network.seen["z/d", "10.96.0.2", 80, "TCP"] = ["rejected", "", 0.0, "Connection refused", 0.0]
    seen = network.probe(flow)[flow]
    assert (seen.observed, seen.detail) == (Observed.FAILED, "no server is behind this Service")


def test_what_is_outside_reaches_a_service_by_its_node_port(network: Network) -> None:
    """On the node that no backend is on, and with the proof of life of the backend."""
    service = Service(
        "y",
        "open",
        {"app": "web"},
        (ServicePort(8080, 80),),
        ("10.96.0.3",),
        ServiceType.NODE_PORT,
        {(8080, TCP): 30080},
    )
    nodes = (Node(("172.18.0.2",)), Node(("172.18.0.3",)))
    network.world = replace(network.world.with_service(service), nodes=nodes)
    flow = Flow("ext", "open.y.svc", 8080, TCP)
    network.seen["ext", "172.18.0.3", 30080, "TCP"] = ["allowed", "run-1/y/b#1", 0.01, "", 0.0]
    assert network.probe(flow)[flow].observed is Observed.ALLOWED
    network.seen["ext", "172.18.0.3", 30080, "TCP"] = ["dropped", "", 1.0, "", 0.0]
    assert network.probe(flow)[flow].observed is Observed.DROPPED
    network.seen["y/b", LOOPBACK, 80, "TCP"] = ["rejected", "", 0.0, "Connection refused", 0.0]
    assert network.probe(flow)[flow].observed is Observed.FAILED


def test_a_node_port_that_is_not_known_cannot_be_measured(network: Network) -> None:
    flow = Flow("ext", "web.y.svc", 8080, TCP)
    seen = network.probe(flow)[flow]
    assert (seen.observed, seen.detail) == (Observed.FAILED, "no address")


# Streams that break.

BROKEN = ["deaf", "break", "garbage", "short", "bare"]


@pytest.mark.parametrize("how", BROKEN)
def test_a_stream_that_breaks_is_opened_again_and_its_batch_repeated(network: Network, how: str) -> None:
    silent(network, "x/a", "10.0.0.3")
    network.script["x/a"] = [[how], ["ok"]]
    other = Flow("x/a", "y/c", 80, TCP)
    seen = network.probe(FLOW, other)
    assert (seen[FLOW].observed, seen[other].observed) == (Observed.ALLOWED, Observed.DROPPED)
    assert (network.opened["x/a"], network.closed["x/a"]) == (2, 1)


@pytest.mark.parametrize("how", BROKEN)
def test_a_stream_that_breaks_in_every_try_gives_failed_and_never_blocked(network: Network, how: str) -> None:
    network.script["x/a"] = [[how]]
    from_it, to_it = FLOW, BACK
    silent(network, "y/b", "10.0.0.1")
    seen = network.probe(from_it, to_it)
    assert {each.observed for each in seen.values()} == {Observed.FAILED}
    assert network.opened["x/a"] == STREAM_TRIES
    assert all(each.detail for each in seen.values())


def test_what_a_broken_stream_said_is_in_the_detail(network: Network) -> None:
    network.script["x/a"] = [["deaf"]]
    assert network.probe(FLOW)[FLOW].detail == "x/a says nothing; its last words"


@pytest.mark.parametrize("how", ["no", "mute"])
def test_a_stream_that_cannot_be_opened_gives_failed(network: Network, how: str) -> None:
    network.script["x/a"] = [[how]]
    other = Flow("y/b", "y/c", 80, TCP)
    seen = network.probe(FLOW, other)
    assert (seen[FLOW].observed, seen[other].observed) == (Observed.FAILED, Observed.ALLOWED)
    if how == "mute":
        assert network.closed["x/a"] == network.opened["x/a"]


def test_a_stream_that_heals_late_is_good_enough(network: Network) -> None:
    network.script["x/a"] = [["deaf"]] * (STREAM_TRIES - 1) + [["ok"]]
    assert network.probe(FLOW)[FLOW].observed is Observed.ALLOWED


def test_a_proof_from_after_a_break_is_no_proof_for_a_silence_before_it() -> None:
    """The pod y/b restarts: x/a hears nothing of it, its stream breaks, and when it is open again its servers live."""

    class Restarting(Network):
        def result(self, ref: str, job: Job) -> list[Any]:
            if ref == "x/a" and self.opened["y/b"] < 2:
                return ["dropped", "", 1.0, "", 0.0]
            return super().result(ref, job)

    restarting = Restarting()
    restarting.script["y/b"] = [["deaf"], ["ok"]]
    assert restarting.probe(FLOW)[FLOW].observed is Observed.ALLOWED
    assert len(restarting.batches["x/a"]) == 2, "the flow is tried anew beside its proof"


def test_only_what_a_broken_stream_had_to_do_with_is_repeated(network: Network) -> None:
    network.script["x/a"] = [["deaf"], ["ok"]]
    network.probe(FLOW, Flow("y/b", "y/c", 80, TCP), Flow("y/c", "y/b", 80, TCP), BACK)
    assert network.batches["x/a"][1] == [("10.0.0.2", 80, "TCP")]
    assert len(network.batches["y/c"]) == 1


def test_an_answer_to_an_earlier_batch_is_skipped(network: Network) -> None:
    network.script["x/a"] = [["stale"]]
    assert network.probe(FLOW)[FLOW].observed is Observed.ALLOWED
    assert network.opened["x/a"] == 1


def test_an_agent_that_only_ever_answers_earlier_batches_is_failed() -> None:
    class Behind(Network):
        def open(self, ref: str) -> FakeStream:
            stream = super().open(ref)
            if ref == "x/a":
                stream.lines.append(json.dumps({"id": 0, "results": [["dropped", "", 1.0, "", 0.0]]}))
            return stream

    behind = Behind()
    behind.script["x/a"] = [["deaf"]]
    assert behind.probe(FLOW)[FLOW].observed is Observed.FAILED


def test_a_broken_stream_does_not_trouble_the_next_reading(network: Network) -> None:
    network.script["x/a"] = [["deaf"]] * STREAM_TRIES + [["ok"]]
    assert network.probe(FLOW)[FLOW].observed is Observed.FAILED
    assert network.probe(FLOW)[FLOW].observed is Observed.ALLOWED


def test_streams_stay_open_from_reading_to_reading(network: Network) -> None:
    for _ in range(3):
        network.probe(FLOW, BACK)
    assert network.opened == Counter({"x/a": 1, "y/b": 1})


def test_all_agents_work_at_once(network: Network) -> None:
    """Flows and the proofs of their servers are of one moment only if nobody waits for another."""
    network.probe(FLOW, BACK, Flow("y/c", "x/a", 80, TCP))
    words = [line.partition(" ")[0] for line in network.log]
    first = words.index("send")
    assert "open" not in words[first:]
    assert words[first:] == ["send"] * 3 + ["receive"] * 3


def test_a_stream_that_is_opened_again_is_opened_before_anything_is_sent(network: Network) -> None:
    network.script["y/c"] = [["deaf"], ["ok"]]
    network.probe(FLOW, Flow("x/a", "y/c", 80, TCP), Flow("y/c", "x/a", 80, TCP))
    again = network.log[network.log.index("open y/c", network.log.index("open y/c") + 1) :]
    assert [line for line in again if not line.startswith("receive")] == ["open y/c", "send y/c", "send x/a"]


def test_what_many_silent_flows_need_is_waited_for(network: Network) -> None:
    flows = [Flow("x/a", f"y/p{number}", port, TCP) for number in range(AT_ONCE) for port in (80, 81, 82)]
    for number in range(AT_ONCE):
        pod = Pod("y", f"p{number}", servers=SERVERS, addresses=(f"10.1.{number // 250}.{number % 250}",))
        network.world = network.world.with_pod(pod)
    network.probe(*flows, timeout=3.0)
    assert max(network.waits) > 3 * 3.0 * TIMEOUTS_A_FLOW + ANSWER_SLACK - 1


# The rest of the door.


def test_alive_names_the_servers_that_do_not_answer(network: Network) -> None:
    pod = network.world.pods["y/b"]
    assert network.prober.alive(pod, 1.0) == ()
    network.seen["y/b", LOOPBACK, 81, "TCP"] = ["rejected", "", 0.0, "Connection refused", 0.0]
    network.seen["y/b", LOOPBACK, 80, "UDP"] = ["allowed", "run-1/y/b#9", 0.0, "", 0.0]
    assert network.prober.alive(pod, 1.0) == (
        "y/b:81/TCP: rejected Connection refused",
        "y/b:80/UDP: allowed run-1/y/b#9",
    )


@pytest.mark.parametrize("how", ["deaf", "no"])
def test_alive_says_that_there_is_no_line(network: Network, how: str) -> None:
    network.script["y/b"] = [[how]]
    with pytest.raises(ProbeFailed):
        network.prober.alive(network.world.pods["y/b"], 1.0)
    assert network.opened["y/b"] == STREAM_TRIES


def test_open_greets_every_agent_and_says_which_does_not_answer(network: Network) -> None:
    network.prober.open(["x/a", "y/b"])
    assert {ref: hello["sctp"] for ref, hello in network.prober.hellos.items()} == {"x/a": True, "y/b": False}
    network.script["y/c"] = [["no"]]
    with pytest.raises(ProbeFailed, match="no pod y/c"):
        network.prober.open(["x/a", "y/c"])
    assert network.opened["x/a"] == 1


def test_routes_are_told_to_an_agent_and_what_went_wrong_comes_back(network: Network) -> None:
    assert network.prober.route("ext", [("10.0.0.1", "172.18.0.2")]) == ("route to 10.0.0.1: no",)
    assert network.prober.route("ext", []) == ()


def test_what_is_forgotten_is_closed_and_opened_again_when_needed(network: Network) -> None:
    network.probe(FLOW)
    network.prober.forget("x/a")
    network.prober.forget("nobody/here")
    assert network.closed == Counter({"x/a": 1})
    assert network.probe(FLOW)[FLOW].observed is Observed.ALLOWED
    network.prober.close()
    network.prober.close()
    assert network.closed == network.opened == Counter({"x/a": 2, "y/b": 1})


def test_an_error_that_is_not_of_a_stream_is_not_taken_for_one(network: Network) -> None:
    def broken(_: str) -> Any:
        raise RuntimeError("a bug")

    prober = Prober("run-1", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        prober.probe(network.world, [FLOW], 1.0)


def test_nothing_to_try_is_nothing_to_ask(network: Network) -> None:
    assert network.probe() == {}
    assert network.opened == Counter()


def jobs_of(batches: Sequence[Sequence[Job]]) -> set[Job]:
    return {job for batch in batches for job in batch}


def test_nobody_proves_another(network: Network) -> None:
    network.probe(*[Flow(source, "x/a", 80, TCP) for source in ("y/b", "y/c", "z/d", "ext")])

    def proofs(ref: str) -> set[Job]:
        return {job for job in jobs_of(network.batches[ref]) if job[0] == LOOPBACK}

    assert proofs("x/a") == {(LOOPBACK, 80, "TCP")}
    assert not any(proofs(ref) for ref in ("y/b", "y/c", "z/d", "ext"))


# -- families of addresses


@pytest.fixture
def dual(network: Network) -> Network:
    """Give a network in which all have an address of each family; which comes first differs."""
    found = network.world
    for number, pod in enumerate(found.pods.values(), 1):
        both = (*pod.addresses, f"fd00::{number}")
        found = found.with_pod(replace(pod, addresses=both if number % 2 else both[::-1]))
    web = found.services["web.y.svc"]
    network.world = found.with_service(replace(web, addresses=(*web.addresses, "fd00:96::1")))
    return network


V4, V6 = (replace(FLOW, family=family) for family in IPFamily)


def test_a_flow_goes_to_the_address_of_its_family_and_its_server_is_proven_over_the_same(dual: Network) -> None:
    assert {each.observed for each in dual.probe(V4, V6).values()} == {Observed.ALLOWED}
    assert dual.batches["x/a"] == [[("10.0.0.2", 80, "TCP"), ("fd00::2", 80, "TCP")]]
    assert sorted(dual.batches["y/b"][0]) == [(LOOPBACK, 80, "TCP"), (LOOPBACK_6, 80, "TCP")]


def test_a_server_that_is_dead_over_one_family_proves_nothing_of_that_one(dual: Network) -> None:
    for where in ("10.0.0.2", "fd00::2"):
        silent(dual, "x/a", where)
    silent(dual, "y/b", LOOPBACK_6, outcome="rejected")
    seen = dual.probe(V4, V6)
    assert seen[V4].observed is Observed.DROPPED
    assert seen[V6].observed is Observed.FAILED
    assert "server y/b:80/TCP over IPv6 is not proven alive" in seen[V6].detail


def test_a_flow_of_no_family_is_proven_over_that_of_the_first_address(dual: Network) -> None:
    dual.probe(FLOW)
    assert dual.batches["x/a"] == [[("fd00::2", 80, "TCP")]]
    assert dual.batches["y/b"] == [[(LOOPBACK_6, 80, "TCP")]]


def test_a_service_is_tried_at_its_address_of_the_family(dual: Network) -> None:
    flow = replace(TO_SERVICE, family=IPFamily.IPV6)
    assert dual.probe(flow)[flow].observed is Observed.ALLOWED
    assert dual.batches["z/d"][0][0] == ("fd00:96::1", 8080, "TCP")
    assert (LOOPBACK_6, 80, "TCP") in dual.batches["y/b"][0]


def test_what_has_no_address_of_the_family_cannot_be_measured(network: Network) -> None:
    assert (network.probe(V6)[V6].observed, network.probe(V6)[V6].detail) == (Observed.FAILED, "no address")


def test_servers_are_asked_over_each_family_that_their_owner_has(dual: Network) -> None:
    owner = dual.world.pods["x/a"]
    silent(dual, "x/a", LOOPBACK_6, port=81, outcome="rejected")
    assert dual.prober.alive(owner, 1.0) == ("x/a:81/TCP over IPv6: rejected silence",)
    assert dual.prober.alive(replace(owner, addresses=owner.addresses[:1]), 1.0) == ()
