"""Requests to the kernel as netlink messages. pyroute2 encodes them; the keeper sends them.

A request is encoded without its header, because requests are remembered and repeated, while a header holds the request's place
among those that are sent with it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyroute2.netlink import NLM_F_REQUEST, nlmsg

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_HEADER_BYTES = struct.calcsize("".join(code for _, code in nlmsg.header))


@dataclass(frozen=True, slots=True)
class Message:
    """One request. `purpose` and the kernel module that it `needs` are there for the person who reads why it failed."""

    purpose: str
    needs: str
    kind: int
    flags: int
    body: bytes


class _Whole(nlmsg):  # type: ignore[misc]
    """A message whose body is encoded already."""

    fields = (("body", "s"),)


def encoded(form: type[Any], fields: Mapping[str, int], attributes: Sequence[tuple[str, object]] = ()) -> bytes:
    """Return the body of a message of one of pyroute2's forms. An attribute that the form does not know is an error."""
    message = form()
    message.update(fields)
    message["attrs"] = list(attributes)
    unknown = [name for name, _ in attributes if not message.valid_nla(name)]
    if unknown:
        raise ValueError(f"{form.__name__} has no {', '.join(unknown)}")
    message.encode()
    return bytes(message.data[_HEADER_BYTES:])


def element(form: type[Any], content: Mapping[str, object]) -> bytes:
    """Return the bytes of one element of a list of attributes."""
    cell = form()
    cell.setvalue(content)
    cell["header"] = {"type": cell.header_type}
    cell.encode()
    return bytes(cell.data)


def packed(messages: Sequence[Message]) -> bytes:
    """Return a datagram; a message's number in it is its place.

    None of them asks for an answer: the kernel answers failures unasked, and it has done so by the time that `send` returns.
    """
    return b"".join(_numbered(message, number) for number, message in enumerate(messages))


def in_datagrams(messages: Sequence[Message], limit: int) -> Iterator[Sequence[Message]]:
    """Split messages, in their order, so that no datagram is larger than `limit` bytes."""
    start = size = 0
    for index, message in enumerate(messages):
        length = _HEADER_BYTES + len(message.body)
        if index > start and size + length > limit:
            yield messages[start:index]
            start, size = index, 0
        size += length
    if messages[start:]:
        yield messages[start:]


def _numbered(message: Message, number: int) -> bytes:
    whole = _Whole()
    whole["header"] = {"type": message.kind, "flags": NLM_F_REQUEST | message.flags, "sequence_number": number}
    whole["body"] = message.body
    whole.encode()
    return bytes(whole.data)
