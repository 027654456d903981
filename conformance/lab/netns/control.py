"""Starting the keeper, and giving it orders."""

from __future__ import annotations

import base64
import errno
import json
import os
import platform
import signal
import socket
import struct
import subprocess
import sys
import threading
from contextlib import ExitStack
from importlib import resources
from typing import TYPE_CHECKING, Any

from pyroute2.netlink import NETLINK_NETFILTER, NETLINK_ROUTE

from conformance.lab.netns.fault import LabFault
from conformance.lab.netns.netlink import packed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.lab.netns.netlink import Message

#: How long the keeper may take to carry out one order, and to end once its line is closed.
ORDER_TIMEOUT = 60.0
END_TIMEOUT = 10.0
#: No datagram to the kernel is larger, whatever the machine's limits are. A transaction that is larger becomes several.
DATAGRAM_BYTES = 1 << 17
_STDERR_BYTES = 4000


def script(name: str) -> Sequence[str]:
    """Return the command that runs a file of this project alone, without the project and without anything installed."""
    return (sys.executable, "-I", "-S", "-u", str(resources.files("conformance").joinpath(*name.split("/"))))


class Keeper:
    """The keeper process, from its start to its end. Orders may come from several threads; they are carried out in turn.

    It is in a session of its own, so that Ctrl-C reaches only us, and we can clean up. It ends when its line is closed, even
    if we were killed; and every agent ends then too, because the other end of its stdin is ours.
    """

    def __init__(self) -> None:
        if platform.system() != "Linux":
            raise LabFault(f"this is {platform.system()}", errno.ENOSYS)
        self._lock = threading.Lock()
        with ExitStack() as files:
            try:
                self._line, theirs = map(files.enter_context, socket.socketpair())
                self._stderr = os.memfd_create("last words of the keeper")
                files.callback(os.close, self._stderr)
                self._process = subprocess.Popen(
                    [*script("lab/netns/keeper.py"), str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._stderr,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except OSError as error:
                raise LabFault(f"cannot start {sys.executable}: {error.strerror}") from error
            theirs.close()
            self._line.settimeout(ORDER_TIMEOUT)
            self._files = files.pop_all()
        self._open = True
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    @property
    def alive(self) -> bool:
        return self._line.fileno() >= 0 and self._process.poll() is None

    def space(self, name: str) -> int:
        """Make a network namespace; return the number by which netlink requests can name it."""
        fd: int = self._order({"do": "space", "space": name})["fd"]
        return fd

    def route(self, space: str, messages: Sequence[Message]) -> None:
        """Change interfaces, addresses, routes and neighbours."""
        self._netlink(space, NETLINK_ROUTE, messages)

    def rules(self, space: str, messages: Sequence[Message]) -> None:
        """Change nftables."""
        self._netlink(space, NETLINK_NETFILTER, messages)

    def set(self, space: str, name: str, value: str) -> None:
        """Set a sysctl of a namespace, named as the path under /proc/sys."""
        self._order({"do": "set", "space": space, "name": name, "value": value})

    def start(self, name: str, space: str, command: Sequence[str], streams: Sequence[int]) -> None:
        """Start a process in a namespace, with these files as its standard streams."""
        self._order({"do": "start", "name": name, "space": space, "command": list(command)}, streams)

    def stop(self, name: str) -> None:
        """Kill a process, and wait until it is gone; nothing happens where there is none."""
        self._order({"do": "stop", "name": name})

    def leave(self, space: str) -> None:
        """Let go of a namespace; it ends with its last process."""
        self._order({"do": "leave", "space": space})

    def close(self) -> None:
        if not self._open:
            return
        self._open = False
        self._line.close()
        try:
            self._process.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._files.close()

    def _netlink(self, space: str, family: int, messages: Sequence[Message]) -> None:
        data = base64.b64encode(packed(messages)).decode()
        needs = messages[0].needs
        answer = self._order({"do": "netlink", "space": space, "family": family, "data": data}, needs=needs)
        for number, code, words in answer["failures"]:
            failed = messages[number]
            reason = f"{os.strerror(code)} ({words})" if words else os.strerror(code)
            raise LabFault(f"the kernel refused to {failed.purpose}: {reason}", code, failed.needs)

    def _order(self, order: Mapping[str, Any], fds: Sequence[int] = (), needs: str = "") -> Mapping[str, Any]:
        data = json.dumps(order).encode()
        with self._lock:
            if self._line.fileno() < 0:
                raise LabFault("the netns lab is closed")
            try:
                socket.send_fds(self._line, [struct.pack("=I", len(data))], fds)
                self._line.sendall(data)
                return self._answer(needs)
            except OSError as error:
                raise self._gone(error) from error
            except KeyboardInterrupt:
                self._line.close()  # as in _gone
                raise

    def _answer(self, needs: str = "") -> Mapping[str, Any]:
        try:
            (length,) = struct.unpack("=I", self._exactly(4))
            answer: Mapping[str, Any] = json.loads(self._exactly(length))
        except (OSError, EOFError) as error:
            raise self._gone(error) from error
        if "problem" in answer:
            raise LabFault(answer["problem"], answer["errno"], needs)
        return answer

    def _exactly(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            part = self._line.recv(length - len(data))
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _gone(self, error: Exception) -> LabFault:
        """Give the line up, and say why; an answer that came after all must not be taken for that to the next order."""
        self._line.close()
        if isinstance(error, TimeoutError):
            return LabFault(f"the lab's keeper did not answer within {ORDER_TIMEOUT:g} s")
        words = os.pread(self._stderr, _STDERR_BYTES, 0).decode(errors="replace").strip().splitlines()
        return LabFault(f"the lab's keeper is gone{': ' + words[-1] if words else ''}")
