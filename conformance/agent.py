"""The probe agent: servers that say who they are, and a client that tries many connections at once.

One file, standard library only, so that it runs in any Python image, in a network namespace, and on a machine outside the
cluster. It imports nothing of the project, and the project imports nothing of it but its text.

    agent.py serve --identity x/a#1 80/TCP 80/UDP ...      answer every connection with the identity and the caller's nonce
    agent.py probe                                         read batches of jobs on stdin, answer on stdout
    agent.py endpoint --identity ext#1 80/TCP ...          both in one process; it ends when stdin does

A batch is one line of JSON: `{"id": 7, "timeout": 1.0, "jobs": [["10.0.0.9", 80, "TCP"], ...]}`; the answer is one line too:
`{"id": 7, "results": [["allowed", "y/b#1", 0.0011, ""], ...]}` in the order of the jobs: outcome, who answered, seconds, detail.
`allowed` needs an answer that holds this probe's own nonce. `dropped` is silence, `rejected` a refusal, `failed` a fault on this side.
`{"id": 8, "routes": [["10.0.0.9", "172.18.0.3"]]}` adds host routes first (an endpoint outside the cluster needs them).
Every probe is a new socket with a source port of its own, since a reused five-tuple may belong to a connection that is still open.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import heapq
import itertools
import json
import os
import random
import resource
import selectors
import signal
import socket
import struct
import sys
import time

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
UDP_TRIES = 3  # one lost datagram must not look like a policy
SIOCADDRT = 0x890B
RTF_UP, RTF_GATEWAY, RTF_HOST = 0x1, 0x2, 0x4


class Loop:
    """Sockets and timers in one thread."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.timers = []
        self.order = itertools.count()

    def at(self, moment, call):
        heapq.heappush(self.timers, (moment, next(self.order), call))

    def watch(self, sock, events, call):
        self.selector.register(sock, events, call)

    def forget(self, sock):
        self.selector.unregister(sock)

    def run(self):
        while True:
            wait = max(0.0, self.timers[0][0] - time.monotonic()) if self.timers else None
            for key, _ in self.selector.select(wait):
                key.data()
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()


class Servers:
    """Answer on every port with `identity nonce`."""

    def __init__(self, loop, identity, ports):
        self.loop, self.identity = loop, identity.encode()
        for text in ports:
            number, _, protocol = text.partition("/")
            for sock in listeners(int(number), protocol):
                handler = self.datagram if protocol == "UDP" else self.accept
                loop.watch(sock, selectors.EVENT_READ, lambda sock=sock, handler=handler: handler(sock))

    def accept(self, listener):
        for _ in range(64):
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setblocking(False)
            self.loop.watch(sock, selectors.EVENT_READ, lambda sock=sock: self.answer(sock))
            self.loop.at(time.monotonic() + IDLE_SERVER_SECONDS, lambda sock=sock: self.close(sock))

    def answer(self, sock):
        try:
            nonce = sock.recv(256)
            if nonce:
                sock.send(self.identity + b" " + nonce.strip() + b"\n")
        except BlockingIOError:
            return
        except OSError:
            pass
        self.close(sock)

    def close(self, sock):
        if sock.fileno() >= 0:
            self.loop.forget(sock)
            sock.close()

    def datagram(self, sock):
        for _ in range(64):
            try:
                nonce, caller = sock.recvfrom(256)
                sock.sendto(self.identity + b" " + nonce.strip() + b"\n", caller)
            except BlockingIOError:
                return
            except OSError:
                continue


def listeners(port, protocol):
    """Return listening sockets for one port, of every address family that this machine has."""
    kind, number = KINDS[protocol]
    found = []
    for family, anywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        try:
            sock = socket.socket(family, kind, number)
        except OSError:
            continue
        try:
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.setblocking(False)
            sock.bind((anywhere, port))
            if protocol != "UDP":
                sock.listen(512)
        except OSError as error:
            sock.close()
            if family == socket.AF_INET:
                sys.exit(f"agent: cannot listen on {port}/{protocol}: {error}")
            continue
        found.append(sock)
    return found


class Client:
    """Run batches that arrive on stdin."""

    def __init__(self, loop):
        self.loop, self.buffer, self.waiting, self.flying = loop, b"", [], 0
        self.ports = itertools.cycle(SOURCE_PORTS)
        for _ in range(random.randrange(len(SOURCE_PORTS))):
            next(self.ports)
        os.set_blocking(0, False)
        loop.watch(0, selectors.EVENT_READ, self.read)
        self.say({"hello": 1, "sctp": supports_sctp()})

    def say(self, message):
        data = memoryview((json.dumps(message, separators=(",", ":")) + "\n").encode())
        while data:
            data = data[os.write(1, data) :]

    def read(self):
        try:
            chunk = os.read(0, 1 << 16)
        except BlockingIOError:
            return
        if not chunk:
            os._exit(0)
        *lines, self.buffer = (self.buffer + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                self.start(json.loads(line))

    def start(self, message):
        problems = [problem for route in message.get("routes", ()) if (problem := add_route(*route))]
        jobs = message.get("jobs", [])
        batch = {"id": message["id"], "results": [None] * len(jobs), "left": len(jobs)}
        if problems:
            batch["problems"] = problems
        self.waiting.extend(
            Probe(self, batch, index, job, message.get("timeout", 1.0)) for index, job in enumerate(jobs)
        )
        self.waiting.reverse()
        self.fly()
        self.waiting.reverse()
        if not jobs:
            self.finish(batch)

    def fly(self):
        while self.waiting and self.flying < IN_FLIGHT:
            self.flying += 1
            self.waiting.pop().start()

    def done(self, batch, index, result):
        self.flying -= 1
        batch["results"][index] = result
        batch["left"] -= 1
        if self.waiting:
            self.loop.at(0, self.fly)
        if not batch["left"]:
            self.finish(batch)

    def finish(self, batch):
        del batch["left"]
        self.say(batch)

    def socket(self, family, protocol):
        """Return a new socket bound to a source port that was not used for a long time."""
        kind, number = KINDS[protocol]
        sock = socket.socket(family, kind, number)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for port in itertools.islice(self.ports, 200):
            try:
                sock.bind(("", port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    sock.close()
                    raise
            else:
                return sock
        sock.close()
        raise OSError(errno.EADDRINUSE, "no free source port")


class Probe:
    """One job: connect, send a nonce, and see who sends it back."""

    def __init__(self, client, batch, index, job, timeout):
        self.client, self.batch, self.index, self.timeout = client, batch, index, timeout
        self.address, self.port, self.protocol = job
        self.nonce = os.urandom(8).hex().encode()
        self.sock = None
        self.connected = False
        self.over = False

    def start(self):
        self.began = time.monotonic()
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        try:
            self.sock = self.client.socket(family, self.protocol)
            problem = self.sock.connect_ex((self.address, self.port))
        except OSError as error:
            self.end("failed", detail=str(error))
            return
        if problem not in (0, errno.EINPROGRESS):
            self.refuse(problem)
            return
        loop = self.client.loop
        loop.at(self.began + self.timeout, self.silence)
        if self.protocol == "UDP":
            self.connected = True
            loop.watch(self.sock, selectors.EVENT_READ, self.receive)
            self.datagram(1)
        else:
            loop.watch(self.sock, selectors.EVENT_WRITE, self.send)

    def datagram(self, number):
        if self.over:
            return
        try:
            self.sock.send(self.nonce)
        except BlockingIOError:
            pass
        except OSError as error:
            self.refuse(error.errno)
            return
        if number < UDP_TRIES:
            moment = self.began + self.timeout * number / UDP_TRIES
            self.client.loop.at(moment, lambda: self.datagram(number + 1))

    def send(self):
        problem = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if problem:
            self.refuse(problem)
            return
        self.connected = True
        try:
            self.sock.send(self.nonce + b"\n")
        except OSError as error:
            self.refuse(error.errno)
            return
        self.client.loop.selector.modify(self.sock, selectors.EVENT_READ, self.receive)

    def receive(self):
        try:
            answer = self.sock.recv(512)
        except BlockingIOError:
            return
        except OSError as error:
            self.refuse(error.errno)
            return
        identity, _, nonce = answer.decode("utf-8", "replace").strip().rpartition(" ")
        if nonce == self.nonce.decode():
            self.end("allowed", identity)
        elif answer:
            self.end("misdelivered", detail=f"an answer without this probe's nonce: {answer[:80]!r}")
        else:
            self.end("rejected", detail="connected, then closed without an answer")

    def silence(self):
        if not self.over:
            self.end("dropped", detail="connected, but no answer" if self.connected and self.protocol != "UDP" else "")

    def refuse(self, problem):
        if problem == errno.ETIMEDOUT:
            self.end("dropped")
        else:
            self.end("rejected" if problem in REFUSALS else "failed", detail=os.strerror(problem))

    def end(self, outcome, identity="", detail=""):
        self.over = True
        if self.sock is not None:
            try:
                self.client.loop.forget(self.sock)
            except (KeyError, ValueError):
                pass  # ended before it was watched
            self.sock.close()
        self.client.done(self.batch, self.index, [outcome, identity, round(time.monotonic() - self.began, 6), detail])


def supports_sctp():
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP).close()
    except OSError:
        return False
    return True


def add_route(destination, gateway):
    """Add a host route with the oldest interface that the kernel has for it; return what went wrong, or None."""

    def address(text):
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


def main():
    parser = argparse.ArgumentParser(description="probe agent of the NetworkPolicy conformance suite")
    parser.add_argument("mode", choices=["serve", "probe", "endpoint"])
    parser.add_argument("ports", nargs="*", metavar="PORT/PROTOCOL")
    parser.add_argument("--identity", default="")
    arguments = parser.parse_intermixed_args()
    for number in (signal.SIGTERM, signal.SIGINT):  # as a container's first process there is no default action
        signal.signal(number, lambda *_: os._exit(0))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 1 << 16), hard))
    loop = Loop()
    if arguments.mode != "probe":
        Servers(loop, arguments.identity, arguments.ports)
    if arguments.mode != "serve":
        Client(loop)
    loop.run()


if __name__ == "__main__":
    main()
