"""A line to the agent in a pod: one exec request that stays open, spoken over a WebSocket.

The client's own `stream` replaces a method of its ApiClient while it connects, knows no timeout for connecting, and keeps a copy of all that
was ever received. The protocol is small: the first byte of a message is the channel that it belongs to.
"""

from __future__ import annotations

import json
import ssl
import time
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote, urlencode, urlsplit

from conformance.cluster.client import namespace_path
from conformance.cluster.kubeconfig import untyped
from conformance.cluster.manifests import CONTAINER, PROBE_COMMAND
from conformance.errors import ProbeFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.cluster.client import Api

_STDIN, _STDOUT, _STDERR, _ERROR = 0, 1, 2, 3
_SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
#: How much of what an agent complained about goes into a message.
_TAIL = 2000
_SHORTEST_WAIT = 0.001
_PROXY_PORTS = {"https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}


class ExecStream:
    """An open exec request; `where` names the pod in messages. What is read is lines of the command's standard output."""

    def __init__(self, socket: Any, where: str) -> None:
        self._socket = socket
        self._where = where
        self._buffer = b""
        self._complaints = b""
        self._ended = ""

    def send(self, line: str) -> None:
        if self._ended:
            raise ProbeFailed(self._ended)
        try:
            self._socket.send_binary(bytes([_STDIN]) + line.encode() + b"\n")
        except (untyped("websocket").WebSocketException, OSError) as error:
            self._end(f"the stream broke: {error}")

    def receive(self, timeout: float) -> str:
        """Return the next line; what came on other channels meanwhile is kept for the message of a failure."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._buffer:
            channel, data = self._frame(deadline - time.monotonic(), timeout)
            if channel == _STDOUT:
                self._buffer += data
            elif channel == _STDERR:
                self._complaints = (self._complaints + data)[-_TAIL:]
            elif channel == _ERROR:
                self._end(f"the agent ended: {_status(data)}")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode("utf-8", "replace")

    def close(self) -> None:
        self._ended = self._ended or f"{self._where}: the stream is closed"
        self._socket.shutdown()

    def _frame(self, left: float, timeout: float) -> tuple[int, bytes]:
        websocket = untyped("websocket")
        if self._ended:
            raise ProbeFailed(self._ended)
        try:
            self._socket.settimeout(max(left, _SHORTEST_WAIT))
            opcode, data = self._socket.recv_data(control_frame=True)
        except websocket.WebSocketTimeoutException:
            self._end(f"no answer within {timeout:g} s")
        except (websocket.WebSocketException, OSError) as error:
            self._end(f"the stream broke: {error}")
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            self._end("the stream was closed from the other side")
        if opcode not in {websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT} or not data:
            return _STDIN, b""
        return data[0], data[1:]

    def _end(self, why: str) -> NoReturn:
        complaints = self._complaints.decode("utf-8", "replace").split()
        self._ended = f"{self._where}: {why}" + (f"; it wrote: {' '.join(complaints)}" if complaints else "")
        self.close()
        raise ProbeFailed(self._ended)


def open_exec(
    api: Api, namespace: str, pod: str, *, timeout: float, command: Sequence[str] = PROBE_COMMAND
) -> ExecStream:
    """Start a command in a pod's container, with stdin and stdout connected; ProbeFailed with the API server's words."""
    websocket = untyped("websocket")
    query = [("command", word) for word in command]
    query += [("container", CONTAINER), ("stdin", "true"), ("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    path = namespace_path(namespace, "pods", pod, "exec")
    url = f"{api.host.replace('http', 'ws', 1)}{path}?{urlencode(query)}"
    where = f"exec in {namespace}/{pod}"
    socket = websocket.WebSocket(sslopt=_tls(api.configuration), skip_utf8_validation=True)
    try:
        socket.connect(
            url,
            timeout=timeout,
            header=[f"{key}: {value}" for key, value in api.authorization().items()],
            subprotocols=_SUBPROTOCOLS,
            suppress_origin=True,
            **_proxy(api.configuration),
        )
    except websocket.WebSocketBadStatusException as error:
        raise ProbeFailed(f"{where}: {_refusal(error)}") from error
    except (websocket.WebSocketException, OSError) as error:
        raise ProbeFailed(f"{where}: cannot connect to the API server: {error}") from error
    return ExecStream(socket, where)


def _tls(settings: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"cert_reqs": ssl.CERT_NONE}
    if settings.verify_ssl:
        options = {"cert_reqs": ssl.CERT_REQUIRED}
        if settings.ssl_ca_cert:
            options["ca_certs"] = settings.ssl_ca_cert
        if settings.assert_hostname is not None:
            options["check_hostname"] = settings.assert_hostname
    if settings.cert_file:
        options["certfile"] = settings.cert_file
    if settings.key_file:
        options["keyfile"] = settings.key_file
    if settings.tls_server_name:
        options["server_hostname"] = settings.tls_server_name
    return options


def _proxy(settings: Any) -> dict[str, Any]:
    """Return how to go through the proxy that the client's configuration names."""
    if not settings.proxy:
        return {}
    proxy = urlsplit(settings.proxy)
    options: dict[str, Any] = {
        "http_proxy_host": proxy.hostname,
        "http_proxy_port": proxy.port or _PROXY_PORTS.get(proxy.scheme, 80),
        "proxy_type": proxy.scheme if proxy.scheme.startswith("socks") else "http",
    }
    if proxy.username:
        options["http_proxy_auth"] = (unquote(proxy.username), unquote(proxy.password or ""))
    if settings.no_proxy:
        options["http_no_proxy"] = settings.no_proxy.split(",")
    return options


def _refusal(error: Any) -> str:
    """Return what the API server, or the kubelet through it, said instead of switching protocols."""
    try:
        message = json.loads(error.resp_body)["message"]
    except (TypeError, ValueError, KeyError):
        message = (error.resp_body or b"").decode("utf-8", "replace").strip()
    return f"{message or 'refused'} (status {error.status_code})"


def _status(data: bytes) -> str:
    """Return what the error channel's Status object says."""
    try:
        status = json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")
    return "its command ended" if status.get("status") == "Success" else str(status.get("message", status))
