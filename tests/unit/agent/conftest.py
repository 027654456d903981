"""Agents that are gone when a test is, and servers that are not the agent's."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

import pytest
from agent_process import PATIENCE, Agent, free_port, wait_for_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def agent() -> Iterator[Callable[..., Agent]]:
    """Start agents that are gone when the test is."""
    started: list[Agent] = []

    def start(*arguments: str, python: str = sys.executable) -> Agent:
        started.append(Agent(*arguments, python=python))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def prober(agent: Callable[..., Agent]) -> Agent:
    """An agent that probes, and has said hello."""
    started = agent("probe")
    started.hello = started.line()  # type: ignore[attr-defined]
    return started


@pytest.fixture
def serving(agent: Callable[..., Agent]) -> Callable[..., tuple[Agent, list[int]]]:
    """Start servers of one identity on free ports, and wait until they listen."""

    def start(identity: str, *protocols: str, mode: str = "serve") -> tuple[Agent, list[int]]:
        ports = [free_port(protocol) for protocol in protocols]
        texts = [f"{port}/{protocol}" for port, protocol in zip(ports, protocols, strict=True)]
        started = agent(mode, "--identity", identity, *texts)
        for port, protocol in zip(ports, protocols, strict=True):
            wait_for_server(started, port, protocol)
        return started, ports

    return start


@pytest.fixture
def sockets() -> Iterator[Callable[..., socket.socket]]:
    """Open sockets of this test: servers that are not the agent's."""
    opened: list[socket.socket] = []

    def listen(protocol: str, backlog: int = 8) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if protocol == "UDP" else socket.SOCK_STREAM)
        opened.append(sock)
        sock.settimeout(PATIENCE)
        sock.bind(("127.0.0.1", 0))
        if protocol == "TCP":
            sock.listen(backlog)
        return sock

    yield listen
    for each in opened:
        each.close()
