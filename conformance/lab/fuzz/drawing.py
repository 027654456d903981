"""Random cases over the default world, as raw data of a case file: policies, then edits, deletions and labels, one thing after the other.

Blocks are of single pods or of everything, so that what they mean does not depend on which addresses a target gives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    Raw = dict[str, Any]

_NAMESPACES, _PODS = "xyz", "abc"
_POD_LABELS: dict[str, Sequence[str]] = {
    "pod": "abc",
    "app": ("web", "api"),
    "team": ("red", "blue"),
    "tier": ("1", "2"),
}
_NAMESPACE_LABELS: dict[str, Sequence[str]] = {"ns": "xyz", "team": ("red", "blue"), "zone": ("1", "2")}
_PORTS: Sequence[Raw] = (
    {"port": 80}, {"port": 81}, {"port": 80, "protocol": "UDP"}, {"port": 81, "protocol": "UDP"}, {"protocol": "TCP"}, {"protocol": "UDP"},
    {"port": "http"}, {"port": "admin"}, {"port": "dns", "protocol": "UDP"}, {"port": "syslog", "protocol": "UDP"},
    {"port": 80, "endPort": 81}, {"port": 79, "endPort": 80}, {"port": 81, "endPort": 83}, {"port": 80, "endPort": 80}, {},
)  # fmt: skip
_FEATURES = ("ingress", "egress", "ipblock", "ipblock-pod", "named-port", "end-port")


def draw(random: Random) -> Raw:
    """Return a case without expectations: they are worked out later."""
    names = [f"p{number}" for number in range(random.choice((1, 1, 2, 2, 3, 4)))]
    there = {name: random.choice(_NAMESPACES) for name in names}
    steps = [{"name": "step 1", "apply": [_policy(random, name, namespace) for name, namespace in there.items()]}]
    last = random.choice((2, 2, 3, 4))
    steps += [{"name": f"step {number}", **_change(random, there)} for number in range(2, last + 1)]
    return {
        "apiVersion": "netpol-conformance/v1",
        "kind": "Case",
        "id": "FZZZ",
        "requirement": "What a policy selects MUST be treated as the specification says.",
        "spec": "https://kubernetes.io/docs/concepts/services-networking/network-policies/",
        "tier": "extended",
        "features": list(_FEATURES),
        "steps": steps,
    }


def _change(random: Random, there: dict[str, str]) -> Raw:
    """Draw what one step changes. What is deleted is there no more."""
    kind = random.choice(("edit", "edit", "delete", "label", "label", "label namespace"))
    if kind == "delete" and len(there) > 1:
        name = random.choice(sorted(there))
        return {"delete": [f"{there.pop(name)}/{name}"]}
    if kind == "label":
        return {"label": {_pod(random): _relabelled(random, _POD_LABELS)}}
    if kind == "label namespace":
        return {"label": {random.choice(_NAMESPACES): _relabelled(random, _NAMESPACE_LABELS)}}
    name = random.choice(sorted(there))
    return {"apply": [_policy(random, name, there[name])]}


def _relabelled(random: Random, known: dict[str, Sequence[str]]) -> Raw:
    key = random.choice([each for each in known if each not in {"pod", "ns"}])
    return {key: random.choice([None, *known[key]])}


def _policy(random: Random, name: str, namespace: str) -> Raw:
    spec: Raw = {"podSelector": _selector(random, _POD_LABELS)}
    types = random.choice((None, ["Ingress"], ["Egress"], ["Ingress", "Egress"]))
    if types is not None:
        spec["policyTypes"] = types
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        if types is None or direction.capitalize() in types:
            rules = [_rule(random, peers) for _ in range(random.choice((0, 1, 1, 2, 3)))]
            if rules or (types is None and random.random() < 0.2):  # noqa: PLR2004 -- now and then an empty list
                spec[direction] = rules
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _rule(random: Random, peers: str) -> Raw:
    rule: Raw = {}
    if count := random.choice((0, 1, 1, 1, 2)):
        rule[peers] = [_peer(random) for _ in range(count)]
    if count := random.choice((0, 0, 1, 1, 2)):
        rule["ports"] = [dict(random.choice(_PORTS)) for _ in range(count)]
    return rule


def _peer(random: Random) -> Raw:
    match random.choice(("pods", "namespaces", "both", "block")):
        case "pods":
            return {"podSelector": _selector(random, _POD_LABELS)}
        case "namespaces":
            return {"namespaceSelector": _selector(random, _NAMESPACE_LABELS)}
        case "both":
            return {
                "namespaceSelector": _selector(random, _NAMESPACE_LABELS),
                "podSelector": _selector(random, _POD_LABELS),
            }
    if random.random() < 0.5:  # noqa: PLR2004 -- one address, or all of them
        return {"ipBlock": {"cidr": f"$({_pod(random)})"}}
    block: Raw = {"cidr": f"$({_pod(random)})/0"}
    if count := random.choice((0, 1, 2)):
        block["except"] = [f"$({each})" for each in random.sample(_all_pods(), count)]
    return {"ipBlock": block}


def _selector(random: Random, known: dict[str, Sequence[str]]) -> Raw:
    match random.choice(("all", "label", "label", "two labels", "expression", "both")):
        case "label":
            return {"matchLabels": _labels(random, known, 1)}
        case "two labels":
            return {"matchLabels": _labels(random, known, 2)}
        case "expression":
            return {"matchExpressions": [_expression(random, known)]}
        case "both":
            return {"matchLabels": _labels(random, known, 1), "matchExpressions": [_expression(random, known)]}
    return {}


def _labels(random: Random, known: dict[str, Sequence[str]], count: int) -> Raw:
    return {key: random.choice(known[key]) for key in random.sample(sorted(known), count)}


def _expression(random: Random, known: dict[str, Sequence[str]]) -> Raw:
    key = random.choice(sorted(known))
    operator = random.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    if operator in {"Exists", "DoesNotExist"}:
        return {"key": key, "operator": operator}
    values = random.sample(sorted(known[key]), random.choice((1, 2)))
    return {"key": key, "operator": operator, "values": values}


def _pod(random: Random) -> str:
    return f"{random.choice(_NAMESPACES)}/{random.choice(_PODS)}"


def _all_pods() -> list[str]:
    return [f"{namespace}/{name}" for namespace in _NAMESPACES for name in _PODS]
