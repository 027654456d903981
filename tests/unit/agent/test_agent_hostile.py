"""Somebody in the cluster who talks to an agent's servers: he learns who it is, and can make it do nothing."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest
from agent_process import PATIENCE

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "127.0.0.1"


def batch(port: int) -> bytes:
    """An order as the suite gives it on stdin: probe something of mine."""
    return (
        json.dumps({"id": 1, "timeout": 1.0, "jobs": [[HERE, port, "TCP"]], "routes": [["10.9.9.9", HERE]]}).encode()
        + b"\n"
    )


def said_to(port: int, data: bytes) -> bytes:
    """Return what comes back; a server that has heard enough may end the connection at any moment."""
    answer = b""
    with socket.create_connection((HERE, port), timeout=PATIENCE) as talking, contextlib.suppress(OSError):
        talking.sendall(data)
        talking.shutdown(socket.SHUT_WR)
        while more := talking.recv(4096):
            answer += more
    return answer


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 10_000, b"GET / HTTP/1.1\r\n\r\n", b"\n", b"\xff" * 100, b"{" * 5000], ids=["nothing", "zeros", "http", "a line", "no text", "deep"]
)  # fmt: skip
def test_whatever_is_said_to_a_server_it_answers_nothing_but_who_it_is(
    serving: Callable[..., Any], prober: Any, data: bytes
) -> None:
    started, (tcp, udp) = serving("x/a#1", "TCP", "UDP")
    assert said_to(tcp, data) in {b"", b"x/a#1 " + data[:256].strip() + b"\n"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talking:
        talking.sendto(data, (HERE, udp))
    assert started.process.poll() is None
    assert [result[:2] for result in prober.probe([HERE, tcp, "TCP"], [HERE, udp, "UDP"], timeout=10.0)] == [
        ["allowed", "x/a#1"]
    ] * 2


def test_an_order_that_comes_over_the_network_is_not_followed(
    serving: Callable[..., Any], sockets: Callable[..., socket.socket]
) -> None:
    _, (tcp, udp) = serving("x/a#1", "TCP", "UDP", mode="endpoint")
    mine = sockets("TCP")
    mine.settimeout(1.0)
    order = batch(mine.getsockname()[1])
    assert b"results" not in said_to(tcp, order)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as talking:
        talking.sendto(order, (HERE, udp))
    with pytest.raises(TimeoutError):
        mine.accept()


def test_many_who_say_nothing_do_not_keep_others_out(serving: Callable[..., Any], prober: Any) -> None:
    _, (tcp,) = serving("x/a#1", "TCP")
    idle = [socket.create_connection((HERE, tcp), timeout=PATIENCE) for _ in range(300)]
    try:
        assert [result[:2] for result in prober.probe([HERE, tcp, "TCP"], timeout=10.0)] == [["allowed", "x/a#1"]]
    finally:
        for each in idle:
            each.close()
