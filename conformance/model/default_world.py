"""The world that every case starts from: namespaces x, y, z with pods a, b, c each, spread over two workers.

Why it is as it is:

- every namespace has pods on both workers, so that a rule enforced only on one node, or only across nodes, shows;
- the key `team` is on namespaces and on pods with the same values, and absent from one namespace (z) and one pod (c):
  selectors that mix the two up, or that need a key to be there, show;
- pods of the same name have the same labels in every namespace, so that a policy reaching beyond its namespace shows;
- port names mean different numbers on different pods (`http` is 80 on a, 81 on b, and nothing on c);
- every pod also listens on ports that no policy mentions, so that a rule that opens too much shows;
- SCTP is served like TCP and UDP, by pods whose kernel speaks it;
- one endpoint is outside the cluster.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from conformance.model.world import Container, Endpoint, Namespace, Node, Pod, Protocol, Server, World

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TCP, _UDP, _SCTP = Protocol
PORTS = (79, 80, 81, 82, 83)

_NAMESPACES = {
    "x": {"ns": "x", "team": "red"},
    "y": {"ns": "y", "team": "blue"},
    "z": {"ns": "z"},
}
_PODS = {
    "a": {"pod": "a", "app": "web", "team": "red"},
    "b": {"pod": "b", "app": "api", "team": "blue"},
    "c": {"pod": "c"},
}
_PORT_NAMES = {
    "a": {"http": (80, _TCP), "admin": (81, _TCP), "dns": (80, _UDP), "syslog": (81, _UDP), "diameter": (80, _SCTP), "m3ua": (81, _SCTP)},
    "b": {"http": (81, _TCP), "admin": (80, _TCP), "dns": (81, _UDP), "syslog": (80, _UDP), "diameter": (81, _SCTP), "m3ua": (80, _SCTP)},
    "c": {"metrics": (82, _TCP)},
}  # fmt: skip
_NODES = {"x/a": 0, "x/b": 1, "x/c": 0, "y/a": 1, "y/b": 0, "y/c": 1, "z/a": 0, "z/b": 0, "z/c": 1}


def servers(
    names: Mapping[str, tuple[int, Protocol]] | None = None,
    others: Mapping[Container, Mapping[str, tuple[int, Protocol]]] | None = None,
    more: Sequence[tuple[int, Protocol]] = (),
) -> tuple[Server, ...]:
    """Return servers on every port of the default world, of every protocol, and on `more`, with the names given for some of them.

    `others` are the names of ports that another container than the agent's serves.
    """
    usual = ((port, protocol) for protocol in Protocol for port in PORTS)
    named = {
        place: (name, container)
        for container, each in {Container.AGENT: names or {}, **(others or {})}.items()
        for name, place in each.items()
    }
    return tuple(Server(*place, *named.get(place, (None, Container.AGENT))) for place in dict.fromkeys((*usual, *more)))


@cache
def default_world() -> World:
    """Return the world as described above, without addresses: a target fills those in."""
    return World(
        namespaces={name: Namespace(name, labels) for name, labels in _NAMESPACES.items()},
        pods={
            f"{namespace}/{name}": Pod(
                namespace, name, labels, servers(_PORT_NAMES[name]), node=_NODES[f"{namespace}/{name}"]
            )
            for namespace in _NAMESPACES
            for name, labels in _PODS.items()
        },
        endpoints={"ext": Endpoint("ext", servers())},
        nodes=(Node(), Node()),
    )
