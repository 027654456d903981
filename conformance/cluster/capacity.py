"""How many arenas a cluster bears side by side: by what its nodes have room for, and by how fast its API server answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance.cluster import detect
from conformance.cluster.client import Api, ApiError, reachable
from conformance.cluster.kubeconfig import untyped
from conformance.errors import TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from conformance.cluster.options import KubernetesOptions

#: More bring nothing: what is left then is the time that changes and timeouts take.
MOST = 8
#: What the nodes spend on one arena, which waits for changes, holds and timeouts for most of its time.
_CPUS_AN_ARENA = 0.5
#: An arena's pods besides those of its world: canaries, and what a case adds.
_MORE_PODS = 4
#: What two processes of Python take in each pod, generously.
_BYTES_A_POD = 64 * 2**20
#: Which part of the nodes' pods and memory arenas may take: others are there too.
_SHARE = 0.5
#: How many pods a kubelet bears where nothing else is said, and how many nodes take pods in a cluster that kind makes.
_PODS_A_NODE, _KIND_NODES = 110, 2
#: An API server that takes so long for a small answer has enough to do with one arena.
_BUSY = 0.5
#: One answer may be late for many reasons; the quickest of so many tells how busy the API server is.
_ASKED = 5


def arenas(options: KubernetesOptions, pods: int) -> int:
    """Return how many arenas of so many pods are worth having at once; 1 where the cluster does not say, since the run itself says why."""
    api = Api(options.context, options.kubeconfig, options.timeouts)
    try:
        reachable(api)
        answer = quickest(lambda: api.get("/api/v1/nodes", {"limit": "1"}))
        return borne(api.items("/api/v1/nodes"), answer, pods)
    except (ApiError, TargetUnavailable):
        return 1
    finally:
        api.close()


def quickest(ask: Callable[[], object], now: Callable[[], float] = time.monotonic) -> float:
    """Return how many seconds the quickest of several answers took."""

    def seconds() -> float:
        began = now()
        ask()
        return now() - began

    return min(seconds() for _ in range(_ASKED))


def borne(nodes: Iterable[Mapping[str, Any]], answer: float, pods: int) -> int:
    """Return how many arenas of so many pods these nodes bear, of a cluster whose API server takes `answer` seconds for a small answer."""
    there = [node["status"] for node in nodes if detect.takes_pods(node)]
    return _fewest(
        _of_machines(there, "cpu") / _CPUS_AN_ARENA,
        _in_room_for(sum(_allocatable(node, "pods") for node in there), pods),
        _in_room_for(_of_machines(there, "memory") / _BYTES_A_POD, pods),
        _BUSY / max(answer, 0.001),
    )


def borne_in_kind(cores: int, pods: int) -> int:
    """Return how many arenas of so many pods a cluster bears that kind is yet to make on a machine with these cores."""
    return _fewest(cores / _CPUS_AN_ARENA, _in_room_for(_PODS_A_NODE * _KIND_NODES, pods))


def _in_room_for(most: float, pods: int) -> float:
    """Return how many arenas of so many pods fit into their share of the room for `most` pods."""
    return most * _SHARE / (pods + _MORE_PODS)


def _fewest(*bounds: float) -> int:
    return max(1, min(MOST, *map(int, bounds)))


def _of_machines(nodes: Iterable[Mapping[str, Any]], resource: str) -> float:
    """Return what the machines under these nodes have: nodes of kind say that each of them has all of the one machine that they are on."""
    machines: dict[str, float] = {}
    for number, node in enumerate(nodes):
        kernel = node.get("nodeInfo", {}).get("bootID") or str(number)
        machines[kernel] = max(machines.get(kernel, 0.0), _allocatable(node, resource))
    return sum(machines.values())


def _allocatable(node: Mapping[str, Any], resource: str) -> float:
    parse = untyped("kubernetes.utils.quantity").parse_quantity
    return float(parse(node.get("allocatable", {}).get(resource, "0")))
