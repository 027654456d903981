"""How many arenas a cluster bears side by side: by what its nodes have, and by how fast its API server answers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance.cluster import detect
from conformance.cluster.client import Api, ApiError, reachable
from conformance.errors import TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from conformance.cluster.options import KubernetesOptions

#: More bring nothing: what is left then is the time that changes and timeouts take.
MOST = 8
#: What the nodes spend on one arena, which waits for changes, holds and timeouts for most of its time.
_CPUS_AN_ARENA = 0.5
#: An API server that takes so long for a small answer has enough to do with one arena.
_BUSY = 0.5
#: One answer may be late for many reasons; the quickest of so many tells how busy the API server is.
_ASKED = 5


def arenas(options: KubernetesOptions) -> int:
    """Return how many arenas are worth having at once; 1 where the cluster does not say, since the run itself says why."""
    api = Api(options.context, options.kubeconfig, options.timeouts)
    try:
        reachable(api)
        answer = quickest(lambda: api.get("/api/v1/nodes", {"limit": "1"}))
        return borne(api.items("/api/v1/nodes"), answer)
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


def borne(nodes: Iterable[Mapping[str, Any]], answer: float) -> int:
    """Return how many arenas these nodes bear, of a cluster whose API server takes `answer` seconds for a small answer."""
    cpus = sum(
        _cpus(node["status"].get("allocatable", {}).get("cpu", "0")) for node in nodes if detect.takes_pods(node)
    )
    return max(1, min(MOST, int(cpus / _CPUS_AN_ARENA), int(_BUSY / max(answer, 0.001))))


def _cpus(quantity: str) -> float:
    """Read how Kubernetes writes an amount of CPU, `4` or `3920m`."""
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)
