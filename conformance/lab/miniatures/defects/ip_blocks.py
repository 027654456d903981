"""Mistakes with ipBlock: M01 to M08. None is about host bits in a cidr, which the API server refuses."""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.lab.miniatures.data_plane import peer_pods, selects
from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.rewriting import edited_policies, in_peers, in_rules, policies, with_part
from conformance.lab.miniatures.scopes import egress, ingress
from conformance.model.policy import Direction, IPBlock, LabelSelector, Peer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.miniatures.rewriting import Place
    from conformance.model.policy import NetworkPolicy, Rule

    Holds = Callable[[IPBlock, Place], bool]


def _network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(cidr, strict=False)


def _is_whole(block: IPBlock) -> bool:
    return _network(block.cidr).prefixlen == 0


def _blocks(rules: Iterable[Rule]) -> Iterator[IPBlock]:
    for rule in rules:
        yield from (peer.ip_block for peer in rule.peers if peer.ip_block is not None)


def without_holes(when: Holds = lambda _, __: True, *, kept: int = 0) -> Callable[[Peer, Place], Iterator[Peer]]:
    """Know of the holes of a block only the first that are kept."""

    def changed(peer: Peer, place: Place) -> Iterator[Peer]:
        block = peer.ip_block
        if block is None or len(block.excepts) <= kept or not when(block, place):
            yield peer
        else:
            yield replace(peer, ip_block=replace(block, excepts=block.excepts[:kept]))

    return changed


def _minus(peers: Sequence[Peer], holes: Sequence[str], place: Place) -> tuple[Peer, ...]:
    """Return the peers without what lies in any of the holes; pods in them are named one by one."""
    if not holes:
        return tuple(peers)
    networks = [_network(hole) for hole in holes]
    left: list[Peer] = []
    for peer in peers or (Peer(ip_block=IPBlock("0.0.0.0/0")), Peer(ip_block=IPBlock("::/0"))):
        if peer.ip_block is not None:
            more = tuple(hole for hole in holes if hole not in peer.ip_block.excepts)
            left.append(
                replace(peer, ip_block=replace(peer.ip_block, excepts=(*peer.ip_block.excepts, *more)))
                if more
                else peer
            )
            continue
        addresses = [
            address for pod in peer_pods(peer, place.policy.namespace, place.world) for address in pod.addresses
        ]
        out = [each for each in addresses if not any(ipaddress.ip_address(each) in network for network in networks)]
        left += [peer] if out == addresses else [Peer(ip_block=IPBlock(each)) for each in out]
    return tuple(left)


def _except_denies(holes_for: Callable[[Rule, Place], Sequence[str]]) -> Hears:
    def changed(rule: Rule, place: Place) -> Iterator[Rule]:
        peers = _minus(rule.peers, holes_for(rule, place), place)
        yield from with_part(rule, "peers", peers)

    return policies(in_rules(changed))


def _of_rule(rule: Rule, _: Place) -> Sequence[str]:
    return [hole for block in _blocks([rule]) for hole in block.excepts]


def _of_policy(_: Rule, place: Place) -> Sequence[str]:
    return [hole for block in _blocks(place.policy.rules(place.direction)) for hole in block.excepts]


def _of_all_policies(_: Rule, place: Place) -> Sequence[str]:
    """Return the holes of all policies that isolate one of the pods that this one isolates."""
    return [
        hole for policy in _beside(place) for block in _blocks(policy.rules(place.direction)) for hole in block.excepts
    ]


def _beside(place: Place) -> Iterator[NetworkPolicy]:
    """Yield the policies, this one among them, that select a pod that it selects."""
    subjects = place.subjects
    for policy in place.state.policies.values():
        if any(selects(policy, pod) for pod in subjects):
            yield policy


def _narrowest_wins(rule: Rule, place: Place) -> Iterator[Rule]:
    """Take out of each block what a narrower one of another rule has."""
    others = [
        block
        for policy in _beside(place)
        for other in policy.rules(place.direction)
        if other is not rule
        for block in _blocks([other])
    ]
    peers = []
    for peer in rule.peers:
        block = peer.ip_block
        narrower = () if block is None else tuple(
            each.cidr for each in others if _is_within(each.cidr, block.cidr) and each.cidr not in block.excepts
        )  # fmt: skip
        peers.append(
            replace(peer, ip_block=replace(block, excepts=(*block.excepts, *narrower))) if block and narrower else peer
        )
    yield rule if peers == list(rule.peers) else replace(rule, peers=tuple(peers))


def _is_within(narrow: str, wide: str) -> bool:
    one, other = _network(narrow), _network(wide)
    return one.version == other.version and one != other and one.subnet_of(other)  # type: ignore[arg-type]


def _inherits_ports(rule: Rule, place: Place) -> Iterator[Rule]:
    """Open the ports of a block to narrower blocks of other rules too, even where they are its holes."""
    more = [
        Peer(ip_block=IPBlock(narrow.cidr))
        for block in _blocks([rule])
        for other in place.policy.rules(place.direction)
        if other is not rule
        for narrow in _blocks([other])
        if _is_within(narrow.cidr, block.cidr) and block.excepts
    ]
    yield replace(rule, peers=(*rule.peers, *more)) if more else rule


def _merged_by_cidr(rule: Rule, place: Place) -> Iterator[Rule]:
    """Lose a rule without ports for a block that a rule with ports names too."""
    if rule.ports:
        yield rule
        return
    with_ports = {
        block.cidr for other in place.policy.rules(place.direction) if other.ports for block in _blocks([other])
    }
    yield from _without_cidrs(rule, with_ports)


def _last_of_a_cidr(rule: Rule, place: Place) -> Iterator[Rule]:
    """Keep of the rules for one cidr only the last."""
    rules = place.policy.rules(place.direction)
    yield from _without_cidrs(rule, {block.cidr for block in _blocks(rules[place.number + 1 :])})


def _without_cidrs(rule: Rule, cidrs: Collection[str]) -> Iterator[Rule]:
    peers = tuple(peer for peer in rule.peers if peer.ip_block is None or peer.ip_block.cidr not in cidrs)
    return with_part(rule, "peers", peers)


def _only_blocks(holds: Callable[[IPBlock], bool]) -> Callable[[Peer, Place], Iterator[Peer]]:
    """Keep blocks of a kind only, and what is no block."""

    def changed(peer: Peer, _: Place) -> Iterator[Peer]:
        if peer.ip_block is None or holds(peer.ip_block):
            yield peer

    return changed


def _one_bit_wider(peer: Peer, _: Place) -> Iterator[Peer]:
    block = peer.ip_block
    network = _network(block.cidr) if block is not None else None
    if block is None or network is None or network.prefixlen == 0:
        yield peer
    else:
        yield replace(peer, ip_block=replace(block, cidr=str(network.supernet())))


def _hole_is_its_first_address(peer: Peer, _: Place) -> Iterator[Peer]:
    block = peer.ip_block
    if block is None or not block.excepts:
        yield peer
    else:
        firsts = tuple(str(_network(hole).network_address) for hole in block.excepts)
        yield peer if firsts == block.excepts else replace(peer, ip_block=replace(block, excepts=firsts))


def _not_pods(peer: Peer, place: Place) -> Iterator[Peer]:
    """Let a block match no address of a pod."""
    block = peer.ip_block
    if block is None:
        yield peer
        return
    network = _network(block.cidr)
    inside = tuple(
        address
        for pod in place.world.pods.values()
        for address in pod.addresses
        if ipaddress.ip_address(address) in network
    )
    yield replace(peer, ip_block=replace(block, excepts=(*block.excepts, *inside))) if inside else peer


def _only_pods(peer: Peer, place: Place) -> Iterator[Peer]:
    """Let a block match addresses of pods only."""
    block = peer.ip_block
    if block is None:
        yield peer
        return
    for pod in place.world.pods.values():
        for address in pod.addresses:
            ip = ipaddress.ip_address(address)
            if ip in _network(block.cidr) and not any(ip in _network(hole) for hole in block.excepts):
                yield Peer(ip_block=IPBlock(address))


def _also_own_namespace(peer: Peer, place: Place) -> Iterator[Peer]:
    yield peer
    if peer.ip_block is not None and place.direction is Direction.INGRESS:
        yield Peer(pod_selector=LabelSelector())


def _peers_lost(rule: Rule, _: Place) -> Iterator[Rule]:
    yield replace(rule, peers=()) if rule.ports and any(_blocks([rule])) else rule


def _ports_lost(rule: Rule, _: Place) -> Iterator[Rule]:
    yield replace(rule, ports=()) if rule.ports and any(_blocks([rule])) else rule


def _any_peers_lost(rule: Rule, _: Place) -> Iterator[Rule]:
    yield replace(rule, peers=()) if rule.ports and rule.peers else rule


_IGNORES = Defect(
    "ignores-except",
    "M01",
    "lets the whole cidr of an ipBlock through, without its holes",
    policies(in_peers(without_holes())),
)
_DENIES = Defect(
    "except-denies",
    "M02",
    "keeps out of every rule, of whatever policy, what any of them excepts",
    _except_denies(_of_all_policies),
)
_NOT_PODS = Defect("block-not-pods", "M07", "lets an ipBlock match no address of a pod", policies(in_peers(_not_pods)))

DEFECTS = (
    _IGNORES,
    _IGNORES.only("egress", egress),
    _IGNORES.only("ingress", ingress),
    Defect("ignores-except-of-everything", "M01", "ignores the holes of 0.0.0.0/0 and ::/0", policies(in_peers(without_holes(lambda block, _: _is_whole(block))))),
    Defect("ignores-except-of-a-part", "M01", "ignores the holes of blocks other than 0.0.0.0/0 and ::/0", policies(in_peers(without_holes(lambda block, _: not _is_whole(block))))),
    Defect("ignores-except-with-ports", "M01", "ignores the holes of a rule that has ports", policies(in_peers(without_holes(lambda _, place: bool(place.rule.ports))))),
    Defect("ignores-except-without-ports", "M01", "ignores the holes of a rule that has no ports", policies(in_peers(without_holes(lambda _, place: not place.rule.ports)))),
    Defect("ignores-second-except", "M01", "knows the first hole of a block only", policies(in_peers(without_holes(kept=1)))),
    Defect("ignores-edited-except", "M01", "ignores the holes of a policy that was edited", edited_policies(in_peers(without_holes()))),
    Defect("except-is-one-address", "M01", "keeps out only the first address of a hole", policies(in_peers(_hole_is_its_first_address))),
    _DENIES,
    _DENIES.only("egress", egress),
    _DENIES.only("ingress", ingress),
    Defect("except-pooled-in-rule", "M03", "keeps what one peer of a rule excepts out of all of its peers", _except_denies(_of_rule)),
    Defect("except-pooled-in-policy", "M03", "keeps what one rule of a policy excepts out of all of its rules", _except_denies(_of_policy)),
    Defect("narrowest-block-wins", "M04", "opens to an address only the ports of the narrowest block that has it", policies(in_rules(_narrowest_wins))),
    Defect("ports-of-the-wider-block", "M04", "opens to a block what a wider one opens that excepts it", policies(in_rules(_inherits_ports))),
    Defect("merges-by-cidr", "M05", "loses the rule without ports of two for the same cidr", policies(in_rules(_merged_by_cidr))),
    Defect("last-rule-of-a-cidr", "M05", "keeps of several rules for the same cidr only the last", policies(in_rules(_last_of_a_cidr))),
    Defect("no-block-of-everything", "M06", "lets 0.0.0.0/0 and ::/0 match nothing", policies(in_peers(_only_blocks(lambda block: not _is_whole(block))))),
    Defect("no-block-of-one-address", "M06", "lets a block of a single address match nothing", policies(in_peers(_only_blocks(lambda block: _network(block.cidr).num_addresses > 1)))),
    Defect("block-one-bit-wider", "M06", "compares one bit less of an address than a block has", policies(in_peers(_one_bit_wider))),
    _NOT_PODS,
    _NOT_PODS.only("egress", egress),
    _NOT_PODS.only("ingress", ingress),
    Defect("block-only-pods", "M07", "lets an ipBlock match addresses of pods only", policies(in_peers(_only_pods))),
    Defect("block-and-own-namespace", "M07", "lets an ingress ipBlock match the pods of the policy's own namespace too", policies(in_peers(_also_own_namespace))),
    Defect("block-with-ports-is-anybody", "M08", "forgets the peers of a rule with an ipBlock and ports", policies(in_rules(_peers_lost))),
    Defect("block-loses-ports", "M08", "forgets the ports of a rule with an ipBlock", policies(in_rules(_ports_lost))),
    Defect("ports-lose-peers", "M08", "forgets the peers of every rule with ports", policies(in_rules(_any_peers_lost))),
)  # fmt: skip
