"""Commands that a person types: run here by a shell, with the word before them left out."""

from __future__ import annotations

import json
import shlex
import socket
import subprocess
import threading

import pytest

from conformance.cluster import reproduce
from conformance.model.world import Protocol

KUBECTL = ("kubectl", "--context", "a context")


def test_a_policy_survives_the_shell() -> None:
    manifest = {"metadata": {"name": "it's"}, "spec": {"podSelector": {}}}
    line = reproduce.apply_command(KUBECTL, manifest)
    echo, _, kubectl = line.partition(" | ")
    assert json.loads(subprocess.run(echo, shell=True, capture_output=True, check=True).stdout) == manifest
    assert shlex.split(kubectl) == [*KUBECTL, "apply", "-f", "-"]


def test_a_command_in_a_pod_names_context_namespace_and_container() -> None:
    line = reproduce.connect_command(reproduce.in_pod(KUBECTL, "ns", "a"), "10.0.0.1", 80, Protocol.UDP)
    words = shlex.split(line)
    assert words[:-1] == [
        *("kubectl", "--context", "a context", "--namespace", "ns", "exec", "a", "--container", "agent", "--"),
        *("python3", "-c"),
    ]
    compile(words[-1], "command", "exec")


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_connection_shows_who_answers(protocol: Protocol, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol is Protocol.TCP else socket.SOCK_DGRAM
    with socket.socket(family, kind) as server:
        try:
            server.bind((address, 0))
        except OSError:
            pytest.skip("no such address family here")
        thread = threading.Thread(target=_answer_once, args=(server, protocol))
        if protocol is Protocol.TCP:
            server.listen()
        thread.start()
        line = reproduce.connect_command((), address, server.getsockname()[1], protocol)
        shown = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
        thread.join()
    assert shown == "b'me hello'\n"


def test_a_connection_that_fails_shows_why() -> None:
    line = reproduce.connect_command((), "127.0.0.1", 9, Protocol.TCP)
    assert (
        "ConnectionRefusedError" in subprocess.run(line, shell=True, capture_output=True, text=True, check=False).stderr
    )


def _answer_once(server: socket.socket, protocol: Protocol) -> None:
    if protocol is Protocol.TCP:
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"me " + accepted.recv(99))
        return
    data, caller = server.recvfrom(99)
    server.sendto(b"me " + data, caller)
