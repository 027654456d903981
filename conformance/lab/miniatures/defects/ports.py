"""Mistakes with ports, protocols and ranges: M09 to M12."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.defect import Defect, both_ends
from conformance.lab.miniatures.rewriting import all_ports, edited_policies, first_of, in_ports, in_rules, policies
from conformance.lab.miniatures.scopes import egress
from conformance.model.policy import PolicyPort
from conformance.model.world import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.lab.miniatures.defect import Lets, Packet
    from conformance.lab.miniatures.rewriting import ChangesPolicy, Place
    from conformance.model.policy import NetworkPolicy, Rule
    from conformance.model.state import State


def _each(change: Callable[[PolicyPort], PolicyPort | None]) -> ChangesPolicy:
    def changed(port: PolicyPort, _: Place) -> Iterator[PolicyPort]:
        new = change(port)
        if new is not None:
            yield new

    return in_ports(changed)


def _without_policies_that(holds: Callable[[PolicyPort], bool]) -> ChangesPolicy:
    def changed(policy: NetworkPolicy, _: State) -> NetworkPolicy | None:
        return None if any(map(holds, all_ports(policy))) else policy

    return changed


def _every_protocol(port: PolicyPort, _: Place) -> Iterator[PolicyPort]:
    yield port
    if port.port is None:
        yield from (replace(port, protocol=other) for other in Protocol if other is not port.protocol)


def _as_another(to: Protocol, *, of: Protocol) -> Callable[[PolicyPort], PolicyPort]:
    return lambda port: replace(port, protocol=to) if port.protocol is of else port


def _both_protocols(port: PolicyPort, _: Place) -> Iterator[PolicyPort]:
    yield port
    others = {Protocol.TCP: Protocol.UDP, Protocol.UDP: Protocol.TCP}
    if port.protocol in others:
        yield replace(port, protocol=others[port.protocol])


def _numbers_replace_all(rule: Rule, _: Place) -> Iterator[Rule]:
    """Keep of a protocol its numbers only, where it has both them and an entry without a number."""
    numbered = {port.protocol for port in rule.ports if port.port is not None}
    kept = tuple(port for port in rule.ports if port.port is not None or port.protocol not in numbered)
    yield rule if len(kept) == len(rule.ports) else replace(rule, ports=kept)


def _last_of_a_protocol(rule: Rule, _: Place) -> Iterator[Rule]:
    kept = {port.protocol: port for port in rule.ports}
    yield rule if len(kept) == len(rule.ports) else replace(rule, ports=tuple(kept.values()))


def _only_ends(port: PolicyPort, _: Place) -> Iterator[PolicyPort]:
    if port.end_port is None:
        yield port
    else:
        yield replace(port, end_port=None)
        yield PolicyPort(port.protocol, port.end_port)


def _range(change: Callable[[int, int], tuple[int, int]]) -> ChangesPolicy:
    def changed(port: PolicyPort) -> PolicyPort | None:
        if port.end_port is None or not isinstance(port.port, int):
            return port
        first, last = change(port.port, port.end_port)
        return replace(port, port=first, end_port=last) if first <= last else None

    return _each(changed)


def _isolates_nothing_for(protocol: Protocol) -> Callable[[Lets, Packet], bool]:
    return lambda lets, packet: packet.protocol is protocol or both_ends(lets, packet)


def _isolates_one_protocol(policy: NetworkPolicy, _: State) -> NetworkPolicy | None:
    """Ignore a policy whose rules are for SCTP only."""
    ports = all_ports(policy)
    return None if ports and all(port.protocol is Protocol.SCTP for port in ports) else policy


_IGNORES_END = Defect(
    "ignores-end-port",
    "M12",
    "opens the first port of a range only",
    policies(_each(lambda port: replace(port, end_port=None) if port.end_port else port)),
)
_TCP_AND_UDP = Defect(
    "tcp-and-udp-alike", "M11", "opens UDP where TCP is opened, and the reverse", policies(in_ports(_both_protocols))
)

DEFECTS = (
    Defect("no-port-without-number", "M09", "lets an entry of ports that has no port match nothing", policies(_each(lambda port: None if port.port is None else port))),
    Defect("no-number-no-protocol", "M09", "lets an entry of ports that has no port match every protocol", policies(in_ports(_every_protocol))),
    Defect("refuses-port-without-number", "M09", "ignores a policy with an entry of ports that has no port", policies(_without_policies_that(lambda port: port.port is None))),
    Defect("numbers-replace-all-ports", "M10", "forgets an entry for all ports of a protocol beside one for a number", policies(in_rules(_numbers_replace_all))),
    Defect("last-entry-of-a-protocol", "M10", "keeps of each protocol only the last entry of a rule's ports", policies(in_rules(_last_of_a_protocol))),
    Defect("first-entry-of-ports", "M10", "keeps only the first entry of a rule's ports", policies(first_of("ports", 1))),
    _TCP_AND_UDP,
    _TCP_AND_UDP.only("egress", egress),
    Defect("udp-is-tcp", "M11", "opens TCP where a rule opens UDP", policies(_each(_as_another(Protocol.TCP, of=Protocol.UDP)))),
    Defect("sctp-is-tcp", "M11", "opens TCP where a rule opens SCTP", policies(_each(_as_another(Protocol.TCP, of=Protocol.SCTP)))),
    Defect("never-opens-udp", "M11", "opens no UDP port", policies(_each(lambda port: None if port.protocol is Protocol.UDP else port))),
    Defect("never-closes-udp", "M11", "filters TCP only", carries=_isolates_nothing_for(Protocol.UDP)),
    Defect("refuses-only-sctp", "M11", "ignores a policy whose ports are all SCTP", policies(_isolates_one_protocol)),
    _IGNORES_END,
    _IGNORES_END.only("egress", egress),
    Defect("ignores-edited-end-port", "M12", "opens the first port of a range only, in a policy that was edited", edited_policies(_each(lambda port: replace(port, end_port=None) if port.end_port else port))),
    Defect("range-without-its-end", "M12", "leaves the last port of a range closed", policies(_range(lambda first, last: (first, last - 1)))),
    Defect("range-past-its-end", "M12", "opens one port too many at the end of a range", policies(_range(lambda first, last: (first, last + 1)))),
    Defect("range-without-its-start", "M12", "leaves the first port of a range closed", policies(_range(lambda first, last: (first + 1, last)))),
    Defect("range-before-its-start", "M12", "opens one port too many at the start of a range", policies(_range(lambda first, last: (first - 1, last)))),
    Defect("range-open-ended", "M12", "opens all ports from the start of a range on", policies(_range(lambda first, _: (first, 65535)))),
    Defect("only-ends-of-a-range", "M12", "opens the two ends of a range only", policies(in_ports(_only_ends))),
    Defect("range-is-every-port", "M12", "opens every port where a rule has a range", policies(_range(lambda _, __: (0, 65535)))),
)  # fmt: skip
