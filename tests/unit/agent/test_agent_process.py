"""The agent as a process: batches, garbage, its end, and the Pythons that it runs on."""

from __future__ import annotations

import ast
import json
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agent_process import AGENT, PATIENCE, Agent, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "127.0.0.1"


def test_it_says_hello(agent: Callable[..., Agent]) -> None:
    hello = agent("probe").line()
    assert hello["hello"] == 1
    assert isinstance(hello["sctp"], bool)


def test_a_batch_of_more_than_a_thousand(prober: Agent, serving: Callable[..., Any]) -> None:
    _, (tcp, udp) = serving("x/a#1", "TCP", "UDP")
    jobs = [[HERE, tcp, "TCP"], [HERE, udp, "UDP"]] * 600
    results = prober.probe(*jobs, timeout=30.0)
    assert len(results) == 1200
    assert {(outcome, who) for outcome, who, *_ in results} == {("allowed", "x/a#1")}


def test_more_silent_flows_than_fit_at_once_all_get_their_time(prober: Agent) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HERE, 0))
        results = prober.probe(*[[HERE, silent.getsockname()[1], "UDP"]] * 700, timeout=0.2)
    assert {result[0] for result in results} == {"dropped"}
    assert all(result[2] >= 0.2 for result in results)


def test_several_batches_at_once_each_get_their_own_answer(prober: Agent, serving: Callable[..., Any]) -> None:
    _, (tcp,) = serving("x/a#1", "TCP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HERE, 0))
        slow = {"id": 1, "timeout": 0.5, "jobs": [[HERE, silent.getsockname()[1], "UDP"]]}
        quick = {"id": 2, "timeout": 30, "jobs": [[HERE, tcp, "TCP"]] * 3}
        prober.write(b"".join(json.dumps(each).encode() + b"\n" for each in (slow, quick)))
        answers = {answer["id"]: answer["results"] for answer in (prober.line(), prober.line())}
    assert [result[0] for result in answers[1]] == ["dropped"]
    assert [result[0] for result in answers[2]] == ["allowed"] * 3


def test_a_batch_in_pieces_and_empty_lines(prober: Agent) -> None:
    prober.write(b'\n  \n{"id": 5, "ti')
    prober.write(b'meout": 1, "jobs": []}\n')
    assert prober.line() == {"id": 5, "results": []}


def test_a_batch_larger_than_a_pipe(prober: Agent, serving: Callable[..., Any]) -> None:
    """What is written while the agent answers must not be lost, nor hang it."""
    _, (tcp,) = serving("x/a#1", "TCP")
    for number in range(5):
        prober.send({"id": number, "timeout": 30, "jobs": [[HERE, tcp, "TCP"]] * 400})
    answers = [prober.line() for _ in range(5)]
    assert sorted(answer["id"] for answer in answers) == list(range(5))
    assert {result[0] for answer in answers for result in answer["results"]} == {"allowed"}


def test_every_probe_has_a_source_port_of_its_own(prober: Agent) -> None:
    with socket.socket() as server:
        server.bind((HERE, 0))
        server.listen(64)
        server.settimeout(PATIENCE)
        prober.send({"id": 1, "timeout": 0.2, "jobs": [[HERE, server.getsockname()[1], "TCP"]] * 20})
        callers = set()
        for _ in range(20):
            connection, caller = server.accept()
            connection.close()
            callers.add(caller)
    assert len(callers) == 20


def test_routes_that_cannot_be_added_are_told(prober: Agent) -> None:
    prober.send({"id": 1, "routes": [["2001:db8::1", "2001:db8::2"]], "jobs": []})
    problem = "route to 2001:db8::1: only IPv4 routes are supported"
    assert prober.line() == {"id": 1, "results": [], "problems": [problem]}


@pytest.mark.parametrize("garbage", [b"garbage\n", b"{not json}\n", b"\xff\xfe\n"])
def test_garbage_ends_it_with_words(prober: Agent, garbage: bytes) -> None:
    """A stream that carries anything else is broken, and whoever holds the other end opens a new one."""
    prober.write(garbage)
    assert prober.end() == 1
    assert prober.last_words().startswith("agent: not a batch: ")
    assert "Traceback" not in prober.last_words()


def test_the_end_of_stdin_ends_it(prober: Agent) -> None:
    prober.stdin.close()
    assert prober.end() == 0


def test_the_end_of_stdin_ends_it_in_the_middle_of_a_batch(prober: Agent) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HERE, 0))
        prober.send({"id": 1, "timeout": 10 * PATIENCE, "jobs": [[HERE, silent.getsockname()[1], "UDP"]]})
        prober.stdin.close()
        assert prober.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_a_server(serving: Callable[..., Any], number: signal.Signals) -> None:
    server, _ = serving("x/a#1", "TCP")
    server.process.send_signal(number)
    assert server.end() == 0


def test_a_server_does_not_need_its_stdin(serving: Callable[..., Any], prober: Agent) -> None:
    server, (port,) = serving("x/a#1", "TCP")
    server.stdin.close()
    assert prober.probe([HERE, port, "TCP"])[0][:2] == ["allowed", "x/a#1"]
    assert server.process.poll() is None


def test_an_endpoint_serves_and_probes_and_ends_with_stdin(serving: Callable[..., Any]) -> None:
    _, (other,) = serving("x/a#1", "TCP")
    endpoint, (own,) = serving("ext#1", "UDP", mode="endpoint")
    assert endpoint.line()["hello"] == 1
    results = endpoint.probe([HERE, other, "TCP"], [HERE, own, "UDP"])
    assert [result[:2] for result in results] == [["allowed", "x/a#1"], ["allowed", "ext#1"]]
    endpoint.stdin.close()
    assert endpoint.end() == 0


def test_a_server_goes_on_after_clients_that_say_nothing_or_go_away(serving: Callable[..., Any], prober: Agent) -> None:
    _, (port,) = serving("x/a#1", "TCP")
    with socket.create_connection((HERE, port)):
        for _ in range(20):
            socket.create_connection((HERE, port)).close()
        assert prober.probe([HERE, port, "TCP"])[0][:2] == ["allowed", "x/a#1"]


def test_a_port_that_is_taken_is_told(agent: Callable[..., Agent]) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        server = agent("serve", "--identity", "x/a#1", f"{port}/TCP")
        assert server.end() == 1
        assert f"agent: cannot listen on {port}/TCP" in server.last_words()


def test_stdin_and_stdout_may_be_one_socket() -> None:
    """Some runtimes connect a command so: what makes stdin not block makes stdout not block too."""
    ours, its = socket.socketpair()
    its.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with (
        ours,
        subprocess.Popen(
            [sys.executable, str(AGENT), "probe"], stdin=its, stdout=its, stderr=subprocess.PIPE
        ) as process,
    ):
        its.close()
        ours.settimeout(PATIENCE)
        with ours.makefile("rwb") as lines:
            assert json.loads(lines.readline())["hello"] == 1
            jobs = [["nobody.invalid:" * 30, 80, "TCP"]] * 900  # it has much to say about each
            lines.write(json.dumps({"id": 1, "timeout": 1, "jobs": jobs}).encode() + b"\n")
            lines.flush()
            answer = lines.readline()
        assert len(json.loads(answer)["results"]) == 900
        process.kill()
        process.communicate()


def test_it_is_one_file_of_the_standard_library() -> None:
    tree = ast.parse(AGENT.read_text(encoding="utf-8"))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported <= set(sys.stdlib_module_names)


def test_its_text_is_of_python_3_8() -> None:
    ast.parse(AGENT.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.12", "3.13"])
def test_it_runs_on_other_pythons(agent: Callable[..., Agent], version: str) -> None:
    python = other_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    tcp, udp = free_port("TCP"), free_port("UDP")
    endpoint = agent("endpoint", "--identity", "ext#1", f"{tcp}/TCP", f"{udp}/UDP", python=python)
    assert endpoint.line()["hello"] == 1
    results = endpoint.probe([HERE, tcp, "TCP"], [HERE, udp, "UDP"])
    assert [result[:2] for result in results] == [["allowed", "ext#1"]] * 2
    endpoint.stdin.close()
    assert endpoint.end() == 0


def other_python(version: str) -> str | None:
    """Return another Python: from the PATH, or installed beside this one."""
    beside = sorted(str(path) for path in Path(sys.base_prefix).parent.glob(f"*{version}*/bin/python{version}"))
    for found in (shutil.which(f"python{version}"), *beside):
        if found is not None:
            told = subprocess.run([found, "-V"], capture_output=True, text=True, check=False)
            if told.stdout.startswith(f"Python {version}."):
                return found
    return None
