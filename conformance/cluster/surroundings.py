"""What was on a cluster before the run and has a say in it: policies of the whole cluster, admission, quotas. Nothing here belongs to the run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.cluster.client import FORBIDDEN, NOT_FOUND, ApiError, failing_as, namespace_path, policy_path
from conformance.errors import ArenaFailed, TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from conformance.cluster.client import Api


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource of the API, by which its objects are listed. Where a cluster has none of it, they may be of its `successor`."""

    group: str
    version: str
    plural: str
    successor: Resource | None = None

    @property
    def path(self) -> str:
        return f"/apis/{self.group}/{self.version}/{self.plural}"

    def __str__(self) -> str:
        return f"{self.plural}.{self.group}"


#: Calico from 3.32 on may keep its objects in the API that people use: https://docs.tigera.io/calico/latest/operations/native-v3-crds
CALICO_NATIVE = Resource("projectcalico.org", "v3", "globalnetworkpolicies")
#: Policies that reach pods of every namespace. NetworkPolicy itself cannot: it is of one namespace.
POLICIES = (
    Resource("policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies"),
    Resource("policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies"),
    Resource("policy.networking.k8s.io", "v1alpha1", "baselineadminnetworkpolicies"),
    Resource("crd.projectcalico.org", "v1", "globalnetworkpolicies", successor=CALICO_NATIVE),
    Resource("cilium.io", "v2", "ciliumclusterwidenetworkpolicies"),
    Resource("crd.antrea.io", "v1beta1", "clusternetworkpolicies"),
)
_REGISTRATION = "admissionregistration.k8s.io"
#: What is asked before an object is admitted.
ADMISSION = (
    Resource(_REGISTRATION, "v1", "mutatingwebhookconfigurations"),
    Resource(_REGISTRATION, "v1", "validatingwebhookconfigurations"),
    Resource(_REGISTRATION, "v1", "validatingadmissionpolicies"),
)
#: What somebody's controller may put into every new namespace, and keeps probe pods from being made there.
LIMITS = ("resourcequotas", "limitranges")
_MADE = frozenset(
    {
        ("", "namespaces"),
        ("", "pods"),
        ("", "services"),
        ("", "configmaps"),
        ("networking.k8s.io", "networkpolicies"),
        ("apps", "deployments"),
    }
)


def refuse_policies(api: Api) -> None:
    """Raise TargetUnavailable where policies are in force that may reach any pod: what came of them would be blamed on NetworkPolicies."""
    if found := policies(api)[0]:
        raise TargetUnavailable(
            f"the cluster has {len(found)} polic{'y' if len(found) == 1 else 'ies'} that may reach pods of every namespace",
            causes=found,
            hint="run where there is none; or, where they are known not to select the run's pods and their peers, with --despite-policies",
        )


def policies(api: Api) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the policies of the whole cluster, and the kinds of which this account may not know whether there are any."""
    found = _listed(api, POLICIES)
    names = [f"{kind} {each['metadata']['name']}" for kind, objects in found.items() for each in objects or ()]
    return tuple(names), tuple(str(kind) for kind, objects in found.items() if objects is None)


def described(api: Api, namespaces: Collection[str]) -> dict[str, str]:
    """Return what a reader of a report needs to know of all this; `namespaces` are the run's own. Nothing where there is nothing."""
    there, unknown = policies(api)
    limits = sorted({text for name in namespaces for text in _limits(api, name)})
    admission = [
        f"{kind.plural} {each['metadata']['name']}"
        for kind, objects in _listed(api, ADMISSION).items()
        for each in objects or ()
        if _is_asked(each)
    ]
    found = {
        "other policies": "; ".join((*there, *(f"{kind}: not this account's to list" for kind in unknown))),
        "admission": "; ".join(admission),
        "limits of namespaces": "; ".join(limits),
    }
    return {name: text for name, text in found.items() if text}


def refuse_others(api: Api, namespaces: Iterable[str]) -> None:
    """Raise ArenaFailed where namespaces that the run has just made have NetworkPolicies already."""
    with failing_as(ArenaFailed, "the policies of the run's namespaces cannot be listed", api):
        found = [f"{name}/{each['metadata']['name']}" for name in namespaces for each in api.items(policy_path(name))]
    if found:
        raise ArenaFailed(
            "the run's namespaces have NetworkPolicies that this run did not make",
            causes=found,
            hint="something puts them into new namespaces: exempt those of the run, by a label or annotation that --namespace-label and --namespace-annotation give them",
        )


def _listed(api: Api, kinds: Collection[Resource]) -> Mapping[Resource, list[dict[str, Any]] | None]:
    """List objects of each kind; None for what this account may not list, and nothing of what the cluster does not have."""
    with ThreadPoolExecutor(max_workers=len(kinds)) as pool:
        return dict(pool.map(lambda kind: _of_kind(api, kind), kinds))


def _of_kind(api: Api, kind: Resource) -> tuple[Resource, list[dict[str, Any]] | None]:
    try:
        found = api.items(kind.path)
    except ApiError as error:
        if error.status == NOT_FOUND:
            return _of_kind(api, kind.successor) if kind.successor else (kind, [])
        if error.status == FORBIDDEN:
            return kind, None
        raise TargetUnavailable(f"{kind} cannot be listed", causes=(error.message,)) from error
    # Where both are served, the successor's objects may be these, or those that have replaced them.
    if not found and kind.successor and (later := _of_kind(api, kind.successor))[1]:
        return later
    return kind, found


def _limits(api: Api, namespace: str) -> Iterable[str]:
    for plural in LIMITS:
        try:
            found = api.items(namespace_path(namespace, plural))
        except ApiError:
            continue  # the server says more where one of them refuses something
        for each in found:
            hard = each.get("spec", {}).get("hard") or {}
            amounts = ", ".join(f"{name} {amount}" for name, amount in sorted(hard.items()))
            yield f"{plural} {each['metadata']['name']}" + (f" ({amounts})" if amounts else "")


def _is_asked(configuration: Mapping[str, Any]) -> bool:
    """Whether this is asked about anything that a run makes or changes, but for its selectors of namespaces and objects."""
    constraints = configuration.get("spec", {}).get("matchConstraints") or {}
    rules = [rule for each in configuration.get("webhooks") or () for rule in each.get("rules") or ()] + [
        *(constraints.get("resourceRules") or ())
    ]
    return any(
        (group in {"*", made_group}) and resource.partition("/")[0] in {"*", made}
        for rule in rules
        for group in rule.get("apiGroups") or ()
        for resource in rule.get("resources") or ()
        for made_group, made in _MADE
    )
