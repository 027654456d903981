"""What all verbs share: the application that they belong to, where they write to, and the options that several of them have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    name="netpol-conformance",
    help="Does this cluster do what the NetworkPolicy specification says?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Paths = Annotated[
    list[Path] | None, typer.Argument(help="case files, or folders of them; by default the suite's own cases")
]
Target = Annotated[str, typer.Option(help="netns, kubernetes, kind or mini:NAME")]
Context = Annotated[str, typer.Option(help="the kubeconfig context; target kubernetes needs one")]
Kubeconfig = Annotated[str, typer.Option(help="the kubeconfig file, where it is not the usual one")]
Image = Annotated[str, typer.Option(help="the image of the probe pods: any that has python3")]
DespitePolicies = Annotated[
    bool,
    typer.Option("--despite-policies", help="go on where the cluster has policies of its own that may reach any pod"),
]
NamespaceLabel = Annotated[
    list[str] | None, typer.Option(help="KEY=VALUE: a label that the run's namespaces must have on this cluster")
]
NamespaceAnnotation = Annotated[
    list[str] | None, typer.Option(help="KEY=VALUE: an annotation that the run's namespaces must have on this cluster")
]
WorkloadName = Annotated[str, typer.Option(help="what the probe pods are: pod, or deployment for one each")]
