"""The keeper: the process that owns the lab's namespaces. It runs alone, with the standard library only.

    keeper.py FD      take orders from the unix socket FD until it is closed; then end, with everything that was started

It moves itself into a user namespace of its own, where it may do to networks what only root may do outside, and from there
carries out a few orders. It knows nothing of pods, policies or addresses; what it sends to the kernel, others have written.

    {"do": "space", "space": S}                                      make a network namespace
    {"do": "netlink", "space": S, "family": F, "data": BASE64}       send a datagram to the kernel; answers what failed
    {"do": "start", "name": N, "space": S, "command": [...]}         start a process there; its stdin, stdout, stderr come along
    {"do": "stop", "name": N}                                        kill a process, and wait until it is gone
    {"do": "set", "space": S, "name": "net/ipv4/ip_forward", "value": V}  set a sysctl there
    {"do": "leave", "space": S}                                      let go of a namespace

An order and its answer are JSON after four bytes of length. An answer with `problem` says what failed, with `errno`.
It imports little, because it is started before anything else can be.
"""

from __future__ import annotations

import base64
import ctypes
import errno
import json
import os
import resource
import signal
import socket
import struct
import sys
from typing import Any

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SOL_NETLINK, NETLINK_CAP_ACK, NETLINK_EXT_ACK = 270, 10, 11
NLMSG_ERROR, NLM_F_ACK_TLVS, NLMSGERR_ATTR_MSG = 2, 0x200, 1
HEADER = struct.Struct("=LHHLL")
SEND_BUFFER = 1 << 20
MAX_FDS = 3

_libc = ctypes.CDLL(None, use_errno=True)


class Space:
    """A network namespace, held by an open file, and the netlink sockets that were opened in it."""

    def __init__(self) -> None:
        check(_libc.unshare(CLONE_NEWNET), "unshare a network namespace")
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.sockets: dict[int, socket.socket] = {}

    def enter(self) -> None:
        check(_libc.setns(self.fd, CLONE_NEWNET), "enter a network namespace")

    def netlink(self, family: int) -> socket.socket:
        if family not in self.sockets:
            self.enter()
            sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, family)
            sock.setsockopt(SOL_NETLINK, NETLINK_CAP_ACK, 1)
            sock.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            sock.setblocking(False)
            self.sockets[family] = sock
        return self.sockets[family]

    def leave(self) -> None:
        for sock in self.sockets.values():
            sock.close()
        os.close(self.fd)


class Keeper:
    """Carries out orders, one at a time."""

    def __init__(self) -> None:
        self.spaces: dict[str, Space] = {}
        self.processes: dict[str, int] = {}

    def obey(self, order: dict[str, Any], fds: list[int]) -> dict[str, Any]:
        match order["do"]:
            case "space":
                self.spaces[order["space"]] = space = Space()
                return {"fd": space.fd}
            case "netlink":
                sock = self.spaces[order["space"]].netlink(order["family"])
                return {"failures": send(sock, base64.b64decode(order["data"]))}
            case "start":
                self.spaces[order["space"]].enter()
                self.processes[order["name"]] = start(order["command"], fds)
                return {}
            case "stop":
                self.stop(order["name"])
                return {}
            case "set":
                self.spaces[order["space"]].enter()
                set_sysctl(order["name"], order["value"])
                return {}
            case "leave":
                self.spaces.pop(order["space"]).leave()
                return {}
        raise ValueError(order["do"])

    def stop(self, name: str) -> None:
        pid = self.processes.pop(name, None)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def send(sock: socket.socket, data: bytes) -> list[list[Any]]:
    """Send a datagram; return [number of the message, errno, the kernel's words] for each that failed.

    The kernel has carried out the messages, and has written its answers, when `send` returns.
    """
    sock.send(data)
    failures: list[list[Any]] = []
    while True:
        try:
            answers = sock.recv(1 << 16)
        except BlockingIOError:
            return failures
        while len(answers) >= HEADER.size:
            length, kind, flags, number, _ = HEADER.unpack_from(answers)
            if kind == NLMSG_ERROR:
                (code,) = struct.unpack_from("=i", answers, HEADER.size)
                if code:
                    words = extended(answers[2 * HEADER.size + 4 : length]) if flags & NLM_F_ACK_TLVS else ""
                    failures.append([number, -code, words])
            answers = answers[(length + 3) & ~3 :]


def extended(attributes: bytes) -> str:
    """Return the text in what the kernel adds to an error."""
    while len(attributes) > HEADER.size - 12:
        length, kind = struct.unpack_from("=HH", attributes)
        if kind == NLMSGERR_ATTR_MSG:
            return attributes[4:length].rstrip(b"\0").decode(errors="replace")
        attributes = attributes[max(4, (length + 3) & ~3) :]
    return ""


def set_sysctl(name: str, value: str) -> None:
    """Set one of the settings of the namespace that this process is in."""
    fd = os.open(f"/proc/sys/{name}", os.O_WRONLY)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def start(command: list[str], fds: list[int]) -> int:
    """Start a process with the three standard streams given; it inherits nothing else."""
    return os.posix_spawn(
        command[0],
        command,
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(fds)],
        setsigdef=[signal.SIGINT],
    )


def check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def enter_own_namespaces() -> None:
    """Become root of a new user namespace; real root goes on without where there can be none."""
    uid, gid = os.geteuid(), os.getegid()
    try:
        check(_libc.unshare(CLONE_NEWUSER), "unshare a user namespace")
    except OSError:
        if uid or _libc.unshare(CLONE_NEWNET):
            raise
        return
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:  # noqa: PTH123 -- pathlib takes 10 ms to import
            file.write(text)
    check(_libc.unshare(CLONE_NEWNET), "unshare a network namespace")


def receive(control: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """Return the next order and the open files that came with it; None at the end."""
    head, fds, _, _ = socket.recv_fds(control, 4, MAX_FDS)
    for fd in fds:
        os.set_inheritable(fd, False)  # in Python 3.11 `recv_fds` ignores the flag for it
    data = bytearray()
    if len(head) == 4:  # noqa: PLR2004 -- the length of a length
        (length,) = struct.unpack("=I", head)
        while len(data) < length and (part := control.recv(length - len(data))):
            data += part
    return (json.loads(data) if data else None), fds


def answer(control: socket.socket, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode()
    control.sendall(struct.pack("=I", len(data)) + data)


def problem(error: OSError) -> dict[str, Any]:
    return {"problem": f"{error.filename}: {error.strerror}" if error.filename else str(error), "errno": error.errno}


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it decides when it ends
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))  # each namespace takes three
    try:
        enter_own_namespaces()
    except OSError as error:
        answer(control, problem(error))
        return
    answer(control, {})
    keeper = Keeper()
    try:
        while True:
            order, fds = receive(control)
            if order is None:
                break
            try:
                answer(control, keeper.obey(order, fds))
            except OSError as error:
                answer(control, problem(error))
            finally:
                for fd in fds:
                    os.close(fd)
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.ECONNRESET}:
            raise
    for name in list(keeper.processes):
        keeper.stop(name)


if __name__ == "__main__":
    main()
