"""The target `kind`: a cluster made for the run, with the implementation that it names, and deleted at the end.

`create` and `delete` stand for themselves too: one process may make the cluster and many run on it, each with `kubernetes_options`.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from conformance.cluster import diagnosis, implementations
from conformance.cluster.client import Api, ApiError
from conformance.cluster.options import DEFAULT_IMAGE, ClusterTimeouts, KubernetesOptions, Workload, new_run
from conformance.cluster.programs import ENGINE, HELM, KIND, KUBECTL, require, run, succeeds
from conformance.cluster.target import KubernetesTarget
from conformance.cluster.waiting import retried
from conformance.errors import ConformanceError, TargetUnavailable, UsageError
from conformance.model.world import Phase

if TYPE_CHECKING:
    from conformance.cluster.arena import KubernetesArena
    from conformance.cluster.implementations import Chart, Pinned
    from conformance.model.world import World
    from conformance.runner.target import Description
    from conformance.runner.timeouts import Clock, Timeouts

#: What the names of clusters begin with that no user has named.
PREFIX = "netpol-conformance-"
_NETWORK = "kind"
_MOST_CAUSES = 10
_DNS = implementations.Rollout("kube-system", "deployment/coredns")


@dataclass(frozen=True, slots=True)
class KindTimeouts:
    """Seconds.

    - `create`, `delete`: until kind has made or deleted the cluster's containers
    - `start_again`: how long kind is called again when a busy machine starts a node slower than kind has patience for
    - `install`: until kubectl has applied the implementation's manifest
    - `ready`: until the nodes are ready, and until each rollout is complete; pulling images is in it
    - `image`: until the probe image is pulled, and until it is on the nodes
    """

    create: float = 600.0
    start_again: float = 120.0
    delete: float = 120.0
    install: float = 120.0
    ready: float = 300.0
    image: float = 300.0
    cluster: ClusterTimeouts = field(default_factory=ClusterTimeouts)


@dataclass(frozen=True, slots=True)
class KindOptions:
    """What a user says about the cluster to be made.

    `plugin` is a folder of ci/implementations; `manifest` replaces the one pinned there, and `config` the kind configuration. With `keep` the
    cluster stays and the user's kubeconfig gets to know it. With `reuse` one of that name that is there already is used, and stays too.
    """

    run: str = field(default_factory=new_run)
    name: str | None = None
    node_image: str | None = None
    plugin: str = "calico"
    manifest: str | None = None
    config: Path | None = None
    keep: bool = False
    image: str | None = None
    reuse: bool = False
    workload: Workload = Workload.POD
    disruptive: bool = False
    timeouts: KindTimeouts = field(default_factory=KindTimeouts)

    @property
    def cluster_name(self) -> str:
        return self.name or f"{PREFIX}{self.run}"

    @property
    def probe_image(self) -> str:
        return self.image or DEFAULT_IMAGE


@dataclass(frozen=True, slots=True)
class Cluster:
    """A kind cluster and the kubeconfig of its own. Plain data, for other processes. `stays` says that it outlives the run."""

    name: str
    kubeconfig: str
    stays: bool = False

    @property
    def context(self) -> str:
        """What kind calls its context."""
        return f"kind-{self.name}"


class KindTarget:
    """A kind cluster, from its making to its end."""

    at_once: ClassVar[bool] = False
    clock: ClassVar[Clock] = KubernetesTarget.clock
    timeouts: ClassVar[Timeouts] = KubernetesTarget.timeouts

    def __init__(self, options: KindOptions) -> None:
        self._options = options
        self._cluster: Cluster | None = create(options)
        try:
            self._target = KubernetesTarget(kubernetes_options(self._cluster, options))
        except BaseException:
            delete(self._cluster, options.timeouts)
            raise

    def describe(self) -> Description:
        return replace(self._target.describe(), target="kind")

    def open_arena(self, world: World, name: str) -> KubernetesArena:
        return self._target.open_arena(world, name)

    def close(self) -> None:
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            try:
                self._target.close()
            finally:
                delete(cluster, self._options.timeouts)


def kubernetes_options(cluster: Cluster, options: KindOptions) -> KubernetesOptions:
    """Return how to run on a cluster that was made; a container beside its nodes is the endpoint outside."""
    outside = (ENGINE, "run", "-i", "--rm", "--network", _NETWORK, "--cap-add", "NET_ADMIN", options.probe_image)
    return KubernetesOptions(
        context=cluster.context,
        kubeconfig=cluster.kubeconfig,
        image=options.probe_image,
        run=options.run,
        external_command=outside,
        workload=options.workload,
        disruptive=options.disruptive,
        despite_policies=True,  # all that is there came with the implementation
        timeouts=options.timeouts.cluster,
    )


def create(options: KindOptions) -> Cluster:
    """Make a cluster, install the implementation, and wait until both are up; nothing is left of one that fails."""
    require(KIND, KUBECTL, ENGINE)
    pinned = _pinned(options)
    config = options.config or pinned.config
    if not config.is_file():
        raise UsageError(f"there is no kind configuration at {config}")
    name, timeouts = options.cluster_name, options.timeouts
    there = name in clusters(timeouts)
    if there and not options.reuse:
        raise UsageError(
            f"a kind cluster is called {name} already, and it may be somebody's",
            hint=f"choose another name, or delete it: kind delete cluster --name {name}",
        )
    folder = tempfile.mkdtemp(prefix="netpol-conformance-")
    cluster = Cluster(name, str(Path(folder) / "kubeconfig"), stays=there or options.keep)
    try:
        if there:
            _export(cluster, cluster.kubeconfig, timeouts)
        else:
            _make(cluster, config, pinned, options)
    except BaseException:  # Ctrl-C too
        with suppress(ConformanceError):  # what went wrong first is what counts
            delete(replace(cluster, stays=there), timeouts)
        raise
    return cluster


def delete(cluster: Cluster, timeouts: KindTimeouts | None = None) -> None:
    """Delete a cluster that was made for the run; of one that stays, only what was made around it."""
    try:
        if not cluster.stays:
            delete_by_name(cluster.name, timeouts)
    finally:
        shutil.rmtree(Path(cluster.kubeconfig).parent, ignore_errors=True)


def delete_by_name(name: str, timeouts: KindTimeouts | None = None) -> None:
    """Delete a cluster that a killed run left behind; TargetUnavailable where there is none of that name."""
    timeouts = timeouts or KindTimeouts()
    require(KIND, ENGINE)
    if name not in (there := clusters(timeouts)):
        raise TargetUnavailable(
            f"no kind cluster is called {name}", hint=f"there are {', '.join(there)}" if there else "there are none"
        )
    run(f"deleting the kind cluster {name}", KIND, "delete", "cluster", "--name", name, timeout=timeouts.delete)


def left_behind(timeouts: KindTimeouts | None = None) -> tuple[str, ...]:
    """Return the clusters that runs have made under names of their own; one may belong to a run that is still going on."""
    return tuple(name for name in clusters(timeouts or KindTimeouts()) if name.startswith(PREFIX))


def clusters(timeouts: KindTimeouts) -> tuple[str, ...]:
    """Return the names of all kind clusters of this machine."""
    listing = run("listing the kind clusters", KIND, "get", "clusters", timeout=timeouts.delete)
    return tuple(line.strip() for line in listing.splitlines() if line.strip())


def _pinned(options: KindOptions) -> Pinned:
    if options.manifest and options.plugin not in implementations.names():
        return implementations.Pinned(options.plugin, "", options.manifest, (), implementations.kind_config())
    pinned = implementations.pinned(options.plugin)
    return replace(pinned, manifest=options.manifest, chart=None) if options.manifest else pinned


def _make(cluster: Cluster, config: Path, pinned: Pinned, options: KindOptions) -> None:
    timeouts = options.timeouts
    node_image = ("--image", options.node_image) if options.node_image else ()
    words = ("create", "cluster", "--name", cluster.name, "--config", str(config), *node_image)
    command = (KIND, *words, "--kubeconfig", cluster.kubeconfig, "--wait", "0s")
    hint = "https://kind.sigs.k8s.io/docs/user/known-issues/ knows the usual reasons"
    retried(
        lambda: run(f"making the kind cluster {cluster.name}", *command, timeout=timeouts.create, hint=hint),
        _too_slow_a_start,
        timeouts.start_again,
    )
    _prepare_nodes(cluster, pinned, timeouts)
    _install(cluster, pinned, timeouts)
    _bring_image(cluster, options)
    try:
        _wait(cluster, pinned, timeouts)
    except TargetUnavailable as error:
        raise TargetUnavailable(
            f"{pinned.name} {pinned.version} did not come up".replace("  ", " "),
            causes=[error.message, *error.causes, *_not_up(cluster)],
        ) from error
    if options.keep:
        _export_to_user(cluster, timeouts)


def _prepare_nodes(cluster: Cluster, pinned: Pinned, timeouts: KindTimeouts) -> None:
    """Run on every node what the implementation needs there; with kind, a node is a container."""
    if not pinned.nodes:
        return
    nodes = run("listing the nodes", KIND, "get", "nodes", "--name", cluster.name, timeout=timeouts.delete)
    for node in nodes.split():
        for words in pinned.nodes:
            run(f"preparing {node} for {pinned.name}", ENGINE, "exec", node, *words, timeout=timeouts.install)


def _install(cluster: Cluster, pinned: Pinned, timeouts: KindTimeouts) -> None:
    manifest = _rendered(cluster, pinned, pinned.chart, timeouts) if pinned.chart else pinned.manifest
    if manifest:
        # Server-side, since the definitions of some plugins are too long for the annotation of the other way.
        apply = ("apply", "--server-side", "--force-conflicts", "-f", manifest)
        run(f"installing {pinned.name}", *_kubectl(cluster, *apply), timeout=timeouts.install)
    for words in pinned.then:
        run(f"installing {pinned.name}", *_kubectl(cluster, *words), timeout=timeouts.install)


def _rendered(cluster: Cluster, pinned: Pinned, chart: Chart, timeouts: KindTimeouts) -> str:
    """Make a manifest of a chart, beside the cluster's kubeconfig, and return where it is."""
    require(HELM)
    values = [word for value in chart.values for word in ("--set", value)]
    words = ("template", chart.name, chart.name, "--repo", chart.repository, "--version", pinned.version)
    command = (HELM, *words, "--namespace", chart.namespace, "--include-crds", *values)
    text = run(f"rendering the chart of {pinned.name}", *command, timeout=timeouts.install)
    file = Path(cluster.kubeconfig).parent / "chart.yaml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def _too_slow_a_start(error: BaseException) -> bool:
    """Whether a busy machine made kind give up on a node's start-up; it has taken everything back by then."""
    return isinstance(error, TargetUnavailable) and any("could not find a log line" in each for each in error.causes)


def _wait(cluster: Cluster, pinned: Pinned, timeouts: KindTimeouts) -> None:
    left = f"--timeout={timeouts.ready:g}s"
    slack = timeouts.ready + timeouts.cluster.request
    for namespace, resource in ((each.namespace, each.resource) for each in pinned.rollouts):
        rollout = _kubectl(cluster, "--namespace", namespace, "rollout", "status", resource, left)
        run(f"waiting for {resource}", *rollout, timeout=slack)
    nodes = _kubectl(cluster, "wait", "--for=condition=Ready", "nodes", "--all", left)
    run("waiting for the nodes", *nodes, timeout=slack)
    dns = _kubectl(cluster, "--namespace", _DNS.namespace, "rollout", "status", _DNS.resource, left)
    run("waiting for the cluster's DNS", *dns, timeout=slack)


def _bring_image(cluster: Cluster, options: KindOptions) -> None:
    """Put the probe image on the nodes, pulled once instead of by every node; where that fails, the nodes pull it."""
    image, timeout = options.probe_image, options.timeouts.image
    if succeeds(ENGINE, "image", "inspect", image, timeout=timeout) or succeeds(ENGINE, "pull", image, timeout=timeout):
        succeeds(KIND, "load", "docker-image", image, "--name", cluster.name, timeout=timeout)


def _export(cluster: Cluster, kubeconfig: str, timeouts: KindTimeouts) -> None:
    words = ("export", "kubeconfig", "--name", cluster.name, "--kubeconfig", kubeconfig)
    run(f"reading the kubeconfig of {cluster.name}", KIND, *words, timeout=timeouts.delete)


def _export_to_user(cluster: Cluster, timeouts: KindTimeouts) -> None:
    """Add a cluster that stays to the user's kubeconfig, and leave the current context what it was."""
    try:
        current = run("reading the current context", KUBECTL, "config", "current-context", timeout=timeouts.delete)
    except TargetUnavailable:
        current = ""  # there was none
    export = (KIND, "export", "kubeconfig", "--name", cluster.name)
    run(f"adding {cluster.context} to the kubeconfig", *export, timeout=timeouts.delete)
    if current.strip():
        switch = (KUBECTL, "config", "use-context", current.strip())
        run("going back to the current context", *switch, timeout=timeouts.delete)


def _not_up(cluster: Cluster) -> list[str]:
    """Say which pods of the new cluster are not running, and why."""
    try:
        pods = Api(cluster.context, cluster.kubeconfig).items("/api/v1/pods")
    except (ApiError, ConformanceError):
        return []
    down = [pod for pod in pods if not diagnosis.is_up(pod, Phase.RUNNING)]
    return [
        f"{pod['metadata']['namespace']}/{pod['metadata']['name']}: {diagnosis.describe(pod)}"
        for pod in down[:_MOST_CAUSES]
    ]


def _kubectl(cluster: Cluster, *words: str) -> tuple[str, ...]:
    return (KUBECTL, "--kubeconfig", cluster.kubeconfig, "--context", cluster.context, *words)
