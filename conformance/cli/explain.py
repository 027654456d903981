"""The verb `explain`: what the specification says of a user's own policies."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads it
from typing import TYPE_CHECKING, Annotated

import typer

from conformance.cli.app import Context, Kubeconfig, app, err, out
from conformance.errors import UsageError

if TYPE_CHECKING:
    from conformance.casefile.manifests import Manifests

_EXIT_BLOCKED = 1


@app.command()
def explain(
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "-f", "--filename",
            help="manifests: files, or folders of them; policies, and the pods, workloads, namespaces and Services that they are about",
        ),
    ] = None,
    source: Annotated[
        str, typer.Option("--from", help="who connects: namespace/pod, or an address outside the cluster")
    ] = "",
    destination: Annotated[
        str,
        typer.Option("--to", help="to what: namespace/pod:80/TCP, a Service as name.namespace.svc:80/TCP, or an address"),
    ] = "",
    pod: Annotated[
        list[str] | None, typer.Option(help="a pod without a manifest, with its labels: 'x/a app=web tier=front'")
    ] = None,
    port: Annotated[str, typer.Option(help="of the matrix, where no --to is given")] = "80/TCP",
    namespace: Annotated[str, typer.Option(help="of manifests that name none")] = "default",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
) -> None:  # fmt: skip
    """Tell what your own policies allow: one flow, by which rule and at which line, or the whole matrix. It needs no cluster.

    Without --from and --to it prints who reaches whom. With --context, and no files, it reads what a live cluster has.
    """
    from conformance.cli import answer, question  # noqa: PLC0415 -- verbs import what they need

    if bool(files) == bool(context):
        raise UsageError("say what to explain: files with -f, or a cluster with --context")
    if bool(source) != bool(destination):
        raise UsageError("one flow has both: --from and --to")
    read = _live(context, kubeconfig) if context else _manifests(files or [], namespace)
    for note in read.notes:
        err.print(f"note: {note}", markup=False)
    state = question.with_pods(read.state, pod or [])
    if not source:
        for line in answer.matrix(state, question.port(port)):
            out.print(line, markup=False)
        return
    state, flows = question.flows(state, source, destination)
    passes = True
    for flow in flows:
        decision, lines = answer.of(state, flow)
        passes &= bool(decision.allowed)
        for line in lines:
            out.print(line, markup=False)
    raise typer.Exit(0 if passes else _EXIT_BLOCKED)


def _manifests(files: list[Path], namespace: str) -> Manifests:
    from conformance.casefile.manifests import load_manifests  # noqa: PLC0415 -- verbs import what they need

    return load_manifests(files, namespace)


def _live(context: str, kubeconfig: str) -> Manifests:
    from conformance import targets  # noqa: PLC0415 -- verbs import what they need
    from conformance.casefile.manifests import from_objects  # noqa: PLC0415 -- as above

    return from_objects(f"cluster {context}", targets.live_objects(context, kubeconfig))
