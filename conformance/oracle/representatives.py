"""Many pods and endpoints at once: what a rule says of them, as a number whose bit n is the answer for the n-th of them.

A rule is asked for one of all that it cannot tell apart, and once where many policies have the same rule.
"""

from __future__ import annotations

from collections import defaultdict
from operator import itemgetter
from typing import TYPE_CHECKING

from conformance.model.world import address_in
from conformance.oracle.reads import named_ports, read_by
from conformance.oracle.rules import peer_index, port_index

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence

    from conformance.model.policy import LabelSelector, Peer, Rule
    from conformance.model.world import Endpoint, IPFamily, Pod, Protocol, World


class Representatives:
    """Pods and endpoints in an order, and what was asked of them so far."""

    def __init__(
        self, world: World, places: Sequence[Pod | Endpoint], answers: Mapping[Hashable, int] | None = None
    ) -> None:
        self.places = tuple(places)
        self.everybody = (1 << len(self.places)) - 1
        self._world = world
        self._answers: dict[Hashable, int] = dict(answers or {})
        self._groups: dict[Hashable, list[int]] = {}
        self._told: dict[int, tuple[Hashable, bool, bool]] = {}
        self._rules: list[Rule] = []  # those that `_told` knows by their id, which is theirs only while they live

    def matching(self, rule: Rule, namespace: str, family: IPFamily | None) -> int:
        """Answer whom the peers of a policy's rule match, each by its address of a family, or by its first one."""
        peers, bare, blocks = self._told.get(id(rule)) or self._tell(rule)
        question = (peers, namespace if bare else None, family if blocks else None)
        if question not in self._answers:
            cells = split([self.everybody], (self._matching(peer, namespace, family) for peer in rule.peers))
            self._answers[question] = self._where(cells, lambda each: self._match(rule.peers, namespace, family, each))
        return self._answers[question]

    def on_port(self, rule: Rule, port: int, protocol: Protocol) -> int:
        """Answer at whom, as destinations, the ports of a rule match."""
        question = (rule.ports, port, protocol)
        if question not in self._answers:
            groups = self._grouped(named_ports, named_ports)
            self._answers[question] = self._where(groups, lambda each: port_index(rule.ports, port, protocol, each)[0])
        return self._answers[question]

    def only(self, numbers: Sequence[int]) -> Representatives:
        """Return some of them, of whom all is known that is known of all."""
        chosen = itemgetter(*numbers, 0)  # the 0 is one too many, so that it always returns several
        width = len(self.places)
        kept = {
            question: int("".join(chosen(f"{answer:0{width}b}"[::-1])[-2::-1]), 2)
            for question, answer in self._answers.items()
        }
        return Representatives(self._world, [self.places[number] for number in numbers], kept)

    def _matching(self, peer: Peer, namespace: str, family: IPFamily | None) -> int:
        bare = peer.ip_block is None and peer.namespace_selector is None
        question = ("peer", _told(peer), namespace if bare else None, family if peer.ip_block else None)
        if question not in self._answers:
            read = read_by(peer, family)
            groups = self._grouped(read, lambda each: read.of(each, self._world))
            self._answers[question] = self._where(groups, lambda each: self._match((peer,), namespace, family, each))
        return self._answers[question]

    def _match(self, peers: Sequence[Peer], namespace: str, family: IPFamily | None, other: Pod | Endpoint) -> bool:
        return peer_index(peers, namespace, other, address_in(other.addresses, family), self._world)[0]

    def _where(self, groups: Iterable[int], answer: Callable[[Pod | Endpoint], bool]) -> int:
        """Return the groups, put together, of which the first one's answer is yes."""
        return sum(group for group in groups if answer(self.places[lowest(group)]))

    def _grouped(self, name: Hashable, read: Callable[[Pod | Endpoint], Hashable]) -> list[int]:
        """Return everybody in groups of whom the same is read; `name` says how they are grouped."""
        if name not in self._groups:
            self._groups[name] = grouped(map(read, self.places))
        return self._groups[name]

    def _tell(self, rule: Rule) -> tuple[Hashable, bool, bool]:
        bare = any(each.ip_block is None and each.namespace_selector is None for each in rule.peers)
        blocks = any(each.ip_block is not None for each in rule.peers)
        self._rules.append(rule)
        self._told[id(rule)] = told = (tuple(map(_told, rule.peers)), bare, blocks)
        return told


def grouped(keys: Iterable[Hashable]) -> list[int]:
    """Return for each different key the bits of those that have it."""
    groups: dict[Hashable, int] = defaultdict(int)
    for number, key in enumerate(keys):
        groups[key] |= 1 << number
    return list(groups.values())


def split(cells: Iterable[int], answers: Iterable[int]) -> list[int]:
    """Cut sets of bits so that no answer is true of one part of a set and false of another."""
    found = list(cells)
    for answer in answers:
        cut = []
        for cell in found:
            inside = cell & answer
            cut += [inside, cell ^ inside] if inside and inside != cell else [cell]
        found = cut
    return found


def turned(rows: Sequence[int]) -> list[int]:
    """Return the columns of a square of bits as rows; equal rows are turned together."""
    same: dict[int, int] = defaultdict(int)
    for number, row in enumerate(rows):
        same[row] |= 1 << number
    columns = [0] * len(rows)
    for row, having in same.items():
        for number in numbers_in(row):
            columns[number] |= having
    return columns


def numbers_in(bits: int) -> Iterator[int]:
    """Yield the numbers of the bits that are set, lowest first."""
    digits = f"{bits:b}"[::-1]
    number = digits.find("1")
    while number >= 0:
        yield number
        number = digits.find("1", number + 1)


def lowest(bits: int) -> int:
    """Return the number of the lowest bit that is set."""
    return (bits & -bits).bit_length() - 1


def _told(peer: Peer) -> Hashable:
    return peer.ip_block, _selector(peer.namespace_selector), _selector(peer.pod_selector)


def _selector(selector: LabelSelector | None) -> Hashable:
    return selector and (tuple(sorted(selector.match_labels.items())), selector.match_expressions)
