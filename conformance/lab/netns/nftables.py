"""Requests about nftables: one table, its chains, and rules made of expressions.

A rule is a list of expressions; each loads something into a register, or compares a register and ends the rule where the
comparison fails. So a rule is a conjunction, and its last expression is what happens to a packet that all of it fits.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

from conformance.lab.netns.netlink import APPEND, CREATE, Message, attribute, nested, network32, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.lab.netns.compile import Address, Network
    from conformance.model.world import Protocol

TABLE = "netpol"
DROP, ACCEPT = 0, 1
PREROUTING, FORWARD = 0, 2  # hooks
FILTER_PRIORITY, DESTINATION_NAT_PRIORITY = 0, -100

_BATCH_BEGIN, _BATCH_END, _SUBSYSTEM = 0x10, 0x11, 10
_NEW_TABLE, _NEW_CHAIN, _DELETE_CHAIN, _NEW_RULE, _DELETE_RULE = (_SUBSYSTEM << 8 | n for n in (0, 3, 5, 6, 8))
_IPV4 = 2
_NFGENMSG = struct.Struct("!BBH")
_RETURN, _JUMP = -5, -3
_VERDICT_REGISTER, _REGISTER, _SECOND_REGISTER = 0, 1, 2
_EQUAL, _NOT_EQUAL, _AT_MOST, _AT_LEAST = 0, 1, 3, 5
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_CONNTRACK_STATE, _ESTABLISHED_OR_RELATED = 0, 0b110
_LAYER4_PROTOCOL = 16
_NUMBERS = {"TCP": 6, "UDP": 17, "SCTP": 132}
_SOURCE_OFFSET, _DESTINATION_OFFSET = 12, 16  # in an IPv4 header
_PORT_OFFSET, _PORT_LENGTH = 2, 2  # the destination port is at the same place in TCP, UDP and SCTP
_REMEMBERED = 4096  # expressions: many rules differ in one of theirs only


# Messages ---------------------------------------------------------------------------------------------------------------


def transaction(messages: Sequence[Message]) -> list[Message]:
    """Return messages that the kernel carries out all together, or not at all."""
    return [
        Message("begin a transaction", "nf_tables", _BATCH_BEGIN, 0, _NFGENMSG.pack(0, 0, _SUBSYSTEM)),
        *messages,
        Message("end a transaction", "nf_tables", _BATCH_END, 0, _NFGENMSG.pack(0, 0, _SUBSYSTEM)),
    ]


def table() -> Message:
    return _message("make the table", "nf_tables", _NEW_TABLE, CREATE, text(1, TABLE))


def hooked_chain(name: str, kind: str, hook: int, priority: int) -> Message:
    """Make a chain that the kernel sends packets to; what reaches its end is accepted."""
    place = nested(4, network32(1, hook), network32(2, priority))
    body = text(1, TABLE) + text(3, name) + place + network32(5, ACCEPT) + text(7, kind)
    needs = "nft_chain_nat" if kind == "nat" else "nf_tables"
    return _message(f"make the chain {name}", needs, _NEW_CHAIN, CREATE, body)


def chain(name: str) -> Message:
    """Make a chain that packets reach only by a jump; what reaches its end goes back."""
    return _message(f"make the chain {name}", "nf_tables", _NEW_CHAIN, CREATE, text(1, TABLE) + text(3, name))


def delete_chain(name: str) -> Message:
    return _message(f"delete the chain {name}", "nf_tables", _DELETE_CHAIN, 0, text(1, TABLE) + text(3, name))


def flush(name: str) -> Message:
    """Delete all rules of a chain."""
    return _message(f"empty the chain {name}", "nf_tables", _DELETE_RULE, 0, text(1, TABLE) + text(2, name))


def rule(name: str, expressions: Sequence[bytes], needs: str = "nf_tables") -> Message:
    body = text(1, TABLE) + text(2, name) + nested(4, *expressions)
    return _message(f"add a rule to the chain {name}", needs, _NEW_RULE, CREATE | APPEND, body)


def _message(purpose: str, needs: str, kind: int, flags: int, body: bytes) -> Message:
    return Message(purpose, needs, kind, flags, _NFGENMSG.pack(_IPV4, 0, 0) + body)


# Conditions -------------------------------------------------------------------------------------------------------------


def known_connection() -> list[bytes]:
    """Packets of a connection that was let pass before, in either direction, and errors about it."""
    load = _expression("ct", network32(1, _REGISTER), network32(2, _CONNTRACK_STATE))
    bits = struct.pack("=I", _ESTABLISHED_OR_RELATED)
    return [load, _masked(_REGISTER, bits), _compare(_REGISTER, _NOT_EQUAL, bytes(4))]


def source(network: Network, *, outside: bool = False) -> list[bytes]:
    return _address(_SOURCE_OFFSET, network, outside=outside)


def destination(network: Network, *, outside: bool = False) -> list[bytes]:
    return _address(_DESTINATION_OFFSET, network, outside=outside)


def protocol(wanted: Protocol) -> list[bytes]:
    load = _expression("meta", network32(1, _REGISTER), network32(2, _LAYER4_PROTOCOL))
    return [load, _compare(_REGISTER, _EQUAL, bytes([_NUMBERS[wanted]]))]


def ports(low: int, high: int) -> list[bytes]:
    """Destination ports, both ends included; only after `protocol`, which says that there are ports at all."""
    load = _payload(_TRANSPORT_HEADER, _PORT_OFFSET, _PORT_LENGTH)
    if low == high:
        return [load, _compare(_REGISTER, _EQUAL, struct.pack("!H", low))]
    return [
        load,
        _compare(_REGISTER, _AT_LEAST, struct.pack("!H", low)),
        _compare(_REGISTER, _AT_MOST, struct.pack("!H", high)),
    ]


def every(count: int) -> list[bytes]:
    """Every so-manyth packet that gets here, beginning with the first."""
    load = _expression("numgen", network32(1, _REGISTER), network32(2, count), network32(3, 0))
    return [load, _compare(_REGISTER, _EQUAL, bytes(4))]


# Verdicts ---------------------------------------------------------------------------------------------------------------


def verdict(code: int) -> bytes:
    return _verdict(network32(1, code))


def go_back() -> bytes:
    """Leave this chain and go on after the jump that led here."""
    return _verdict(network32(1, _RETURN))


def jump(name: str) -> bytes:
    return _verdict(network32(1, _JUMP) + text(2, name))


def redirect(address: Address, port: int) -> list[bytes]:
    """Change where a new connection goes; its later packets and their answers follow by themselves."""
    return [
        _immediate(_REGISTER, address.packed),
        _immediate(_SECOND_REGISTER, struct.pack("!H", port)),
        _expression(
            "nat",
            network32(1, 1),
            network32(2, _IPV4),
            network32(3, _REGISTER),
            network32(5, _SECOND_REGISTER),
        ),
    ]


# Expressions ------------------------------------------------------------------------------------------------------------


def _address(offset: int, network: Network, *, outside: bool) -> list[bytes]:
    """Compare an address with a network; `outside` turns the comparison round."""
    if not network.prefixlen and not outside:
        return []
    raw = network.network_address.packed
    expressions = [_payload(_NETWORK_HEADER, offset, len(raw))]
    if network.prefixlen < network.max_prefixlen:
        expressions.append(_masked(_REGISTER, network.netmask.packed))
    return [*expressions, _compare(_REGISTER, _NOT_EQUAL if outside else _EQUAL, raw)]


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *attributes))


@lru_cache(maxsize=_REMEMBERED)
def _payload(base: int, offset: int, length: int) -> bytes:
    return _expression(
        "payload", network32(1, _REGISTER), network32(2, base), network32(3, offset), network32(4, length)
    )


@lru_cache(maxsize=_REMEMBERED)
def _compare(register: int, operator: int, value: bytes) -> bytes:
    return _expression("cmp", network32(1, register), network32(2, operator), nested(3, attribute(1, value)))


@lru_cache(maxsize=_REMEMBERED)
def _masked(register: int, mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        network32(1, register),
        network32(2, register),
        network32(3, len(mask)),
        nested(4, attribute(1, mask)),
        nested(5, attribute(1, bytes(len(mask)))),
    )


def _immediate(register: int, value: bytes) -> bytes:
    return _expression("immediate", network32(1, register), nested(2, attribute(1, value)))


def _verdict(attributes: bytes) -> bytes:
    return _expression("immediate", network32(1, _VERDICT_REGISTER), nested(2, nested(2, attributes)))
