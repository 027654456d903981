"""Which target an option names, and how it is made."""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from conformance.cluster.options import DEFAULT_IMAGE, KubernetesOptions, Workload, new_run
from conformance.errors import UsageError
from conformance.model.default_world import default_world

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from conformance.cluster.kind import Cluster, KindOptions
    from conformance.runner.target import Target

NAMES = ("netns", "netns:DEFECT", "kubernetes", "kind", "mini:NAME")
_MOST_IN_THE_LAB = 8
_RUN = re.compile(r"^[a-z0-9]{1,12}$")


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What a user says about the target; each is an option `--netpol-…` of pytest and one of the command line.

    Labels and annotations are written `KEY=VALUE`.
    """

    target: str = "netns"
    run: str = field(default_factory=new_run)
    context: str = ""
    kubeconfig: str = ""
    image: str = ""
    external: str = ""
    kind_name: str = ""
    node_image: str = ""
    plugin: str = "calico"
    manifest: str = ""
    kind_config: Path | None = None
    keep: bool = False
    disruptive: bool = False
    despite_policies: bool = False
    namespace_labels: Sequence[str] = ()
    namespace_annotations: Sequence[str] = ()
    workload: str = Workload.POD

    def __post_init__(self) -> None:
        if self.workload not in list(Workload):
            raise UsageError(f"no workload is called {self.workload!r}", hint=f"they are {' and '.join(Workload)}")
        if not _RUN.match(self.run):
            raise UsageError(f"a run's name is 1 to 12 of a-z0-9, not {self.run!r}")
        for each in (*self.namespace_labels, *self.namespace_annotations):
            if not each.partition("=")[0] or "=" not in each:
                raise UsageError(f"{each!r} is no label or annotation", hint="write it as KEY=VALUE")


def check(options: TargetOptions) -> None:
    """Raise a UsageError where no target has that name, before anything is collected or started."""
    maker = _maker(options)
    if options.target.partition(":")[0] in {"mini", "netns"}:  # made at once, from nothing but the name
        maker()


def make(options: TargetOptions) -> Target:
    """Make the target that the options name; UsageError for one that does not exist or lacks an option."""
    maker = _maker(options)
    if options.workload != Workload.POD and options.target.partition(":")[0] not in {"kubernetes", "kind"}:
        raise UsageError(
            f"target {options.target} has no workload {options.workload}",
            hint="only the targets kubernetes and kind have Deployments",
        )
    return maker()


def _maker(options: TargetOptions) -> Callable[[], Target]:
    kind, _, name = options.target.partition(":")
    makers: Mapping[str, Callable[[TargetOptions, str], Target]] = {
        "netns": _netns,
        "kubernetes": _kubernetes,
        "kind": _kind,
        "mini": _miniature,
    }
    if kind not in makers:
        raise UsageError(f"no target is called {options.target!r}", hint=f"the targets are {', '.join(NAMES)}")
    return partial(makers[kind], options, name)


@dataclass(frozen=True, slots=True)
class SharedKind:
    """A kind cluster that one process makes and several run on."""

    cluster: Cluster
    options: KindOptions

    def for_workers(self) -> dict[str, str | bool]:
        """Return the options by which another process runs on this cluster."""
        from conformance.cluster.kind import kubernetes_options  # noqa: PLC0415 -- loaded already

        chosen = kubernetes_options(self.cluster, self.options)
        return {
            "target": "kubernetes",
            "context": chosen.context,
            "kubeconfig": chosen.kubeconfig or "",
            "image": chosen.image,
            "external": shlex.join(chosen.external_command),
            "despite_policies": chosen.despite_policies,
        }

    def close(self) -> None:
        """Delete the cluster, unless it is to be kept."""
        from conformance.cluster.kind import delete  # noqa: PLC0415 -- loaded already

        delete(self.cluster, self.options.timeouts)


def shared_kind(options: TargetOptions) -> SharedKind:
    """Make the cluster of target kind for workers that are yet to start."""
    from conformance.cluster.kind import create  # noqa: PLC0415 -- only who needs a cluster pays for its client

    chosen = _kind_options(options)
    return SharedKind(create(chosen), chosen)


def side_by_side(options: TargetOptions, world_size: int = 0) -> int:
    """Return how many arenas the target bears at once: as many processes are worth having. A cluster that is yet to be made runs here.

    `world_size` is how many pods the world has, 0 for the usual ones.
    """
    cores = os.cpu_count() or 1
    pods = world_size or len(default_world().pods)
    match options.target:
        case "kubernetes" if options.context:
            from conformance.cluster.capacity import arenas  # noqa: PLC0415 -- as above

            return arenas(_kubernetes_options(options), pods)
        case "kind":
            from conformance.cluster.capacity import borne_in_kind  # noqa: PLC0415 -- as above

            return borne_in_kind(cores, pods)
        case "netns":  # nearly half of the time, an arena waits for what is dropped
            return min(_MOST_IN_THE_LAB, 2 * cores)
    return min(_MOST_IN_THE_LAB, cores)


def live_objects(context: str, kubeconfig: str) -> Sequence[Mapping[str, Any]]:
    """Return what policies are about on a cluster that is there: namespaces, pods, Services, and the policies themselves."""
    from conformance.cluster.live import objects  # noqa: PLC0415 -- only who needs a cluster pays for its client

    return objects(context, kubeconfig or None)


def cleanup(*, context: str, kubeconfig: str, run: str, kind_name: str) -> tuple[str, ...]:
    """Remove what killed runs left: on a cluster, or a kind cluster itself. Return what was removed."""
    if kind_name:
        from conformance.cluster.kind import delete_by_name  # noqa: PLC0415 -- only who needs a cluster pays for its client

        delete_by_name(kind_name)
        return (f"kind cluster {kind_name}",)
    if not context:
        raise UsageError(
            "name the cluster to clean up", hint="with --context, or with --kind-name for one that kind made"
        )
    from conformance.cluster.cleanup import cleanup as clean  # noqa: PLC0415 -- as above

    return clean(context, kubeconfig or None, run or None)


def _kind_options(options: TargetOptions) -> KindOptions:
    from conformance.cluster.kind import KindOptions  # noqa: PLC0415 -- only who needs a cluster pays for its client

    return KindOptions(
        run=options.run,
        name=options.kind_name or None,
        node_image=options.node_image or None,
        plugin=options.plugin,
        manifest=options.manifest or None,
        config=options.kind_config,
        keep=options.keep,
        image=options.image or None,
        workload=Workload(options.workload),
        disruptive=options.disruptive,
    )


def _netns(_: TargetOptions, name: str) -> Target:
    from conformance.lab.netns.target import NetnsTarget  # noqa: PLC0415 -- as above

    if not name:
        return NetnsTarget()
    from conformance.lab.miniatures.registry import in_a_kernel  # noqa: PLC0415 -- as above

    return NetnsTarget(name, *in_a_kernel(name))


def _kubernetes(options: TargetOptions, _: str) -> Target:
    from conformance.cluster.target import KubernetesTarget  # noqa: PLC0415 -- as above

    if not options.context:
        raise UsageError(
            "no context is named, and the suite never takes the current one by itself",
            hint="name the cluster with --context (pytest: --netpol-context); `kubectl config get-contexts` lists them",
        )
    return KubernetesTarget(_kubernetes_options(options))


def _kubernetes_options(options: TargetOptions) -> KubernetesOptions:
    return KubernetesOptions(
        context=options.context,
        kubeconfig=options.kubeconfig or None,
        image=options.image or DEFAULT_IMAGE,
        run=options.run,
        external_command=tuple(shlex.split(options.external)),
        workload=Workload(options.workload),
        disruptive=options.disruptive,
        despite_policies=options.despite_policies,
        namespace_labels=_pairs(options.namespace_labels),
        namespace_annotations=_pairs(options.namespace_annotations),
    )


def _pairs(given: Sequence[str]) -> dict[str, str]:
    return {key: value for key, _, value in (each.partition("=") for each in given)}


def _kind(options: TargetOptions, _: str) -> Target:
    from conformance.cluster.kind import KindTarget  # noqa: PLC0415 -- as above

    return KindTarget(_kind_options(options))


def _miniature(_: TargetOptions, name: str) -> Target:
    from conformance.lab.miniatures.registry import make as make_miniature  # noqa: PLC0415 -- as above

    return make_miniature(name)
