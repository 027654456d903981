"""What an account needs on a cluster to run the suite: written down once, asked for before anything is made.

Run as a program, it prints the ClusterRole.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.cluster.client import Api

ROLE_NAME = "netpol-conformance"
MAKE_ROLE = "python -m conformance.cluster.access | kubectl apply -f -"
_SIDE_BY_SIDE = 16


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on one resource. `optional` ones only make a report say more."""

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    optional: bool = False


RULES = (
    Rule("", "namespaces", ("get", "list", "create", "patch", "delete"), "an arena is a few namespaces of its own"),
    Rule("", "pods", ("get", "list", "create", "patch", "delete", "deletecollection"), "the probe pods"),
    Rule("", "pods/exec", ("get", "create"), "the streams to the agents in them"),
    Rule("", "services", ("create", "delete"), "cases with Services"),
    Rule("", "configmaps", ("create",), "the agent's text, which the pods mount"),
    Rule("networking.k8s.io", "networkpolicies", ("create", "update", "delete"), "what is tested"),
    Rule("", "nodes", ("list",), "where pods can be put"),
    Rule("", "events", ("list",), "why a pod does not come up", optional=True),
    Rule("apps", "daemonsets", ("list",), "which implementation it is, and its version", optional=True),
    Rule("", "configmaps", ("get",), "kube-proxy's mode", optional=True),
)


def cluster_role() -> dict[str, Any]:
    """Return the ClusterRole that holds exactly what is needed, as an object to apply."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE_NAME},
        "rules": [
            {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)} for rule in RULES
        ],
    }


def missing(api: Api) -> tuple[str, ...]:
    """Ask the API server which of the necessary permissions the account lacks, each as `verb resource`."""
    asked = [(rule, verb) for rule in RULES if not rule.optional for verb in rule.verbs]
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        answers = pool.map(lambda each: _may(api, *each), asked)
        return tuple(
            f"{verb} {rule.resource}{'.' + rule.group if rule.group else ''}"
            for (rule, verb), allowed in zip(asked, answers, strict=True)
            if not allowed
        )


def _may(api: Api, rule: Rule, verb: str) -> bool:
    resource, _, subresource = rule.resource.partition("/")
    attributes = {"group": rule.group, "resource": resource, "subresource": subresource, "verb": verb}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = api.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer["status"].get("allowed"))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(cluster_role(), indent=2) + "\n")
