"""Random worlds of any size that look like real clusters: namespaces of teams, pods of workloads, a few policies in each namespace.

The same seed makes the same world. Sizes of namespaces and workloads differ, keys are shared, and what policies say is what people
write: close a namespace, open it to itself, to a namespace by name or by label, to a workload, to ranges of addresses with holes, on
ports by number, by range and by name.
"""

from __future__ import annotations

import ipaddress
from random import Random
from typing import TYPE_CHECKING

from conformance.model.policy import (
    Direction,
    IPBlock,
    LabelSelector,
    NetworkPolicy,
    Operator,
    Peer,
    PolicyPort,
    Requirement,
    Rule,
)
from conformance.model.state import State
from conformance.model.world import NAMESPACE_NAME_LABEL, Endpoint, Namespace, Node, Pod, Protocol, Server, World

if TYPE_CHECKING:
    from collections.abc import Sequence

PORTS = ((80, Protocol.TCP), (81, Protocol.TCP), (53, Protocol.UDP))

_BOTH = frozenset(Direction)
_APPS = ("web", "api", "db", "cache", "queue", "worker", "proxy", "auth", "search", "mail", "cron", "metrics")
_TEAMS = ("red", "blue", "green", "black", "white")
_TIERS = ("front", "back", "data")
_SERVERS = (
    (Server(80, Protocol.TCP, "http"), Server(81, Protocol.TCP, "admin"), Server(53, Protocol.UDP, "dns")),
    (Server(80, Protocol.TCP, "admin"), Server(81, Protocol.TCP, "http"), Server(53, Protocol.UDP, "dns")),
    (Server(80, Protocol.TCP), Server(81, Protocol.TCP), Server(53, Protocol.UDP)),
)
_PODS_OF_A_NODE, _FIRST_NODE = 256, int(ipaddress.ip_address("10.0.0.0"))
_CLUSTER = "10.0.0.0/8"


def large_state(
    pods: int, policies: int, *, nodes: int | None = None, namespaces: int | None = None, seed: int = 0
) -> State:
    """Make a world of some pods, ten to a node and about fifty to a namespace unless it is said otherwise, under some policies."""
    random = Random(f"{seed} {pods} {policies}")
    world = _world(random, pods, nodes or max(2, pods // 10), namespaces or max(3, pods // 50))
    drawn = _policies(random, world, policies)
    return State(world, {policy.ref: policy for policy in drawn})


def _world(random: Random, pods: int, nodes: int, namespaces: int) -> World:
    names = [f"ns-{number}" for number in range(namespaces)]
    made = {
        name: Namespace(name, {"team": random.choice(_TEAMS), "stage": random.choice(("prod", "test"))})
        for name in names
    }
    found: dict[str, Pod] = {}
    used = [0] * nodes
    while len(found) < pods:
        namespace, app = random.choice(names), random.choice(_APPS)
        labels = {"app": app, "tier": random.choice(_TIERS)}
        if random.random() < 0.5:
            labels["team"] = random.choice(_TEAMS)
        serving = random.choice(_SERVERS)
        for _ in range(min(random.randint(1, 8), pods - len(found))):  # the replicas of one workload
            node = min(random.sample(range(nodes), min(3, nodes)), key=used.__getitem__)
            used[node] += 1
            address = str(ipaddress.ip_address(_FIRST_NODE + node * _PODS_OF_A_NODE + used[node]))
            each = Pod(namespace, f"{app}-{len(found)}", labels, serving, node=node, addresses=(address,))
            found[each.ref] = each
    return World(made, found, endpoints={"ext": Endpoint("ext", _SERVERS[2], ("192.0.2.7",))}, nodes=(Node(),) * nodes)


def _policies(random: Random, world: World, number: int) -> list[NetworkPolicy]:
    """Draw policies for namespaces in turn; a quarter of the namespaces has none."""
    having = list(world.namespaces)[: max(1, len(world.namespaces) * 3 // 4)]
    blocks = _blocks(random, world)
    found = []
    for place in range(number):
        namespace = having[place % len(having)]
        draw = random.choice((_closed, _open_inside, _for_app, _for_app, _for_app, _talks_to, _talks_to))
        found.append(draw(random, f"p{place}", namespace, having, blocks))
    return found


def _blocks(random: Random, world: World) -> tuple[IPBlock, ...]:
    """Draw ranges that occur again and again: everything but the cluster, the nets of nodes, single pods left out."""
    addresses = [pod.addresses[0] for pod in random.sample(list(world.pods.values()), min(20, len(world.pods)))]
    nets = [str(ipaddress.ip_network(f"{each}/{random.choice((22, 24, 26))}", strict=False)) for each in addresses]
    return (
        IPBlock("0.0.0.0/0", (_CLUSTER,)),
        *(IPBlock(_CLUSTER, (net,)) for net in nets[:5]),
        *(IPBlock(net) for net in nets[5:10]),
        *(IPBlock("0.0.0.0/0", (f"{each}/32",)) for each in addresses[10:15]),
        *(IPBlock(f"{each}/32") for each in addresses[15:]),
    )


def _closed(random: Random, name: str, namespace: str, *_: object) -> NetworkPolicy:
    types = random.choice((frozenset({Direction.INGRESS}), frozenset({Direction.INGRESS}), _BOTH))
    return NetworkPolicy(namespace, name, LabelSelector(), types)


def _open_inside(random: Random, name: str, namespace: str, *_: object) -> NetworkPolicy:
    inside = Rule((Peer(pod_selector=LabelSelector()),), _ports(random))
    return NetworkPolicy(namespace, name, LabelSelector(), frozenset({Direction.INGRESS}), ingress=(inside,))


def _for_app(
    random: Random, name: str, namespace: str, namespaces: Sequence[str], blocks: Sequence[IPBlock]
) -> NetworkPolicy:
    rules = tuple(_rule(random, namespaces, blocks) for _ in range(random.randint(1, 3)))
    return NetworkPolicy(namespace, name, _pods(random), frozenset({Direction.INGRESS}), ingress=rules)


def _talks_to(
    random: Random, name: str, namespace: str, namespaces: Sequence[str], blocks: Sequence[IPBlock]
) -> NetworkPolicy:
    rules = tuple(_rule(random, namespaces, blocks) for _ in range(random.randint(1, 3)))
    return NetworkPolicy(namespace, name, _pods(random), frozenset({Direction.EGRESS}), egress=rules)


def _rule(random: Random, namespaces: Sequence[str], blocks: Sequence[IPBlock]) -> Rule:
    return Rule(tuple(_peer(random, namespaces, blocks) for _ in range(random.randint(1, 3))), _ports(random))


def _peer(random: Random, namespaces: Sequence[str], blocks: Sequence[IPBlock]) -> Peer:
    kind = random.choice(("pods", "namespace", "team", "both", "both", "block"))
    if kind == "block":
        return Peer(ip_block=random.choice(blocks))
    if kind == "pods":
        return Peer(pod_selector=_pods(random))
    if kind == "namespace":
        return Peer(namespace_selector=LabelSelector({NAMESPACE_NAME_LABEL: random.choice(namespaces)}))
    team = LabelSelector({"team": random.choice(_TEAMS)})
    return Peer(namespace_selector=team, pod_selector=_pods(random) if kind == "both" else None)


def _pods(random: Random) -> LabelSelector:
    app = random.choice(_APPS)
    match random.randint(0, 3):
        case 0:
            return LabelSelector({"app": app})
        case 1:
            return LabelSelector({"app": app, "tier": random.choice(_TIERS)})
        case 2:
            return LabelSelector({}, (Requirement("app", Operator.IN, (app, random.choice(_APPS))),))
        case _:
            return LabelSelector({"app": app}, (Requirement("team", Operator.NOT_IN, (random.choice(_TEAMS),)),))


def _ports(random: Random) -> tuple[PolicyPort, ...]:
    return random.choice(
        (
            (),
            (PolicyPort(Protocol.TCP, 80),),
            (PolicyPort(Protocol.TCP, 80, 81),),
            (PolicyPort(Protocol.TCP, "http"),),
            (PolicyPort(Protocol.TCP, 81), PolicyPort(Protocol.UDP, 53)),
        )
    )
