"""Small random worlds and policies: few names and few values, so that what is drawn meets and overlaps.

They are drawn from a `random.Random`. Thousands of them come quickly from seeds; from Hypothesis's own randoms they come slower, and
what fails is made small.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import strategies as st

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
from conformance.model.world import (
    NAMESPACE_NAME_LABEL,
    Endpoint,
    Namespace,
    Phase,
    Pod,
    Protocol,
    Server,
    Service,
    ServicePort,
    World,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random
    from typing import TypeVar

    from hypothesis.strategies import SearchStrategy

    T = TypeVar("T")

NAMESPACES = ("n0", "n1", "n2")
PORTS = (80, 81, 82)
PORT_NAMES = ("http", "dns")
PROTOCOLS = tuple(Protocol)
#: Every port that a connection may be on; 83 has no server and no name anywhere.
TRIED = tuple((port, protocol) for port in (*PORTS, 83) for protocol in PROTOCOLS)

_KEYS, _VALUES = ("k", "l"), ("", "v", "w")
#: Blocks, widest first; what a block may except is what is strictly inside it, as the API server demands.
_V4 = (
    "0.0.0.0/0",
    "10.0.0.0/15",
    "10.0.0.0/24",
    "10.0.1.0/24",
    "10.0.0.0/30",
    "10.0.0.1/32",
    "10.0.1.2/32",
    "192.0.2.7/32",
)
_V6 = (
    "::/0",
    "fd00::/63",
    "fd00::/64",
    "fd00:0:0:1::/64",
    "fd00::/126",
    "fd00::1/128",
    "fd00:0:0:1::2/128",
    "2001:db8::7/128",
)
_HOLES = {
    blocks[outer]: tuple(blocks[inner] for inner in holes)
    for blocks in (_V4, _V6)
    for outer, holes in ((0, range(1, 8)), (1, range(2, 7)), (2, (4, 5)), (3, (6,)), (4, (5,)))
}
_POLICY_TYPES = (frozenset({Direction.INGRESS}), frozenset({Direction.EGRESS}), frozenset(Direction))


def states() -> SearchStrategy[State]:
    return st.randoms(use_true_random=False).map(state)


def state(random: Random) -> State:
    """Draw a world with up to four policies."""
    drawn = [policy(random, f"p{number}") for number in range(random.randint(0, 4))]
    return State(world(random), {each.ref: each for each in drawn})


def world(random: Random) -> World:
    """Draw three namespaces, some pods, perhaps an endpoint outside and a Service; one or both families, either one first.

    The last pod may be over, and then has the address of one that may run, as happens when addresses are used again.
    """
    families = random.choice(("4", "4", "6", "46", "64"))
    drawn = World(namespaces={name: Namespace(name, labels(random)) for name in NAMESPACES})
    for number in range(random.randint(2, 5)):
        phase = random.choice((*([Phase.RUNNING] * 6), Phase.PENDING))
        addresses = _addresses(families, random.randint(0, 1), number)
        namespace = random.choice(NAMESPACES)
        drawn = drawn.with_pod(
            Pod(namespace, f"q{number}", labels(random), servers(random), phase=phase, addresses=addresses)
        )
    if random.choice((True, False)):
        first, *_, last = drawn.pods.values()
        over = random.choice((Phase.SUCCEEDED, Phase.FAILED))
        drawn = drawn.with_pod(replace(last, phase=over, addresses=first.addresses))
    if random.choice((True, False)):
        outside = tuple({"4": "192.0.2.7", "6": "2001:db8::7"}[family] for family in families)
        drawn = drawn.with_endpoint(Endpoint("ext", (Server(80, Protocol.TCP),), outside))
    if random.choice((True, False)):
        drawn = drawn.with_service(service(random, random.choice(tuple(drawn.pods.values()))))
    return drawn


def service(random: Random, pod: Pod) -> Service:
    """Draw a Service that selects a pod, as far as the pod can be selected, and perhaps others."""
    ports = {
        (port, protocol): ServicePort(port, random.choice((*PORTS, *PORT_NAMES)), protocol)
        for port, protocol in _some(random, 2, lambda: (random.choice((8080, 80)), random.choice(PROTOCOLS)))
    }
    return Service(pod.namespace, "web", dict(tuple(pod.labels.items())[:1]), tuple(ports.values()))


def servers(random: Random) -> tuple[Server, ...]:
    """Draw listening ports; a name stands for at most one port of a protocol."""
    taken: set[tuple[str | None, Protocol]] = set()
    drawn: dict[tuple[int, Protocol], Server] = {}
    for _ in range(random.randint(0, 4)):
        port, protocol, name = random.choice(PORTS), random.choice(PROTOCOLS), random.choice((None, *PORT_NAMES))
        if (port, protocol) not in drawn:
            drawn[port, protocol] = Server(port, protocol, None if (name, protocol) in taken else name)
            taken.add((name, protocol))
    return tuple(drawn.values())


def labels(random: Random) -> dict[str, str]:
    return {key: random.choice(_VALUES) for key in _KEYS if random.choice((True, False))}


def policy(random: Random, name: str = "p") -> NetworkPolicy:
    return NetworkPolicy(
        namespace=random.choice(NAMESPACES),
        name=name,
        pod_selector=selector(random),
        policy_types=random.choice(_POLICY_TYPES),
        ingress=_some(random, 2, lambda: rule(random)),
        egress=_some(random, 2, lambda: rule(random)),
    )


def rule(random: Random) -> Rule:
    return Rule(_some(random, 2, lambda: peer(random)), _some(random, 2, lambda: policy_port(random)))


def peer(random: Random) -> Peer:
    kind = random.choice(("pods", "namespaces", "both", "block"))
    if kind == "block":
        cidr = random.choice((*_V4, *_V6))
        holes = _HOLES.get(cidr)
        return Peer(ip_block=IPBlock(cidr, _some(random, 2, lambda: random.choice(holes)) if holes else ()))
    return Peer(
        pod_selector=selector(random) if kind != "namespaces" else None,
        namespace_selector=_namespace_selector(random) if kind != "pods" else None,
    )


def policy_port(random: Random) -> PolicyPort:
    protocol = random.choice(PROTOCOLS)
    port = random.choice((None, *PORTS, *PORT_NAMES))
    last = random.choice((None, port, port + 1, 83)) if isinstance(port, int) else None
    return PolicyPort(protocol, port, last)


def selector(random: Random) -> LabelSelector:
    kind = random.choice(("all", "all", "labels", "expressions", "mixed"))
    return LabelSelector(
        {random.choice(_KEYS): random.choice(_VALUES)} if kind in {"labels", "mixed"} else {},
        _some(random, 2, lambda: _requirement(random, random.choice(_KEYS), _VALUES))
        if kind in {"expressions", "mixed"}
        else (),
    )


def _namespace_selector(random: Random) -> LabelSelector:
    kind = random.choice(("labels", "name", "names"))
    if kind == "name":
        return LabelSelector({NAMESPACE_NAME_LABEL: random.choice(NAMESPACES)})
    if kind == "names":
        return LabelSelector({}, (_requirement(random, NAMESPACE_NAME_LABEL, NAMESPACES),))
    return selector(random)


def _requirement(random: Random, key: str, values: tuple[str, ...]) -> Requirement:
    operator = random.choice(tuple(Operator))
    if operator in {Operator.EXISTS, Operator.DOES_NOT_EXIST}:
        return Requirement(key, operator)
    return Requirement(key, operator, tuple(random.choice(values) for _ in range(random.randint(1, 2))))


def _some(random: Random, most: int, draw: Callable[[], T]) -> tuple[T, ...]:
    return tuple(draw() for _ in range(random.randint(0, most)))


def _addresses(families: str, node: int, number: int) -> tuple[str, ...]:
    written = {"4": f"10.0.{node}.{number + 1}", "6": f"fd00{':0:0:1' if node else ''}::{number + 1}"}
    return tuple(written[family] for family in families)
