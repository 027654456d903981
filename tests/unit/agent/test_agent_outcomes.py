"""What a probe sees of servers that answer, refuse, keep silent, or are somebody else."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from agent_process import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent_process import Agent

HERE = "127.0.0.1"
SHORT = 0.3  # the timeout of what keeps silent


def port_of(sock: socket.socket) -> int:
    number: int = sock.getsockname()[1]
    return number


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_an_agents_server_is_allowed_with_its_identity(
    prober: Agent, serving: Callable[..., Any], protocol: str
) -> None:
    _, (port,) = serving("run-1/x/a#1", protocol)
    ((outcome, who, seconds, detail, _),) = prober.probe([HERE, port, protocol])
    assert (outcome, who, detail) == ("allowed", "run-1/x/a#1", "")
    assert 0 <= seconds < 10


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_ipv6(prober: Agent, serving: Callable[..., Any], protocol: str) -> None:
    _, (port,) = serving("x/a#1", protocol)
    ((outcome, who, _, detail, _),) = prober.probe(["::1", port, protocol])
    assert (outcome, who) == ("allowed", "x/a#1"), detail


@pytest.mark.parametrize("protocol", ["TCP", "UDP"])
def test_a_closed_port_is_rejected(prober: Agent, sockets: Callable[..., socket.socket], protocol: str) -> None:
    closed = sockets(protocol)
    port = port_of(closed)
    closed.close()
    ((outcome, who, _, detail, _),) = prober.probe([HERE, port, protocol])
    assert (outcome, who, detail) == ("rejected", "", "Connection refused")


def test_a_udp_server_that_never_answers_is_dropped(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    silent = sockets("UDP")
    ((outcome, who, seconds, detail, _),) = prober.probe([HERE, port_of(silent), "UDP"], timeout=SHORT)
    assert (outcome, who, detail) == ("dropped", "", "")
    assert seconds >= SHORT


def test_a_connection_without_an_answer_is_no_block(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    """It was made, so nothing blocks it; and who does not answer may just be slow."""
    silent = sockets("TCP")
    ((outcome, who, seconds, detail, _),) = prober.probe([HERE, port_of(silent), "TCP"], timeout=SHORT)
    assert (outcome, who, detail) == ("failed", "", "connected, but no answer")
    assert seconds >= SHORT


def test_a_syn_without_an_answer_is_dropped(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    full = full_listener(sockets)
    ((outcome, who, _, detail, _),) = prober.probe([HERE, port_of(full), "TCP"], timeout=SHORT)
    assert (outcome, who, detail) == ("dropped", "", "")


def test_a_connection_that_is_closed_without_an_answer_is_no_refusal(
    prober: Agent, sockets: Callable[..., socket.socket]
) -> None:
    server = sockets("TCP")
    prober.send({"id": 1, "timeout": 10, "jobs": [[HERE, port_of(server), "TCP"]]})
    connection = accepted(server)
    connection.recv(100)
    connection.close()
    assert prober.line()["results"][0][0::3] == ["failed", "connected, then closed without an answer"]


def test_a_connection_that_is_reset_without_an_answer_is_no_refusal(
    prober: Agent, sockets: Callable[..., socket.socket]
) -> None:
    server = sockets("TCP")
    prober.send({"id": 1, "timeout": 10, "jobs": [[HERE, port_of(server), "TCP"]]})
    connection = accepted(server)
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing resets
    connection.close()
    assert prober.line()["results"][0][0::3] == ["failed", "connected, then Connection reset by peer"]


def test_a_connection_without_an_answer_gives_the_rest_of_the_batch_no_more_time(
    prober: Agent, sockets: Callable[..., socket.socket]
) -> None:
    """Nothing was heard of it, so others are as silent as before."""
    connecting, silent = port_of(sockets("TCP")), port_of(sockets("UDP"))
    failed, dropped = prober.probe([HERE, connecting, "TCP"], [HERE, silent, "UDP"], timeout=SHORT)
    assert [failed[0], dropped[0]] == ["failed", "dropped"]
    assert dropped[2] < 2 * SHORT


def test_a_foreign_tcp_server_is_misdelivered(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    server = sockets("TCP")
    prober.send({"id": 1, "timeout": 10, "jobs": [[HERE, port_of(server), "TCP"]]})
    connection = accepted(server)
    connection.recv(100)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n")
    outcome, who, _, detail, _ = prober.line()["results"][0]
    assert (outcome, who) == ("misdelivered", "")
    assert "HTTP/1.1 400 Bad Request" in detail


def test_a_foreign_udp_server_is_misdelivered(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    server = sockets("UDP")
    prober.send({"id": 1, "timeout": 10, "jobs": [[HERE, port_of(server), "UDP"]]})
    _, caller = server.recvfrom(100)
    server.sendto(b"x/a#1 0011223344556677\n", caller)  # an identity, but the nonce of another probe
    outcome, who, _, detail, _ = prober.line()["results"][0]
    assert (outcome, who) == ("misdelivered", "")
    assert "0011223344556677" in detail


def test_an_answer_in_two_pieces_is_one_answer(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    server = sockets("TCP")
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    prober.send({"id": 1, "timeout": 10, "jobs": [[HERE, port_of(server), "TCP"]]})
    connection = accepted(server)
    nonce = connection.recv(100).strip()
    connection.sendall(b"x/a#1 " + nonce[:4])
    wait_until_read(connection)
    connection.sendall(nonce[4:] + b"\n")
    assert prober.line()["results"][0][:2] == ["allowed", "x/a#1"]


def test_half_a_foreign_answer_is_misdelivered_when_the_time_is_over(
    prober: Agent, sockets: Callable[..., socket.socket]
) -> None:
    server = sockets("TCP")
    prober.send({"id": 1, "timeout": 2 * SHORT, "jobs": [[HERE, port_of(server), "TCP"]]})
    connection = accepted(server)
    connection.sendall(b"SSH-2.0-")
    assert prober.line()["results"][0][0] == "misdelivered"


def test_one_lost_datagram_is_no_policy(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    server = sockets("UDP")
    prober.send({"id": 1, "timeout": 1.5, "jobs": [[HERE, port_of(server), "UDP"]]})
    first, caller = server.recvfrom(100)
    second, again = server.recvfrom(100)
    assert (first, caller) == (second, again)
    server.sendto(b"x/a#1 " + second + b"\n", caller)
    assert prober.line()["results"][0][:2] == ["allowed", "x/a#1"]


def test_one_lost_syn_is_no_policy(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    """The kernel repeats a SYN after a second, which is longer than most probes have: the agent tries twice by itself."""
    full = full_listener(sockets)
    before = connecting(port_of(full))
    prober.send({"id": 1, "timeout": 2.0, "jobs": [[HERE, port_of(full), "TCP"]]})
    deadline = time.monotonic() + 30
    while len(connecting(port_of(full)) - before) < 2:
        assert time.monotonic() < deadline


def test_an_agent_that_did_not_run_gives_its_probes_their_time_again(
    prober: Agent, sockets: Callable[..., socket.socket]
) -> None:
    """A pod without CPU must not look like a policy."""
    server = sockets("TCP")
    prober.send({"id": 1, "timeout": 1.0, "jobs": [[HERE, port_of(server), "TCP"]]})
    connection = accepted(server)
    nonce = connection.recv(100).strip()
    os.kill(prober.process.pid, signal.SIGSTOP)
    time.sleep(1.2)  # what stands still here is another process
    os.kill(prober.process.pid, signal.SIGCONT)
    wait_until_running(prober.process.pid)
    connection.sendall(b"x/a#1 " + nonce + b"\n")
    assert prober.line()["results"][0][:2] == ["allowed", "x/a#1"]


def test_silence_counts_from_the_last_answer_of_the_batch(prober: Agent, sockets: Callable[..., socket.socket]) -> None:
    """While answers come in the machine may just be busy: a flow is silent only once nothing else is heard either."""
    silent, server = sockets("UDP"), sockets("TCP")
    jobs = [[HERE, port_of(silent), "UDP"], [HERE, port_of(server), "TCP"]]
    prober.send({"id": 1, "timeout": 1.5, "jobs": jobs})
    connection = accepted(server)
    nonce = connection.recv(100).strip()
    time.sleep(0.3)  # the agent's clock is a real one
    connection.sendall(b"x/a#1 " + nonce + b"\n")
    dropped, allowed = prober.line()["results"]
    assert [dropped[0], allowed[0]] == ["dropped", "allowed"]
    assert dropped[2] >= allowed[2] + 1.5
    assert 1.5 <= dropped[4] < dropped[2]
    assert 0.0 <= allowed[4] <= allowed[2]


def test_sctp_is_failed_where_the_kernel_has_none_and_hello_says_so(prober: Agent) -> None:
    hello = prober.hello  # type: ignore[attr-defined]
    if hello["sctp"]:
        pytest.skip("this kernel has SCTP")
    ((outcome, who, _, detail, _),) = prober.probe([HERE, 80, "SCTP"])
    assert (outcome, who) == ("failed", "")
    assert detail


def test_what_is_no_address_is_failed(prober: Agent) -> None:
    ((outcome, _, _, detail, _),) = prober.probe(["nobody.invalid", 80, "TCP"])
    assert outcome == "failed"
    assert detail


def test_silence_and_answers_in_one_batch_keep_their_places(
    prober: Agent, serving: Callable[..., Any], sockets: Callable[..., socket.socket]
) -> None:
    _, (tcp, udp) = serving("y/b#2", "TCP", "UDP")
    silent = port_of(sockets("UDP"))
    jobs = [[HERE, silent, "UDP"], [HERE, tcp, "TCP"], [HERE, silent, "UDP"], [HERE, udp, "UDP"]]
    results = prober.probe(*jobs, timeout=1.0)
    assert [result[:2] for result in results] == [["dropped", ""], ["allowed", "y/b#2"]] * 2


def full_listener(sockets: Callable[..., socket.socket]) -> socket.socket:
    """Return a listener whose queue is full: this machine drops what comes next, as a policy would."""
    server = sockets("TCP", backlog=0)
    for _ in range(8):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(server.getsockname())
        _kept.append(filler)
    return server


def accepted(server: socket.socket) -> socket.socket:
    connection, _ = server.accept()
    connection.settimeout(PATIENCE)
    _kept.append(connection)
    return connection


_kept: list[socket.socket] = []


@pytest.fixture(autouse=True)
def _close() -> Iterator[None]:
    yield
    while _kept:
        _kept.pop().close()


def connecting(port: int) -> set[str]:
    """Return the local ends of connections to a port that wait for the answer to their SYN."""
    return {row[1] for row in tcp_table() if row[2].endswith(f":{port:04X}") and row[3] == "02"}


def tcp_table() -> list[list[str]]:
    return [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()]


def wait_until_read(connection: socket.socket) -> None:
    """Return once the other side has taken all that was sent from its own queue, so that the next part comes alone."""
    local = f":{connection.getpeername()[1]:04X}"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if [row[4] for row in tcp_table() if row[1].endswith(local) and row[3] == "01"] == ["00000000:00000000"]:
            return
    raise AssertionError("what was sent was not read")


def wait_until_running(pid: int) -> None:
    """Return once a process that was stopped waits for events again."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
        if state == "S":
            return
    raise AssertionError("the agent does not run again")
