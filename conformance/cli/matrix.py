"""The verb `matrix`: the legs of a nightly run, for the workflow that runs them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from conformance.cli.app import app, out
from conformance.cli.cases import Format

if TYPE_CHECKING:
    from conformance.casefile.legs import Leg

_NODE_IMAGE = "kindest/node"


@app.command()
def matrix(
    file: Annotated[Path, typer.Argument(help="the list of legs")] = Path("ci/matrix.yaml"),
    pull_request: Annotated[
        bool, typer.Option("--pull-request", help="only the legs that are run for pull requests too")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="text or json")] = Format.TEXT,
) -> None:
    """List the legs of a nightly run, with what is pinned for each and the command that runs it."""
    from conformance.casefile.legs import load_legs  # noqa: PLC0415 -- verbs import what they need
    from conformance.cluster import implementations  # noqa: PLC0415 -- as above

    legs = [_row(leg) for leg in load_legs(file, implementations.names()) if leg.pull_request or not pull_request]
    if output is Format.JSON:
        print(json.dumps(legs, ensure_ascii=False))  # noqa: T201 -- data goes to stdout as it is
        return
    for leg in legs:
        out.print(f"{leg['name']}\n  netpol-conformance run {leg['arguments']}", markup=False)


def _row(leg: Leg) -> dict[str, Any]:
    from conformance.cluster.implementations import in_the_project, pinned  # noqa: PLC0415 -- verbs import what they need

    pin = pinned(leg.implementation)
    name = "-".join((leg.implementation.replace("/", "-"), pin.version, f"kubernetes-{leg.kubernetes}"))
    arguments = ["--target", "kind", "--kind-plugin", leg.implementation]
    arguments += ["--kind-node-image", f"{_NODE_IMAGE}:{leg.kubernetes}"]
    arguments += ["--mode", pin.mode] if pin.mode else []
    arguments += [word for feature in pin.unsupported for word in ("--unsupported", feature)]
    arguments += [word for timeout in pin.timeouts for word in ("--timeout", timeout)]
    arguments += ["--waivers", in_the_project(pin.waivers)] if pin.waivers is not None else []
    return {
        "name": name,
        "implementation": pin.name,
        "version": pin.version,
        "mode": pin.mode,
        "kubernetes": leg.kubernetes,
        "ip_family": pin.ip_family,
        "host": pin.host,
        "arguments": shlex.join(arguments),
    }
