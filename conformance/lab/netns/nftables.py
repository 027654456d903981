"""Requests about nftables: a table for each family of addresses, its chains, and rules made of expressions.

A rule is a list of expressions; each loads something into a register, or compares a register and ends the rule where the
comparison fails. So a rule is a conjunction, and its last expression is what happens to a packet that all of it fits.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from pyroute2.netlink import NLM_F_APPEND, NLM_F_CREATE
from pyroute2.netlink.nfnetlink import NFNL_SUBSYS_NFTABLES, nfgen_msg
from pyroute2.netlink.nfnetlink.nftsocket import (
    NFPROTO_IPV4,
    NFPROTO_IPV6,
    NFT_MSG_DELCHAIN,
    NFT_MSG_DELRULE,
    NFT_MSG_DELTABLE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFT_MSG_NEWTABLE,
    Cmp,
    Meta,
    Regs,
    nft_chain_msg,
    nft_rule_msg,
    nft_table_msg,
)
from pyroute2.nftables.expressions import genex

from conformance.lab.netns.netlink import Message, element, encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.lab.netns.compile import Address, Network
    from conformance.model.world import Protocol

TABLE = "netpol"
DROP, ACCEPT = 0, 1
PREROUTING, FORWARD, POSTROUTING = 0, 2, 4  # hooks
FILTER_PRIORITY, DESTINATION_NAT_PRIORITY, SOURCE_NAT_PRIORITY = 0, -100, 100

_BATCH_BEGIN, _BATCH_END = 0x10, 0x11
_RETURN, _JUMP = -5, -3
_NETWORK_HEADER, _TRANSPORT_HEADER = 1, 2
_CONNTRACK_STATE, _ESTABLISHED_OR_RELATED = 0, 0b110
_SOURCE_NAT, _DESTINATION_NAT = 0, 1
_INCREMENTAL = 0
_NUMBERS = {"TCP": 6, "UDP": 17, "SCTP": 132}
_FAMILY = {4: NFPROTO_IPV4, 6: NFPROTO_IPV6}
_SOURCE_OFFSET, _DESTINATION_OFFSET = {4: 12, 6: 8}, {4: 16, 6: 24}  # in an IP header
_MARK_LENGTH = 4
_PORT_OFFSET, _PORT_LENGTH = 2, 2  # the destination port is at the same place in TCP, UDP and SCTP

# Encoding a rule takes pyroute2 some 0.4 ms. But many rules differ in one expression only, and many come again.
_remembered = lru_cache(maxsize=4096)


class _Rule(nfgen_msg):  # type: ignore[misc]
    """A rule as pyroute2's nft_rule_msg, but with expressions that are encoded already: so they can be remembered."""

    nla_map = (
        (1, "NFTA_RULE_TABLE", "asciiz"),
        (2, "NFTA_RULE_CHAIN", "asciiz"),
        (4, "NFTA_RULE_EXPRESSIONS", "binary"),
    )


# Messages ---------------------------------------------------------------------------------------------------------------


def transaction(messages: Sequence[Message]) -> list[Message]:
    """Return messages that the kernel carries out all together, or not at all."""
    body = encoded(nfgen_msg, {"res_id": NFNL_SUBSYS_NFTABLES})
    return [
        Message("begin a transaction", "nf_tables", _BATCH_BEGIN, 0, body),
        *messages,
        Message("end a transaction", "nf_tables", _BATCH_END, 0, body),
    ]


def table(version: int) -> Message:
    """Make the table of a version of IP, 4 or 6; what is in it sees packets of that version only."""
    body = _encoded(version, nft_table_msg, ("NFTA_TABLE_NAME", TABLE))
    return _message("make the table", "nf_tables", NFT_MSG_NEWTABLE, NLM_F_CREATE, body)


def delete_table(version: int) -> Message:
    """Delete the table with all that is in it."""
    body = _encoded(version, nft_table_msg, ("NFTA_TABLE_NAME", TABLE))
    return _message("delete the table", "nf_tables", NFT_MSG_DELTABLE, 0, body)


def hooked_chain(version: int, name: str, kind: str, hook: int, priority: int) -> Message:
    """Make a chain that the kernel sends packets to; what reaches its end is accepted."""
    place = {"attrs": [("NFTA_HOOK_HOOKNUM", hook), ("NFTA_HOOK_PRIORITY", priority)]}
    behaviour = [("NFTA_CHAIN_HOOK", place), ("NFTA_CHAIN_POLICY", ACCEPT), ("NFTA_CHAIN_TYPE", kind)]
    needs = "nft_chain_nat" if kind == "nat" else "nf_tables"
    body = _encoded(version, nft_chain_msg, *_chain(name), *behaviour)
    return _message(f"make the chain {name}", needs, NFT_MSG_NEWCHAIN, NLM_F_CREATE, body)


def chain(version: int, name: str) -> Message:
    """Make a chain that packets reach only by a jump; what reaches its end goes back."""
    body = _encoded(version, nft_chain_msg, *_chain(name))
    return _message(f"make the chain {name}", "nf_tables", NFT_MSG_NEWCHAIN, NLM_F_CREATE, body)


def delete_chain(version: int, name: str) -> Message:
    body = _encoded(version, nft_chain_msg, *_chain(name))
    return _message(f"delete the chain {name}", "nf_tables", NFT_MSG_DELCHAIN, 0, body)


def flush(version: int, name: str) -> Message:
    """Delete all rules of a chain."""
    body = _encoded(version, nft_rule_msg, ("NFTA_RULE_TABLE", TABLE), ("NFTA_RULE_CHAIN", name))
    return _message(f"empty the chain {name}", "nf_tables", NFT_MSG_DELRULE, 0, body)


def rule(version: int, name: str, expressions: Sequence[bytes], needs: str = "nf_tables") -> Message:
    body = _rule(version, name, b"".join(expressions))
    return _message(f"add a rule to the chain {name}", needs, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, body)


@_remembered
def _rule(version: int, name: str, expressions: bytes) -> bytes:
    place = [("NFTA_RULE_TABLE", TABLE), ("NFTA_RULE_CHAIN", name)]
    return _encoded(version, _Rule, *place, ("NFTA_RULE_EXPRESSIONS", expressions))


def _chain(name: str) -> list[tuple[str, object]]:
    return [("NFTA_CHAIN_TABLE", TABLE), ("NFTA_CHAIN_NAME", name)]


def _encoded(version: int, form: type[Any], *attributes: tuple[str, object]) -> bytes:
    return encoded(form, {"nfgen_family": _FAMILY[version]}, attributes)


def _message(purpose: str, needs: str, kind: int, flags: int, body: bytes) -> Message:
    return Message(purpose, needs, NFNL_SUBSYS_NFTABLES << 8 | kind, flags, body)


# Conditions -------------------------------------------------------------------------------------------------------------


def known_connection() -> list[bytes]:
    """Packets of a connection that was let pass before, in either direction, and errors about it."""
    bits = _ESTABLISHED_OR_RELATED.to_bytes(4, sys.byteorder)
    return [_load("ct", _CONNTRACK_STATE), _masked(bits), _compare(Cmp.NFT_CMP_NEQ, bytes(4))]


def source(network: Network, *, outside: bool = False) -> list[bytes]:
    return _address(_SOURCE_OFFSET[network.version], network, outside=outside)


def destination(network: Network, *, outside: bool = False) -> list[bytes]:
    return _address(_DESTINATION_OFFSET[network.version], network, outside=outside)


def protocol(wanted: Protocol) -> list[bytes]:
    return [_load("meta", Meta.NFT_META_L4PROTO), _compare(Cmp.NFT_CMP_EQ, bytes([_NUMBERS[wanted]]))]


def ports(low: int, high: int) -> list[bytes]:
    """Destination ports, both ends included; only after `protocol`, which says that there are ports at all."""
    load = _payload(_TRANSPORT_HEADER, _PORT_OFFSET, _PORT_LENGTH)
    if low == high:
        return [load, _compare(Cmp.NFT_CMP_EQ, _port(low))]
    return [load, _compare(Cmp.NFT_CMP_GTE, _port(low)), _compare(Cmp.NFT_CMP_LTE, _port(high))]


def every(count: int) -> list[bytes]:
    """Every so-manyth packet that gets here, beginning with the first."""
    turn = [("NFTA_NG_DREG", Regs.NFT_REG_1), ("NFTA_NG_MODULUS", count), ("NFTA_NG_TYPE", _INCREMENTAL)]
    # genex would call the attributes NFTA_NUMGEN_..., which pyroute2 does not know
    load = {"attrs": [("NFTA_EXPR_NAME", "numgen"), ("NFTA_EXPR_DATA", {"attrs": turn})]}
    return [element(nft_rule_msg.nft_expr, load), _compare(Cmp.NFT_CMP_EQ, bytes(4))]


def marked(mark: int) -> list[bytes]:
    """Packets that this node has marked since they came in."""
    return [_load("meta", Meta.NFT_META_MARK), _compare(Cmp.NFT_CMP_EQ, mark.to_bytes(_MARK_LENGTH, sys.byteorder))]


# Verdicts ---------------------------------------------------------------------------------------------------------------


def verdict(code: int) -> bytes:
    return _verdict(code)


def go_back() -> bytes:
    """Leave this chain and go on after the jump that led here."""
    return _verdict(_RETURN)


def jump(name: str) -> bytes:
    return _verdict(_JUMP, name)


def redirect(address: Address, port: int) -> list[bytes]:
    """Change where a new connection goes; its later packets and their answers follow by themselves."""
    return [
        _immediate(Regs.NFT_REG_1, address.packed),
        _immediate(Regs.NFT_REG_2, _port(port)),
        _expression(
            "nat",
            type=_DESTINATION_NAT,
            family=_FAMILY[address.version],
            reg_addr_min=Regs.NFT_REG_1,
            reg_proto_min=Regs.NFT_REG_2,
        ),
    ]


def masquerade(address: Address) -> list[bytes]:
    """Change where a new connection comes from; its later packets and their answers follow by themselves."""
    nat = {"type": _SOURCE_NAT, "family": _FAMILY[address.version], "reg_addr_min": Regs.NFT_REG_1}
    return [_immediate(Regs.NFT_REG_1, address.packed), _expression("nat", **nat)]


def mark(number: int) -> list[bytes]:
    """Mark a packet until it leaves this node."""
    return [
        _immediate(Regs.NFT_REG_1, number.to_bytes(_MARK_LENGTH, sys.byteorder)),
        _expression("meta", sreg=Regs.NFT_REG_1, key=Meta.NFT_META_MARK),
    ]


# Expressions ------------------------------------------------------------------------------------------------------------


def _address(offset: int, network: Network, *, outside: bool) -> list[bytes]:
    """Compare an address with a network; `outside` turns the comparison round."""
    if not network.prefixlen and not outside:
        return []
    raw = network.network_address.packed
    expressions = [_payload(_NETWORK_HEADER, offset, len(raw))]
    if network.prefixlen < network.max_prefixlen:
        expressions.append(_masked(network.netmask.packed))
    return [*expressions, _compare(Cmp.NFT_CMP_NEQ if outside else Cmp.NFT_CMP_EQ, raw)]


@_remembered
def _load(name: str, key: int) -> bytes:
    return _expression(name, dreg=Regs.NFT_REG_1, key=key)


@_remembered
def _payload(base: int, offset: int, length: int) -> bytes:
    return _expression("payload", dreg=Regs.NFT_REG_1, base=base, offset=offset, len=length)


@_remembered
def _compare(operator: int, value: bytes) -> bytes:
    return _expression("cmp", sreg=Regs.NFT_REG_1, op=operator, data=_value(value))


@_remembered
def _masked(mask: bytes) -> bytes:
    registers = {"sreg": Regs.NFT_REG_1, "dreg": Regs.NFT_REG_1}
    nothing = bytes(len(mask))
    return _expression("bitwise", **registers, len=len(mask), mask=_value(mask), xor=_value(nothing))


@_remembered
def _immediate(register: int, value: bytes) -> bytes:
    return _expression("immediate", dreg=register, data=_value(value))


@_remembered
def _verdict(code: int, chain: str | None = None) -> bytes:
    target = [] if chain is None else [("NFTA_VERDICT_CHAIN", chain)]
    data = [("NFTA_DATA_VERDICT", {"attrs": [("NFTA_VERDICT_CODE", code), *target]})]
    return _expression("immediate", dreg=Regs.NFT_REG_VERDICT, data={"attrs": data})


def _expression(name: str, **attributes: object) -> bytes:
    """Encode an expression by the name that pyroute2 and the kernel have for it."""
    return element(nft_rule_msg.nft_expr, genex(name, attributes))


def _value(raw: bytes) -> dict[str, Any]:
    return {"attrs": [("NFTA_DATA_VALUE", raw)]}


def _port(number: int) -> bytes:
    return number.to_bytes(_PORT_LENGTH, "big")
