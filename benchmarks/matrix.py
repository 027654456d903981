"""How long one reading of the whole matrix takes: 9 pods, 5 ports, 2 protocols, over streams that stay open.

    python benchmarks/matrix.py --target kubernetes --context CONTEXT --image IMAGE

prints, for a world without policies and for one in which everything into namespace x is denied, the flows and the seconds of each
reading (minimum, median, maximum), and the probes a second.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import Counter

from conformance import targets
from conformance.casefile.networkpolicy import network_policy
from conformance.casefile.source import parse
from conformance.model.case import ApplyPolicy
from conformance.model.default_world import PORTS, default_world
from conformance.model.flow import flows
from conformance.model.world import Protocol

DENY = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: x}
spec: {podSelector: {}, policyTypes: [Ingress]}
"""
PROBE = [(port, protocol) for port in PORTS for protocol in (Protocol.TCP, Protocol.UDP)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--target", default="netns")
    parser.add_argument("--context", default="")
    parser.add_argument("--kubeconfig", default="")
    parser.add_argument("--image", default="")
    parser.add_argument("--readings", type=int, default=20)
    parser.add_argument("--timeout", type=float, default=1.0, help="seconds that a silent flow is given")
    given = parser.parse_args()
    target = targets.make(
        targets.TargetOptions(
            target=given.target, context=given.context, kubeconfig=given.kubeconfig, image=given.image
        )
    )
    try:
        began = time.monotonic()
        arena = target.open_arena(default_world(), "bench")
        print(f"{target.describe().implementation} on {given.target}: arena open in {time.monotonic() - began:.1f} s")
        try:
            tried = flows(arena.world, PROBE, external=False)
            report("without policies", arena, tried, given)
            policy = network_policy(source := parse(DENY, "deny"), (), source.data)
            assert policy is not None
            arena.change([ApplyPolicy(policy)])
            time.sleep(3)
            report("ingress to x denied", arena, tried, given)
        finally:
            began = time.monotonic()
            arena.close()
            print(f"arena closed in {time.monotonic() - began:.1f} s")
    finally:
        target.close()


def report(title: str, arena: object, tried: tuple, given: argparse.Namespace) -> None:
    seconds, seen = [], Counter()
    for _ in range(given.readings):
        began = time.monotonic()
        observations = arena.probe(tried, given.timeout)
        seconds.append(time.monotonic() - began)
        seen = Counter(each.observed.value for each in observations.values())
    least, middle, most = min(seconds), statistics.median(seconds), max(seconds)
    print(
        f"{title}: {len(tried)} flows ({dict(seen)}), {given.readings} readings: "
        f"min {least:.3f} s, median {middle:.3f} s, max {most:.3f} s; {len(tried) / middle:.0f} probes a second"
    )


if __name__ == "__main__":
    main()
