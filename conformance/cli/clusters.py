"""Verbs about a target itself: `smoke` tells whether it is fit for a run, `cleanup` removes what killed runs left."""

from __future__ import annotations

from typing import Annotated

import typer

from conformance.cli.app import (
    Context,
    DespitePolicies,
    Image,
    Kubeconfig,
    NamespaceAnnotation,
    NamespaceLabel,
    Target,
    WorkloadName,
    app,
    err,
    out,
)


@app.command()
def smoke(
    target: Target = "netns",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    image: Image = "",
    workload: WorkloadName = "pod",
    despite_policies: DespitePolicies = False,
    namespace_label: NamespaceLabel = None,
    namespace_annotation: NamespaceAnnotation = None,
) -> None:
    """Tell in seconds whether the target connects pods at all, and whether anything enforces policies."""
    from conformance import targets  # noqa: PLC0415 -- verbs import what they need
    from conformance.runner.smoke import smoke as try_out  # noqa: PLC0415 -- as above

    options = targets.TargetOptions(
        target=target,
        context=context,
        kubeconfig=kubeconfig,
        image=image,
        workload=workload,
        despite_policies=despite_policies,
        namespace_labels=namespace_label or (),
        namespace_annotations=namespace_annotation or (),
    )
    made = targets.make(options)
    try:
        with err.status("bringing up two pods"):
            result = try_out(made)
        told = made.describe()
    finally:
        made.close()
    out.print(f"{told.implementation} {told.version} on {told.target}".strip(), markup=False)
    out.print(f"pods connect:       {'yes' if result.connects else 'NO'} ({result.connects_detail})", markup=False)
    if result.connects:
        word = "yes" if result.enforces else "NO: nothing enforces policies"
        out.print(f"policies enforced:  {word} ({result.enforces_detail})", markup=False)
    raise typer.Exit(0 if result.connects and result.enforces else 1)


@app.command()
def cleanup(
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    run_name: Annotated[str, typer.Option("--run", help="only what this run left; by default what any run left")] = "",
    kind_name: Annotated[str, typer.Option(help="delete this kind cluster instead")] = "",
) -> None:
    """Remove what a killed run left on a cluster. Only what carries the suite's own label is touched."""
    from conformance import targets  # noqa: PLC0415 -- verbs import what they need

    removed = targets.cleanup(context=context, kubeconfig=kubeconfig, run=run_name, kind_name=kind_name)
    for name in removed:
        out.print(f"removed {name}", markup=False)
    if not removed:
        out.print("there was nothing to remove")
