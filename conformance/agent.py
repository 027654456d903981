"""The probe agent: servers that say who they are, and a client that tries many connections at once.

One file, standard library only, so that it runs in any Python image, in a network namespace, and on a machine outside the
cluster. It imports nothing of the project, and the project imports nothing of it but its text.

    agent.py serve --identity x/a#1 80/TCP 80/UDP ...      answer every connection with the identity and the caller's nonce
    agent.py probe                                         read batches of jobs on stdin, answer on stdout
    agent.py serve --from-start 10.0.0.9:80/TCP ...        and try these flows from the first moment on, without a pause
    agent.py endpoint --identity ext#1 80/TCP ...          both in one process; it ends when stdin does

A batch is one line of JSON: `{"id": 7, "timeout": 1.0, "jobs": [["10.0.0.9", 80, "TCP"], ...]}`; the answer is one line too:
`{"id": 7, "results": [["allowed", "y/b#1", 0.0011, "", 0.0004], ...]}` in the order of the jobs: outcome, who answered, seconds, detail,
and how many of the seconds nothing at all was heard. A flow is silent once nothing was heard of its whole batch for the timeout, since while
answers come in, the machine may just be busy; three timeouts are the most that any flow is given.
`allowed` needs an answer that holds this probe's own nonce. `dropped` is silence, `rejected` a refusal. `failed` is a fault on this side, or a
connection that was made and brought no answer: that is no block, whoever is at fault.
With `--towards ADDRESS` the hello line says which own address this machine uses to speak to that one.
`{"id": 8, "routes": [["10.0.0.9", "172.18.0.3"]]}` adds host routes first (an endpoint outside the cluster needs them).
Every probe is a new socket with a source port of its own, since a reused five-tuple may belong to a connection that is still open.
Silence is said of a flow only after several packets: one that got lost, or an agent that was not given the CPU, is not a policy.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import functools
import gc
import heapq
import itertools
import json
import os
import pathlib
import random
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Batch = dict[str, Any]

SCTP = getattr(socket, "IPPROTO_SCTP", 132)
KINDS = {
    "TCP": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "UDP": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "SCTP": (socket.SOCK_STREAM, SCTP),
}
REFUSALS = {
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EACCES,
    errno.EPERM,
    errno.ENOPROTOOPT,
    errno.EPIPE,
}
SOURCE_PORTS = range(20000, 60000)
IN_FLIGHT = 500  # sockets that a client keeps open at once; the rest of a batch waits its turn
IDLE_SERVER_SECONDS = 10.0
#: After these parts of its timeout a probe is tried again: one lost datagram must not look like a policy, nor one lost SYN, which the kernel
#: sends again only after a second.
AGAIN = {"UDP": (1 / 3, 2 / 3), "TCP": (1 / 2,), "SCTP": (1 / 2,)}
ANY_ADDRESS = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 -- of the source, and the server is there to be reached
MSG_MORE = 0x8000  # the answer goes with the end of the connection
ABORT = struct.pack("ii", 1, 0)
STALL = 0.1  # an agent that looks so much too late at its clock was not running, and gives its probes their time again
LONGEST_ANSWER = 512
MOST_TIMEOUTS = 3
#: Abstract, and so of the network namespace: all containers of a pod share it, and no file system is written to.
EARLY_SOCKET = "\0netpol-early"
EARLY_PAUSE, EARLY_TIMEOUT, EARLY_SECONDS = 0.05, 1.0, 120.0
SIOCADDRT = 0x890B
RTF_UP, RTF_GATEWAY, RTF_HOST = 0x1, 0x2, 0x4


class Loop:
    """Sockets and timers in one thread."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.calls: dict[int, Callable[[], object]] = {}
        self.timers: list[tuple[float, int, Callable[[], object]]] = []
        self.order = itertools.count()

    def at(self, moment: float, call: Callable[[], object]) -> None:
        heapq.heappush(self.timers, (moment, next(self.order), call))

    def watch(self, fd: int, events: int, call: Callable[[], object]) -> None:
        """Call when something happens; for one that is watched already, from now on in another way."""
        (self.epoll.modify if fd in self.calls else self.epoll.register)(fd, events)
        self.calls[fd] = call

    def close(self, sock: socket.socket) -> None:
        """Close a socket; the kernel stops watching it then."""
        self.calls.pop(sock.fileno(), None)
        sock.close()

    def run(self) -> None:
        while True:
            wait = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
            happened = self.epoll.poll(wait)
            # Looked up before any is called: a call may close a socket, and open another of its number.
            for call in [self.calls[fd] for fd, _ in happened if fd in self.calls]:
                call()
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()


class Servers:
    """Answer on every port with `identity nonce`."""

    def __init__(self, loop: Loop, identity: str, ports: Sequence[str]) -> None:
        self.loop, self.identity = loop, identity.encode()
        for text in ports:
            number, _, protocol = text.partition("/")
            for sock in listeners(int(number), protocol):
                handler = self.datagram if protocol == "UDP" else self.accept
                loop.watch(sock.fileno(), select.EPOLLIN, functools.partial(handler, sock))

    def accept(self, listener: socket.socket) -> None:
        for _ in range(64):
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            if not self.answer(sock):
                self.loop.watch(sock.fileno(), select.EPOLLIN, functools.partial(self.answer, sock))
                self.loop.at(time.monotonic() + IDLE_SERVER_SECONDS, functools.partial(self.loop.close, sock))

    def answer(self, sock: socket.socket) -> bool:
        """Answer a connection and close it; return False where its nonce has not come yet."""
        try:
            nonce = sock.recv(256, socket.MSG_DONTWAIT)
            if nonce:
                sock.send(self.identity + b" " + nonce.strip() + b"\n", socket.MSG_DONTWAIT | MSG_MORE)
        except BlockingIOError:
            return False
        except OSError:
            pass
        self.loop.close(sock)
        return True

    def datagram(self, sock: socket.socket) -> None:
        for _ in range(64):
            try:
                nonce, caller = sock.recvfrom(256)
                sock.sendto(self.identity + b" " + nonce.strip() + b"\n", caller)
            except BlockingIOError:
                return
            except OSError:
                continue


def listeners(port: int, protocol: str) -> list[socket.socket]:
    """Return listening sockets for one port, of every address family that this machine has."""
    kind, number = KINDS[protocol]
    found: list[socket.socket] = []
    if protocol == "SCTP" and not supports_sctp():
        return found
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            sock = socket.socket(family, kind, number)
        except OSError:
            continue
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind(("", port))
            if protocol != "UDP":
                sock.listen(512)
        except OSError as error:
            sock.close()
            if family == socket.AF_INET:
                sys.exit(f"agent: cannot listen on {port}/{protocol}: {error}")
            continue
        found.append(sock)
    return found


class Caller:
    """What opens sockets for probes, and has them tried again."""

    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        prefix = os.urandom(8).hex().encode()
        self.nonces = (b"%s-%d" % (prefix, number) for number in itertools.count())
        self.ports = itertools.cycle(SOURCE_PORTS)
        for _ in range(random.SystemRandom().randrange(len(SOURCE_PORTS))):
            next(self.ports)

    def done(self, batch: Batch, index: int, result: list[Any]) -> None:
        raise NotImplementedError

    def launch(self, probes: Sequence[Probe], timeout: float) -> None:
        """Start probes of one timeout, try those that stay silent again, and end them as silent."""
        for probe in probes:
            probe.start()
        began = time.monotonic()
        for protocol, moments in AGAIN.items():
            some = [probe for probe in probes if probe.protocol == protocol]
            for part in moments if some else ():
                self.loop.at(began + timeout * part, functools.partial(call_each, some, Probe.again))
        self.loop.at(began + timeout, functools.partial(call_each, probes, Probe.silence))

    def socket(self, family: socket.AddressFamily, protocol: str) -> socket.socket:
        """Return a new socket bound to a source port that was not used for a long time."""
        if protocol == "SCTP" and not supports_sctp():
            raise OSError(errno.EPROTONOSUPPORT, os.strerror(errno.EPROTONOSUPPORT))
        kind, number = KINDS[protocol]
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, number)
        if protocol == "TCP":  # half of the packets: the handshake's end goes with the nonce, and a reset ends it all
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        for port in itertools.islice(self.ports, 200):
            try:
                sock.bind((ANY_ADDRESS[family], port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    sock.close()
                    raise
            else:
                return sock
        sock.close()
        raise OSError(errno.EADDRINUSE, "no free source port")


def call_each(probes: Sequence[Probe], call: Callable[[Probe], None]) -> None:
    for probe in probes:
        if not probe.over:
            call(probe)


class Early(Caller):
    """Try a few flows over and over from the first moment on, and tell whoever asks on this machine which of them ever passed."""

    def __init__(self, loop: Loop, targets: Sequence[str]) -> None:
        super().__init__(loop)
        self.began = time.monotonic()
        self.jobs = []
        for text in targets:
            address, _, place = text.rpartition(":")
            number, _, protocol = place.partition("/")
            self.jobs.append([address, int(number), protocol])
        self.log: list[list[Any]] = [[0, None, ""] for _ in self.jobs]
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(EARLY_SOCKET)
        self.listener.listen(16)
        self.listener.setblocking(False)
        loop.watch(self.listener.fileno(), select.EPOLLIN, self.tell)
        self.again()

    def again(self) -> None:
        now = time.monotonic()
        if now - self.began > EARLY_SECONDS:
            return
        for entry in self.log:
            entry[0] += 1
        probes = [Probe(self, {"heard": 0.0}, index, job, EARLY_TIMEOUT) for index, job in enumerate(self.jobs)]
        self.launch(probes, EARLY_TIMEOUT)
        self.loop.at(now + EARLY_PAUSE, self.again)

    def done(self, batch: Batch, index: int, result: list[Any]) -> None:  # noqa: ARG002 -- as Caller has it
        entry = self.log[index]
        if result[0] == "allowed" and entry[1] is None:
            entry[1:] = [round(time.monotonic() - self.began, 3), result[1]]

    def tell(self) -> None:
        try:
            sock, _ = self.listener.accept()
            sock.sendall(json.dumps(self.log).encode())
            sock.close()
        except OSError:
            pass


def ask_early() -> Any:
    """Return the log of the process on this machine that keeps one; None where there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(2.0)
        try:
            sock.connect(EARLY_SOCKET)
            return json.loads(b"".join(iter(lambda: sock.recv(1 << 16), b"")))
        except (OSError, ValueError):
            return None


class Client(Caller):
    """Run batches that arrive on stdin."""

    def __init__(self, loop: Loop, towards: str = "", early: Early | None = None) -> None:
        super().__init__(loop)
        self.buffer, self.flying, self.early = b"", 0, early
        self.waiting: deque[Probe] = deque()
        os.set_blocking(0, False)
        loop.watch(0, select.EPOLLIN, self.read)
        self.say({"hello": 1, "sctp": supports_sctp(), "addresses": own_addresses(towards)})

    def say(self, message: Batch) -> None:
        data = memoryview((json.dumps(message, separators=(",", ":")) + "\n").encode())
        while data:
            try:
                data = data[os.write(1, data) :]
            except BlockingIOError:  # where stdin and stdout are one socket, it does not block
                select.select([], [1], [])

    def read(self) -> None:
        try:
            chunk = os.read(0, 1 << 16)
        except BlockingIOError:
            return
        if not chunk:
            os._exit(0)
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                try:
                    message = json.loads(line)
                except ValueError:
                    sys.exit(f"agent: not a batch: {line[:80]!r}")
                self.start(message)

    def start(self, message: Batch) -> None:
        problems = [problem for route in message.get("routes", ()) if (problem := add_route(*route))]
        jobs = message.get("jobs", [])
        batch: Batch = {"id": message["id"], "results": [None] * len(jobs), "left": len(jobs), "heard": 0.0}
        if problems:
            batch["problems"] = problems
        if message.get("early"):
            batch["early"] = self.early.log if self.early else ask_early()
        self.waiting.extend(
            Probe(self, batch, index, job, message.get("timeout", 1.0)) for index, job in enumerate(jobs)
        )
        self.fly()
        if not jobs:
            self.finish(batch)

    def fly(self) -> None:
        while self.waiting and self.flying < IN_FLIGHT:
            timeout = self.waiting[0].timeout
            probes: list[Probe] = []
            while self.waiting and self.flying < IN_FLIGHT and self.waiting[0].timeout == timeout:
                self.flying += 1
                probes.append(self.waiting.popleft())
            self.launch(probes, timeout)

    def done(self, batch: Batch, index: int, result: list[Any]) -> None:
        self.flying -= 1
        batch["results"][index] = result
        batch["left"] -= 1
        if self.waiting:
            self.loop.at(0, self.fly)
        if not batch["left"]:
            self.finish(batch)

    def finish(self, batch: Batch) -> None:
        del batch["left"], batch["heard"]
        self.say(batch)


class Probe:
    """One job: connect, send a nonce, and see who sends it back."""

    def __init__(self, client: Caller, batch: Batch, index: int, job: Sequence[Any], timeout: float) -> None:
        self.client, self.batch, self.index, self.timeout = client, batch, index, timeout
        self.address, self.port, self.protocol = job
        self.family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.nonce = next(client.nonces)
        self.socks: list[socket.socket] = []
        self.answer = b""
        self.connected = False
        self.given_more = False
        self.over = False

    def start(self) -> None:
        self.began = time.monotonic()
        sock = self.open()
        if sock is None:
            return
        if self.protocol == "UDP":
            self.client.loop.watch(sock.fileno(), select.EPOLLIN, functools.partial(self.receive, sock))
            self.datagram(sock)
        elif self.protocol == "SCTP" or not self.greet(sock):
            self.client.loop.watch(sock.fileno(), select.EPOLLOUT, functools.partial(self.send, sock))

    def again(self) -> None:
        """Try once more: what may be lost is sent again, and the tries before go on."""
        if self.protocol == "UDP":
            self.datagram(self.socks[0])
        elif not self.connected and (sock := self.open()) is not None:
            self.client.loop.watch(sock.fileno(), select.EPOLLOUT, functools.partial(self.send, sock))

    def open(self) -> socket.socket | None:
        """Return a new socket on its way to the server; None where that ended the probe."""
        try:
            sock = self.client.socket(self.family, self.protocol)
        except OSError as error:
            self.end("failed", detail=str(error))
            return None
        self.socks.append(sock)
        try:
            problem = sock.connect_ex((self.address, self.port))
        except OSError as error:
            self.end("failed", detail=str(error))
            return None
        if problem not in (0, errno.EINPROGRESS):
            self.refuse(problem)
            return None
        return sock

    def datagram(self, sock: socket.socket) -> None:
        try:
            sock.send(self.nonce)
        except BlockingIOError:
            pass
        except OSError as error:
            self.refuse(error.errno)

    def send(self, sock: socket.socket) -> None:
        if self.over:
            return
        if self.connected:  # by another try
            self.client.loop.close(sock)
            return
        problem = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            self.refuse(problem)
        else:
            self.connected = True
            self.greet(sock)

    def greet(self, sock: socket.socket) -> bool:
        """Send the nonce, and wait for its answer; return False where there is no connection yet.

        On one machine a connection is often made by the time that it was asked for, which saves waiting to be told.
        """
        try:
            sock.send(self.nonce + b"\n")
        except BlockingIOError:
            return False
        except OSError as error:
            self.refuse(error.errno)
            return True
        self.connected = True
        self.client.loop.watch(sock.fileno(), select.EPOLLIN, functools.partial(self.receive, sock))
        return True

    def receive(self, sock: socket.socket) -> None:
        if self.over:
            return
        try:
            chunk = sock.recv(512)
        except BlockingIOError:
            return
        except OSError as error:
            if self.answer:
                self.foreign()
            else:
                self.refuse(error.errno)
            return
        self.answer += chunk
        identity, _, nonce = self.answer.decode("utf-8", "replace").strip().rpartition(" ")
        if nonce == self.nonce.decode():
            self.end("allowed", identity)
        elif chunk and self.protocol != "UDP" and b"\n" not in self.answer and len(self.answer) < LONGEST_ANSWER:
            return  # the rest is still on its way
        elif self.answer:
            self.foreign()
        else:
            self.end("failed", detail="connected, then closed without an answer")

    def silence(self) -> None:
        if self.over:
            return
        now = time.monotonic()
        heard = min(self.batch["heard"], self.began + self.timeout * (MOST_TIMEOUTS - 1))
        due = max(self.began, heard) + self.timeout
        if now < due:
            self.client.loop.at(due, self.silence)
        elif not self.given_more and now > due + STALL:
            self.given_more = True
            self.client.loop.at(now + self.timeout, self.silence)
        elif self.answer:
            self.foreign()
        elif self.connected:
            self.end("failed", detail="connected, but no answer", silent=True)
        else:
            self.end("dropped", silent=True)

    def foreign(self) -> None:
        self.end("misdelivered", detail=f"an answer without this probe's nonce: {self.answer[:80]!r}")

    def refuse(self, problem: int | None) -> None:
        reason = os.strerror(problem or 0)
        if self.connected:
            self.end("failed", detail=f"connected, then {reason}")
        elif problem == errno.ETIMEDOUT:
            self.end("dropped", silent=True)
        else:
            self.end("rejected" if problem in REFUSALS else "failed", detail=reason)

    def end(self, outcome: str, identity: str = "", detail: str = "", *, silent: bool = False) -> None:
        self.over = True
        for sock in self.socks:
            self.client.loop.close(sock)
        now = time.monotonic()
        waited = now - max(self.began, self.batch["heard"])
        if not silent:
            self.batch["heard"] = now
        result = [outcome, identity, round(now - self.began, 6), detail, round(waited, 6)]
        self.client.done(self.batch, self.index, result)


@functools.lru_cache(maxsize=None)  # noqa: UP033 -- older images have no functools.cache
def supports_sctp() -> bool:
    """Tell whether the kernel speaks SCTP now. Trying it would load the module, which is not the agent's to do."""
    try:
        return "\nSCTP " in pathlib.Path("/proc/net/protocols").read_text(encoding="ascii")
    except OSError:
        return False


def own_addresses(towards: str) -> list[str]:
    """Return the address that this machine would use to speak to another; none where there is no way to it."""
    if not towards:
        return []
    family = socket.AF_INET6 if ":" in towards else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((towards, 9))  # sends nothing
            return [sock.getsockname()[0]]
        except OSError:
            return []


def add_route(destination: str, gateway: str) -> str | None:
    """Add a host route with the oldest interface that the kernel has for it; return what went wrong, or None."""

    def address(text: str) -> bytes:
        return struct.pack("=HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))

    if ":" in destination:
        return f"route to {destination}: only IPv4 routes are supported"
    request = struct.pack(
        "@L16s16s16sHhLPhPLLH6x",
        0,
        address(destination),
        address(gateway),
        address("255.255.255.255"),
        RTF_UP | RTF_GATEWAY | RTF_HOST,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            fcntl.ioctl(sock, SIOCADDRT, request)
        except OSError as error:
            if error.errno != errno.EEXIST:
                return f"route to {destination} via {gateway}: {error}"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description="probe agent of the NetworkPolicy conformance suite")
    parser.add_argument("mode", choices=["serve", "probe", "endpoint"])
    parser.add_argument("ports", nargs="*", metavar="PORT/PROTOCOL")
    parser.add_argument("--identity", default="")
    parser.add_argument("--from-start", action="append", default=[], metavar="ADDRESS:PORT/PROTOCOL")
    parser.add_argument("--towards", default="", metavar="ADDRESS")
    arguments = parser.parse_intermixed_args()
    for number in (signal.SIGTERM, signal.SIGINT):  # as a container's first process there is no default action
        signal.signal(number, lambda *_: os._exit(0))
    gc.set_threshold(100_000)  # what is done goes by itself, and looking for garbage takes a tenth of the time
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))
    loop = Loop()
    early = Early(loop, arguments.from_start) if arguments.from_start else None
    if arguments.mode != "probe":
        Servers(loop, arguments.identity, arguments.ports)
    if arguments.mode != "serve":
        Client(loop, arguments.towards, early)
    loop.run()


if __name__ == "__main__":
    main()
