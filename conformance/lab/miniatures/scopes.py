"""Lookups in which alone a defect shows: by direction, by protocol, by where the two ends are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.policy import Direction
from conformance.model.world import Protocol

if TYPE_CHECKING:
    from conformance.lab.miniatures.defect import Packet


def egress(_: Packet, direction: Direction) -> bool:
    return direction is Direction.EGRESS


def ingress(_: Packet, direction: Direction) -> bool:
    return direction is Direction.INGRESS


def udp(packet: Packet, _: Direction) -> bool:
    return packet.protocol is Protocol.UDP


def ipv6(packet: Packet, _: Direction) -> bool:
    return ":" in packet.destination


def same_node(packet: Packet, _: Direction) -> bool:
    return packet.sender is not None and packet.receiver is not None and not packet.crosses_nodes


def cross_node(packet: Packet, _: Direction) -> bool:
    return packet.crosses_nodes


def from_outside(packet: Packet, _: Direction) -> bool:
    return packet.sender is None


def second_node(packet: Packet, direction: Direction) -> bool:
    subject = packet.sender if direction is Direction.EGRESS else packet.receiver
    return subject is not None and subject.node > 0
