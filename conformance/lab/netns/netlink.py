"""The bytes of netlink messages, and what the kernel is told to do in them.

Written by hand, because the messages are few and speed matters: pyroute2 needs 0.4 ms to encode one small nftables rule,
and a policy may need hundreds; it also needs 0.3 s to be imported, in every process that uses it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROUTE, NETFILTER = 0, 12  # the two netlink families that the lab speaks
REQUEST, REPLACE, EXCLUSIVE, CREATE, APPEND = 0x1, 0x100, 0x200, 0x400, 0x800

_HEADER = struct.Struct("=LHHLL")
_ATTRIBUTE = struct.Struct("=HH")
_NESTED = 0x8000


@dataclass(frozen=True, slots=True)
class Message:
    """One request. `purpose` and the kernel module that it `needs` are there for the person who reads why it failed."""

    purpose: str
    needs: str
    kind: int
    flags: int
    body: bytes


def attribute(kind: int, payload: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(payload)
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(-length % 4)


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | _NESTED, b"".join(attributes))


def text(kind: int, value: str) -> bytes:
    return attribute(kind, value.encode() + b"\0")


def native32(kind: int, value: int) -> bytes:
    """Return a number as rtnetlink wants it: in the byte order of this machine."""
    return attribute(kind, struct.pack("=I", value))


def network32(kind: int, value: int) -> bytes:
    """Return a number as nftables wants it: in network byte order, negative ones too."""
    return attribute(kind, struct.pack("!i", value))


def packed(messages: Sequence[Message]) -> bytes:
    """Return a datagram; a message's number in it is its place.

    None of them asks for an answer: the kernel answers failures unasked, and it has done so by the time that `send` returns.
    """
    return b"".join(_numbered(messages))


def in_datagrams(messages: Sequence[Message], limit: int) -> Iterator[Sequence[Message]]:
    """Split messages, in their order, so that no datagram is larger than `limit` bytes."""
    start = size = 0
    for index, message in enumerate(messages):
        length = _HEADER.size + len(message.body)
        if index > start and size + length > limit:
            yield messages[start:index]
            start, size = index, 0
        size += length
    if messages[start:]:
        yield messages[start:]


def _numbered(messages: Sequence[Message]) -> Iterable[bytes]:
    for number, message in enumerate(messages):
        length = _HEADER.size + len(message.body)
        yield _HEADER.pack(length, message.kind, REQUEST | message.flags, number, 0) + message.body
