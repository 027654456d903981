"""The channels of an exec stream, and what becomes of one that breaks."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websocket

from conformance.cluster.client import Api
from conformance.cluster.streams import ExecStream, open_exec
from conformance.errors import ProbeFailed

BINARY, CLOSE, PING = websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_CLOSE, websocket.ABNF.OPCODE_PING


class FakeSocket:
    """Hands out the frames of a script; an exception in it is raised."""

    def __init__(self, *script: Any) -> None:
        self.script = list(script)
        self.sent: list[bytes] = []
        self.closed = False

    def settimeout(self, seconds: float) -> None:
        assert seconds > 0

    def recv_data(self, *, control_frame: bool) -> tuple[int, bytes]:
        assert control_frame
        frame = self.script.pop(0)
        if isinstance(frame, Exception):
            raise frame
        return frame if isinstance(frame, tuple) else (BINARY, frame)

    def send_binary(self, data: bytes) -> None:
        self.sent.append(data)

    def shutdown(self) -> None:
        self.closed = True


def stream(*script: Any) -> tuple[ExecStream, FakeSocket]:
    socket = FakeSocket(*script)
    return ExecStream(socket, "exec in n/p"), socket


def failure(*script: Any) -> str:
    line, socket = stream(*script)
    with pytest.raises(ProbeFailed) as caught:
        line.receive(1.0)
    assert socket.closed
    with pytest.raises(ProbeFailed):
        line.send("more")
    with pytest.raises(ProbeFailed):
        line.receive(1.0)
    return caught.value.message


def test_a_line_goes_out_on_the_channel_of_stdin() -> None:
    line, socket = stream()
    line.send('{"id":1}')
    assert socket.sent == [b'\x00{"id":1}\n']


def test_lines_are_put_together_from_frames() -> None:
    line, _ = stream(b"\x01one\ntw", b"", (PING, b"x"), b"\x01o\nthree\n")
    assert [line.receive(1.0) for _ in range(3)] == ["one", "two", "three"]


def test_complaints_do_not_end_a_stream_but_explain_its_end() -> None:
    line, _ = stream(b"\x02warning\n", b"\x01one\n")
    assert line.receive(1.0) == "one"
    message = failure(b"\x02Traceback: boom\n", (CLOSE, b""))
    assert message == "exec in n/p: the stream was closed from the other side; it wrote: Traceback: boom"


def test_a_command_that_ends() -> None:
    assert "command terminated with exit code 137" in failure(
        b"\x03" + json.dumps({"status": "Failure", "message": "command terminated with exit code 137"}).encode()
    )
    assert "its command ended" in failure(b'\x03{"status":"Success"}')
    assert "not JSON" in failure(b"\x03not JSON")


@pytest.mark.parametrize(
    "error", [websocket.WebSocketConnectionClosedException("gone"), ConnectionResetError("reset"), OSError("no")]
)
def test_a_connection_that_breaks(error: Exception) -> None:
    assert failure(error) == f"exec in n/p: the stream broke: {error}"


def test_an_agent_that_is_silent() -> None:
    assert failure(websocket.WebSocketTimeoutException()) == "exec in n/p: no answer within 1 s"


def test_closing_twice_is_fine() -> None:
    line, _ = stream()
    line.close()
    line.close()


def test_a_refused_exec_says_why(server: Any, kubeconfig: str) -> None:
    answer = {"kind": "Status", "message": 'pods "p" not found', "code": 404}
    server.answer("GET /api/v1/namespaces/n/pods/p/exec", 404, answer)
    with pytest.raises(ProbeFailed, match='exec in n/p: pods "p" not found \\(status 404\\)'):
        open_exec(Api("test", kubeconfig), "n", "p", timeout=5.0)
    asked, headers, _ = server.asked[0]
    assert "command=python3&command=-u&command=%2Fnetpol%2Fagent.py&command=probe" in asked
    assert {key.lower(): value for key, value in headers.items()}["authorization"] == "Bearer secret"


def test_an_api_server_that_is_gone(kubeconfig_for: Any) -> None:
    with pytest.raises(ProbeFailed, match="cannot connect to the API server"):
        open_exec(Api("test", kubeconfig_for("http://127.0.0.1:9")), "n", "p", timeout=5.0)


def test_a_proxy_of_the_kubeconfig_is_used(server: Any, tmp_path: Any, kubeconfig_for: Any) -> None:
    path = kubeconfig_for("https://cluster.invalid")
    config = json.loads((tmp_path / "config-for").read_text())
    config["clusters"][0]["cluster"]["proxy-url"] = server.url
    (tmp_path / "config-for").write_text(json.dumps(config))
    api = Api("test", path)
    if not api.configuration.proxy:
        pytest.skip("this version of the client does not know proxy-url")
    with pytest.raises(ProbeFailed):
        open_exec(api, "n", "p", timeout=5.0)
    assert server.connected == ["cluster.invalid:443"]
