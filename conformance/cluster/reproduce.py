"""Shell commands that show a flow by hand, while its arena is alive."""

from __future__ import annotations

import ipaddress
import json
import shlex
from typing import TYPE_CHECKING, Any

from conformance.cluster.manifests import CONTAINER
from conformance.model.world import Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TIMEOUT = 3
_SCTP = 132


def apply_command(kubectl: Sequence[str], manifest: Mapping[str, Any]) -> str:
    """Return a command that puts one policy in force, in one line that can be pasted."""
    text = json.dumps(manifest, separators=(",", ":"))
    return f"echo {shlex.quote(text)} | {shlex.join(kubectl)} apply -f -"


def in_pod(kubectl: Sequence[str], namespace: str, pod: str) -> tuple[str, ...]:
    """Return the words that run what follows in a pod."""
    return (*kubectl, "--namespace", namespace, "exec", pod, "--container", CONTAINER, "--")


def connect_command(prefix: Sequence[str], address: str, port: int, protocol: Protocol) -> str:
    """Return a command that connects and prints who answers, or the exception that says why nobody does."""
    return f'{shlex.join((*prefix, "python3", "-c"))} "{_program(address, port, protocol)}"'.lstrip()


def _program(address: str, port: int, protocol: Protocol) -> str:
    family = "AF_INET6" if ipaddress.ip_address(address).version == 6 else "AF_INET"  # noqa: PLR2004 -- a version number
    kind = {
        Protocol.TCP: "socket.SOCK_STREAM",
        Protocol.UDP: "socket.SOCK_DGRAM",
        Protocol.SCTP: f"socket.SOCK_STREAM,{_SCTP}",
    }[protocol]
    return (
        f"import socket; s=socket.socket(socket.{family},{kind}); s.settimeout({_TIMEOUT}); "
        f"s.connect(('{address}',{port})); s.send(b'hello'); print(s.recv(99))"
    )
