"""Lookups in which alone a defect shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.policy import Direction

if TYPE_CHECKING:
    from conformance.lab.miniatures.defect import Packet


def egress(_: Packet, direction: Direction) -> bool:
    return direction is Direction.EGRESS


def ingress(_: Packet, direction: Direction) -> bool:
    return direction is Direction.INGRESS


def second_node(packet: Packet, direction: Direction) -> bool:
    subject = packet.sender if direction is Direction.EGRESS else packet.receiver
    return subject is not None and subject.node > 0
