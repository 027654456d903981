"""The agent outside the cluster: how it is started, spoken to and ended. The machine outside is this one."""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.resources import files

import pytest

from conformance.cluster.external import PipeStream, external
from conformance.cluster.naming import Names
from conformance.errors import ProbeFailed
from conformance.model.world import Endpoint, Protocol, Server

NAMES = Names("abc123", "main-1")
ENDPOINT = Endpoint("ext", (Server(80, Protocol.TCP), Server(81, Protocol.UDP)))
AGENT = files("conformance").joinpath("agent.py").read_text(encoding="utf-8")
TAIL = (
    *("python3", "-u", "-c", "TEXT", "endpoint", "--identity", "abc123-main-1/ext#1"),
    *("--towards", "172.18.0.2", "80/TCP", "81/UDP"),
)


def python(program: str) -> PipeStream:
    return PipeStream((sys.executable, "-u", "-c", program), "the agent of ext")


def test_any_command_is_only_put_before_the_agent() -> None:
    made = external(("ssh", "machine"), ENDPOINT, NAMES, "ctx", "TEXT", "172.18.0.2")
    assert made.command == ("ssh", "machine", *TAIL)
    assert made.beside == ()


def test_a_container_gets_a_name_and_labels_by_which_it_is_found_again() -> None:
    prefix = ("docker", "run", "-i", "--rm", "image:1")
    made = external(prefix, ENDPOINT, NAMES, "kind-x", "TEXT", "172.18.0.2")
    assert made.command == (
        *("docker", "run", "--name", "netpol-abc123-main-1-ext"),
        *("--label", "app.kubernetes.io/managed-by=netpol-conformance"),
        *("--label", "netpol-conformance/run=abc123"),
        *("--label", "netpol-conformance/context=kind-x"),
        *("-i", "--rm", "image:1"),
        *TAIL,
    )
    assert made.beside == ("docker", "exec", "netpol-abc123-main-1-ext")


def test_the_agent_speaks_over_pipes_and_knows_its_address() -> None:
    command = (sys.executable, "-u", "-c", AGENT, "endpoint", "--identity", "me", "--towards", "127.0.0.1", "49731/TCP")
    stream = PipeStream(command, "the agent of ext")
    try:
        assert json.loads(stream.receive(10.0))["addresses"] == ["127.0.0.1"]
        stream.send('{"id":1,"timeout":1,"jobs":[["127.0.0.1",49731,"TCP"],["127.0.0.1",49732,"TCP"]]}')
        answer = json.loads(stream.receive(10.0))
        assert [result[:2] for result in answer["results"]] == [["allowed", "me"], ["rejected", ""]]
    finally:
        stream.close()
        stream.close()


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(ProbeFailed, match="cannot start no-such-program: No such file"):
        PipeStream(("no-such-program",), "the agent of ext")


def test_a_command_that_ends_says_what_it_complained_about() -> None:
    stream = python("import sys; sys.exit('cannot listen on 80/TCP')")
    with pytest.raises(ProbeFailed, match="its command ended; it wrote: cannot listen on 80/TCP"):
        stream.receive(10.0)
    with pytest.raises(ProbeFailed, match="cannot listen"):
        stream.send("x")
    stream.close()


def test_silence_is_not_waited_for_longer_than_asked() -> None:
    began = time.monotonic()
    stream = python("import sys; sys.stdin.read()")
    with pytest.raises(ProbeFailed, match=r"no answer within 0\.2 s"):
        stream.receive(0.2)
    assert time.monotonic() - began < 5.0


def test_waiting_for_a_line_does_not_take_it() -> None:
    stream = python("print('one'); print('two'); input()")
    stream.wait(10.0)
    assert [stream.receive(1.0), stream.receive(1.0)] == ["one", "two"]
    stream.close()


def test_a_command_that_does_not_end_with_its_stdin_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conformance.cluster.external._ENDING", 0.2)
    stream = python("import os,signal,time; signal.signal(15, signal.SIG_IGN); print(os.getpid()); time.sleep(60)")
    number = int(stream.receive(10.0))
    stream.close()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
