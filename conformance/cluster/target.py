"""The target `kubernetes`: any cluster that a kubeconfig names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from conformance.cluster import access, detect, surroundings
from conformance.cluster.admitted import OWN_LABELS
from conformance.cluster.arena import KubernetesArena
from conformance.cluster.client import Api, ApiError, failing_as, namespace_path, reachable
from conformance.cluster.manifests import Setting
from conformance.cluster.naming import Names
from conformance.cluster.options import DEFAULT_IMAGE, ClusterTimeouts, KubernetesOptions
from conformance.errors import ConformanceError, TargetUnavailable, UsageError
from conformance.runner.clock import SystemClock
from conformance.runner.target import Description
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model.world import World
    from conformance.runner.timeouts import Clock

__all__ = ["DEFAULT_IMAGE", "ClusterTimeouts", "KubernetesOptions", "KubernetesTarget"]

_FELIX = tuple(
    f"/apis/{api}/felixconfigurations/default" for api in ("crd.projectcalico.org/v1", "projectcalico.org/v3")
)


class KubernetesTarget:
    """A cluster that exists already. It is asked for its version at once, so that a wrong context shows before anything else."""

    at_once: ClassVar[bool] = False
    clock: ClassVar[Clock] = SystemClock()
    timeouts: ClassVar[Timeouts] = Timeouts()

    def __init__(self, options: KubernetesOptions) -> None:
        if not options.context:
            raise UsageError("no context is named, and the suite never takes the current one by itself")
        self._options = options
        self._api = Api(options.context, options.kubeconfig, options.timeouts)
        self._version = reachable(self._api)
        self._checked = False
        self._arenas: list[KubernetesArena] = []

    def describe(self) -> Description:
        nodes = self._nodes()
        daemon_sets = self._optional("/apis/apps/v1/daemonsets")
        kube_proxy = self._readable(namespace_path("kube-system", "configmaps", "kube-proxy"))
        found = detect.implementation(daemon_sets, nodes)
        felix = next(filter(None, map(self._readable, _FELIX)), None) if found.name == "calico" else None
        data_plane = detect.data_plane(daemon_sets, felix, kube_proxy)
        environment = detect.environment(self._version, nodes, kube_proxy, data_plane)
        own = [name for arena in self._arenas for name in arena.namespaces]
        environment |= surroundings.described(self._api, own)
        return Description("kubernetes", found.name, found.version, environment)

    def open_arena(self, world: World, name: str) -> KubernetesArena:
        self._check()
        _refuse_labels_of(world, self._options.namespace_labels)
        nodes = self._nodes()
        workers = detect.workers(nodes)
        if not workers:
            raise TargetUnavailable(
                f"no node of context {self._options.context!r} takes pods",
                causes=[f"{node['metadata']['name']} is not ready, cordoned or tainted" for node in nodes],
                hint="`kubectl get nodes` and `kubectl describe node` say why",
            )
        setting = Setting(
            Names(self._options.run, name),
            self._options.image,
            workers,
            _agent(),
            self._options.workload,
            self._options.namespace_labels,
            self._options.namespace_annotations,
        )
        arena = KubernetesArena(
            self._api, self._options, setting, detect.internal_address(nodes[0]), detect.places(nodes)
        )
        self._arenas.append(arena)
        try:
            arena.bring_up(world)
        except BaseException:  # Ctrl-C too: nothing may be left behind
            with suppress(ConformanceError):  # what went wrong first is what counts
                arena.close()
            raise
        return arena

    def close(self) -> None:
        """Remove arenas that are still open; the cluster itself stays."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            closing = [pool.submit(arena.close) for arena in self._arenas]
        self._arenas.clear()
        self._api.close()
        for each in closing:
            each.result()

    def _nodes(self) -> list[dict[str, Any]]:
        with failing_as(TargetUnavailable, "the cluster's nodes cannot be listed", self._api):
            return self._api.items("/api/v1/nodes")

    def _optional(self, path: str) -> list[dict[str, Any]]:
        try:
            return self._api.items(path)
        except ApiError:
            return []

    def _readable(self, path: str) -> dict[str, Any] | None:
        """Return an object; None where it is not there, or not this account's to read."""
        try:
            return self._api.get(path)
        except ApiError:
            return None

    def _check(self) -> None:
        """Refuse to start what could not be finished, could not be cleaned up afterwards, or could not be judged."""
        if self._checked:
            return
        asked = access.asked_for(self._options)
        with failing_as(TargetUnavailable, "the account's permissions cannot be asked for", self._api):
            missing = access.missing(self._api, asked)
        if missing:
            raise TargetUnavailable(
                f"the account of context {self._options.context!r} may not do what the suite needs",
                causes=[f"it may not {each}" for each in missing],
                hint=f"`{access.make_role(asked)}` makes a ClusterRole {access.ROLE_NAME} that holds all of it: bind it to the account",
            )
        if not self._options.despite_policies:
            surroundings.refuse_policies(self._api)
        self._checked = True


def _refuse_labels_of(world: World, labels: Mapping[str, str]) -> None:
    """See that no label that a user wants on namespaces is one that cases are about."""
    taken = OWN_LABELS.union(*(each.labels for each in world.namespaces.values()))
    if both := sorted(taken & labels.keys()):
        raise UsageError(
            f"namespaces cannot be given the label{'s' if len(both) > 1 else ''} {', '.join(both)}",
            hint="they have labels of these names already, which cases or the suite itself need",
        )


def _agent() -> str:
    return files("conformance").joinpath("agent.py").read_text(encoding="utf-8")
