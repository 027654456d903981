"""An API server that says what a test wants to hear, and a kubeconfig that names it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class FakeServer(ThreadingHTTPServer):
    """Answers from `answers` (by method and path), one after another, and keeps what it was asked."""

    daemon_threads = True
    request_queue_size = 64  # a target asks for many things at once

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[tuple[int, Any]]] = {"GET /version": [(200, {"gitVersion": "v1.34.2"})]}
        self.asked: list[tuple[str, dict[str, str], Any]] = []
        self.connected: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def answer(self, request: str, status: int, body: Any) -> None:
        self.answers.setdefault(request, []).append((status, body))

    def refuse(self, request: str, status: int, message: str) -> None:
        self.answer(request, status, refusal(status, message))


class _Handler(BaseHTTPRequestHandler):
    server: FakeServer

    def _handle(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.asked.append((f"{self.command} {self.path}", dict(self.headers), body))
        known = self.server.answers.get(f"{self.command} {self.path.partition('?')[0]}")
        status, answer = (known.pop(0) if len(known) > 1 else known[0]) if known else (404, refusal(404, "not found"))
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        if status == 429:
            self.send_header("retry-after", "0")
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle  # noqa: N815 -- the names that http.server looks for

    def do_CONNECT(self) -> None:
        self.server.connected.append(self.path)
        self.send_error(502)

    def log_message(self, *_: Any) -> None:
        pass


def refusal(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def write_kubeconfig(path: Path, url: str, user: dict[str, Any] | None = None) -> str:
    """Write a kubeconfig with the contexts `test` and `other`. JSON is YAML."""
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": url}}],
                "users": [{"name": "u", "user": user or {"token": "secret"}}],
                "contexts": [{"name": name, "context": {"cluster": "c", "user": "u"}} for name in ("test", "other")],
                "current-context": "other",
            }
        )
    )
    return str(path)


@pytest.fixture
def kubeconfig(tmp_path: Path, server: FakeServer) -> str:
    return write_kubeconfig(tmp_path / "config", server.url)


@pytest.fixture
def kubeconfig_for(tmp_path: Path) -> Callable[..., str]:
    return lambda url, user=None: write_kubeconfig(tmp_path / "config-for", url, user)
