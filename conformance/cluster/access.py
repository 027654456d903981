"""What an account needs on a cluster to run the suite: written down once, asked for before anything is made.

Run as a program, it prints the ClusterRole, for the options of a run that are given to it.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.cluster.options import Workload
from conformance.cluster.surroundings import ADMISSION, CALICO_NATIVE, LIMITS, POLICIES

if TYPE_CHECKING:
    from collections.abc import Collection

    from conformance.cluster.client import Api
    from conformance.cluster.options import KubernetesOptions

ROLE_NAME = "netpol-conformance"
#: Options of a run that need more than others.
DISRUPTIVE, DEPLOYMENTS = "--disruptive", "--workload=deployment"
_SIDE_BY_SIDE = 16


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on one resource.

    `optional` ones only make a report say more; `needed_with` is the option with which, and without `optional` only with which, it is needed.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    optional: bool = False
    needed_with: str = ""


RULES = (
    Rule("", "namespaces", ("get", "list", "create", "patch", "delete"), "an arena is a few namespaces of its own"),
    Rule("", "pods", ("get", "list", "create", "patch", "delete", "deletecollection"), "the probe pods"),
    Rule("", "pods/exec", ("get", "create"), "the streams to the agents in them"),
    Rule("", "services", ("create", "delete"), "cases with Services"),
    Rule("", "configmaps", ("create",), "the agent's text, which the pods mount"),
    Rule("networking.k8s.io", "networkpolicies", ("list", "create", "update", "delete"), "what is tested"),
    Rule("", "nodes", ("list",), "where pods can be put"),
    Rule("", "events", ("list",), "why a pod does not come up", optional=True),
    Rule("apps", "daemonsets", ("list",), "which implementation it is, and its version", True, DISRUPTIVE),
    Rule("", "configmaps", ("get",), "kube-proxy's mode", optional=True),
    *(
        Rule(group, "felixconfigurations", ("get",), "Calico's data plane", optional=True)
        for group in ("crd.projectcalico.org", CALICO_NATIVE.group)
    ),
    Rule("apps", "deployments", ("get", "create", "delete"), "what the probe pods are of", needed_with=DEPLOYMENTS),
    *(
        Rule(group, resource, ("list",), "policies that may reach any pod", optional=True)
        for group, resource in sorted(
            {(each.group, each.plural) for kind in POLICIES for each in (kind, kind.successor) if each}
        )
    ),
    *(Rule(each.group, each.plural, ("list",), "what decides on what is made", optional=True) for each in ADMISSION),
    *(Rule("", each, ("list",), "what limits the run's namespaces", optional=True) for each in LIMITS),
)


def asked_for(options: KubernetesOptions) -> tuple[str, ...]:
    """Return those of a run's options that need more than others."""
    given = {DISRUPTIVE: options.disruptive, DEPLOYMENTS: options.workload is Workload.DEPLOYMENT}
    return tuple(name for name, is_given in given.items() if is_given)


def make_role(options: Collection[str]) -> str:
    """Return a command that makes the ClusterRole."""
    return " ".join(("python -m conformance.cluster.access", *options, "| kubectl apply -f -"))


def cluster_role(options: Collection[str] = ()) -> dict[str, Any]:
    """Return the ClusterRole that holds exactly what a run with these options can use, as an object to apply."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE_NAME},
        "rules": [
            {"apiGroups": [rule.group], "resources": [rule.resource], "verbs": list(rule.verbs)}
            for rule in RULES
            if rule.optional or rule.needed_with in {"", *options}
        ],
    }


def missing(api: Api, options: Collection[str] = ()) -> tuple[str, ...]:
    """Ask the API server which permissions the account lacks of those that a run with these options needs, each as `verb resource`."""
    needed = [rule for rule in RULES if rule.needed_with in options or not (rule.optional or rule.needed_with)]
    asked = [(rule, verb) for rule in needed for verb in rule.verbs]
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
    if unknown := set(sys.argv[1:]) - {DISRUPTIVE, DEPLOYMENTS}:
        sys.exit(f"no rights depend on {', '.join(sorted(unknown))}: give none, {DISRUPTIVE} or {DEPLOYMENTS}")
    sys.stdout.write(json.dumps(cluster_role(sys.argv[1:]), indent=2) + "\n")
