"""An API server that fails: a proxy on loopback in front of the real one, which cuts, delays and refuses when it is told to.

It speaks plain HTTP to who uses its kubeconfig, and to the API server with the credentials of the context that it stands in for.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import ssl
import subprocess
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 65536
_ANSWERS = {
    429: "Too Many Requests",
    401: "Unauthorized",
    500: "Internal Server Error",
}


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the API server for a while: the status that it answers with, the seconds that it takes, or that it is not there."""

    status: int = 0
    delay: float = 0.0
    away: bool = False


class ApiProxy:
    """A proxy to the API server of a kubeconfig context, for the time of a `with`. `kubeconfig` has it as context `faults`."""

    def __init__(self, context: str, folder: Path) -> None:
        self.kubeconfig = folder / "kubeconfig"
        self._upstream, self._tls = _upstream(context, folder)
        self._trouble, self._until = Trouble(), 0.0
        self._streams: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.requests = 0

    def __enter__(self) -> Self:
        self._thread.start()
        server = self._call(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._server = server
        port = server.sockets[0].getsockname()[1]
        self.kubeconfig.write_text(json.dumps(_kubeconfig(f"http://127.0.0.1:{port}")), encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def trouble(self, seconds: float, trouble: Trouble) -> None:
        """Have it for so many seconds; streams that are open stay so."""
        self._trouble, self._until = trouble, time.monotonic() + seconds

    def cut_streams(self) -> int:
        """Cut all exec streams that are open; return how many."""

        async def cut() -> int:
            streams = [*self._streams]
            for each in streams:
                each.transport.abort()
            return len(streams)

        return int(self._call(cut()))

    def _call(self, what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(10)

    async def _end(self) -> None:
        serving = [each for each in asyncio.all_tasks() if each is not asyncio.current_task()]
        for each in serving:
            each.cancel()
        await asyncio.gather(*serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        self._serving.add(serving)  # the loop itself holds tasks only weakly
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                await self._answer(reader, writer)
        finally:
            self._serving.discard(serving)
        with contextlib.suppress(OSError):
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.requests += 1
        if time.monotonic() < self._until:
            if self._trouble.away:
                return
            await asyncio.sleep(self._trouble.delay)
            if self._trouble.status:
                writer.write(_refusal(self._trouble.status))
                await writer.drain()
                return
        upgrade = "upgrade" in headers
        kept = [line for line in head[1:] if line and line.partition(":")[0].lower() not in {"host", "connection"}]
        kept += [f"Host: {self._upstream[0]}", f"Connection: {'Upgrade' if upgrade else 'close'}"]
        up_reader, up_writer = await asyncio.open_connection(*self._upstream, ssl=self._tls)
        try:
            up_writer.write("\r\n".join([head[0], *kept, "", ""]).encode("latin-1") + body)
            if upgrade:
                self._streams.add(writer)
                await _first(_pipe(reader, up_writer), _pipe(up_reader, writer))
            else:
                await _pipe(up_reader, writer)
        finally:
            self._streams.discard(writer)
            up_writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()


async def _first(*ways: Any) -> None:
    tasks = [asyncio.ensure_future(each) for each in ways]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for each in tasks:
        each.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _refusal(status: int) -> bytes:
    reason = _ANSWERS[status]
    message = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "message": f"by the proxy: {reason}",
        "code": status,
    }
    body = json.dumps(message).encode()
    head = [
        f"HTTP/1.1 {status} {reason}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Connection: close",
    ]
    if status == 429:
        head.append("Retry-After: 1")
    return "\r\n".join([*head, "", ""]).encode() + body


def _upstream(context: str, folder: Path) -> tuple[tuple[str, int], ssl.SSLContext]:
    shown = subprocess.run(
        ["kubectl", "config", "view", "--raw", "--minify", "--flatten", "--context", context, "-o", "json"],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    config = json.loads(shown.stdout)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    files = {}
    for name, text in (
        ("ca", cluster["certificate-authority-data"]),
        ("cert", user["client-certificate-data"]),
        ("key", user["client-key-data"]),
    ):
        files[name] = folder / f"{name}.pem"
        files[name].write_bytes(base64.b64decode(text))
    tls = ssl.create_default_context(cafile=str(files["ca"]))
    tls.load_cert_chain(str(files["cert"]), str(files["key"]))
    server = urlsplit(cluster["server"])
    return (server.hostname or "", server.port or 443), tls


def _kubeconfig(server: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "faults", "cluster": {"server": server}}],
        "users": [{"name": "faults", "user": {}}],
        "contexts": [{"name": "faults", "context": {"cluster": "faults", "user": "faults"}}],
    }
