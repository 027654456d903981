"""The verb `run`: pytest with the plugin, and nothing of the user's own pytest settings."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conformance.cli import given
from conformance.cli.app import (
    Context,
    DespitePolicies,
    Image,
    Kubeconfig,
    NamespaceAnnotation,
    NamespaceLabel,
    Paths,
    Target,
    WorkloadName,
    app,
)
from conformance.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_USAGE = (4, 5)  # what pytest ends with where an option is wrong, or where no case is left to run
_WORTH_WORKERS = 10  # below that, starting workers takes longer than they save


@app.command()
def run(
    paths: Paths = None,
    target: Target = "netns",
    report: Annotated[
        Path | None, typer.Option(help="a folder for the record of the run; - prints its lines among the other output")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="a folder with the record of a run that was cut off: runs the cases that it lacks, and completes it"
        ),
    ] = None,
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    image: Image = "",
    workload: WorkloadName = "",
    external: Annotated[
        str,
        typer.Option(
            help="a command that runs its arguments outside the cluster, such as 'docker run -i --rm --network kind --cap-add NET_ADMIN IMAGE'"
        ),
    ] = "",
    kind_name: Annotated[str, typer.Option(help="target kind: the cluster's name")] = "",
    kind_config: Annotated[str, typer.Option(help="target kind: the cluster's configuration")] = "",
    kind_plugin: Annotated[str, typer.Option(help="target kind: the network plugin to install")] = "",
    kind_manifest: Annotated[
        str, typer.Option(help="target kind: a manifest to install instead of the plugin's own")
    ] = "",
    kind_node_image: Annotated[str, typer.Option(help="target kind: the image of the nodes")] = "",
    keep: Annotated[
        bool,
        typer.Option("--keep", help="keep the probe pods (target kind: and the cluster), to look at a failure by hand"),
    ] = False,
    disruptive: Annotated[
        bool, typer.Option("--disruptive", help="run cases that restart the implementation's pods too")
    ] = False,
    despite_policies: DespitePolicies = False,
    namespace_label: NamespaceLabel = None,
    namespace_annotation: NamespaceAnnotation = None,
    run_name: Annotated[str, typer.Option("--run", help="the name of the run, part of all names on the cluster")] = "",
    waivers: Annotated[str, typer.Option(help="a file of known deviations")] = "",
    mode: Annotated[
        str, typer.Option(help="how the implementation is operated, such as eBPF: a part of its name in reports")
    ] = "",
    about: Annotated[
        str, typer.Option(help="a TOML file that says who makes the implementation, for published reports")
    ] = "",
    strict: Annotated[
        bool, typer.Option("--strict", help="a case that passes although it is waived fails the run")
    ] = False,
    unsupported: Annotated[
        list[str] | None, typer.Option(help="a feature that the implementation does not claim")
    ] = None,
    timeout: Annotated[list[str] | None, typer.Option(help="a timeout, such as settle=60")] = None,
    shard: Annotated[
        str,
        typer.Option(
            help="only a part of the cases: 2/4 is the second of four, job/4 that of this pod of an indexed Job"
        ),
    ] = "",
    world_size: Annotated[
        str, typer.Option(help="how many pods cases are tried among: copies of the usual nine are added")
    ] = "",
    workers: Annotated[
        str,
        typer.Option(
            "-n", help="how many cases run side by side, each in an arena of its own; auto is what the target bears"
        ),
    ] = "",
    keyword: Annotated[str, typer.Option("-k", help="only cases whose path, id, tier or features match")] = "",
    marker: Annotated[
        str, typer.Option("-m", help="only cases of a tier or feature, such as 'core and not services'")
    ] = "",
    junit: Annotated[str, typer.Option(help="a file for a JUnit report")] = "",
    verbose: Annotated[bool, typer.Option("-v", help="a line for each case")] = False,
) -> None:
    """Run cases and say what does not do what the specification says."""
    _refuse_unknown_markers(marker)
    # What is wrong with a user's own cases is better said before anything is started.
    many = not paths or len(given.load(paths)) >= _WORTH_WORKERS
    single = {
        "target": target, "report": report, "resume": resume, "context": context, "kubeconfig": kubeconfig, "image": image, "external": external,
        "workload": workload,
        "kind-name": kind_name, "kind-config": kind_config, "kind-plugin": kind_plugin, "kind-manifest": kind_manifest,
        "kind-node-image": kind_node_image, "waivers": waivers, "run": run_name, "shard": shard,
        "world-size": world_size, "mode": mode, "about": about,
    }  # fmt: skip
    arguments = [f"--netpol-{name}={value}" for name, value in single.items() if value]
    arguments += [f"--netpol-unsupported={feature}" for feature in unsupported or ()]
    arguments += [f"--netpol-timeout={each}" for each in timeout or ()]
    arguments += ["--netpol-keep"] if keep else []
    arguments += ["--netpol-disruptive"] if disruptive else []
    arguments += ["--netpol-despite-policies"] if despite_policies else []
    arguments += [f"--netpol-namespace-label={each}" for each in namespace_label or ()]
    arguments += [f"--netpol-namespace-annotation={each}" for each in namespace_annotation or ()]
    arguments += ["--netpol-strict"] if strict else []
    workers = workers or ("auto" if many else "")
    for flag, value in (("-n", workers), ("-k", keyword), ("-m", marker)):
        arguments += [flag, value] if value else []
    arguments += [f"--junit-xml={junit}"] if junit else []
    arguments += ["-v"] if verbose else []
    raise typer.Exit(_pytest([*map(str, given.paths(paths)), *arguments]))


def _refuse_unknown_markers(expression: str) -> None:
    """See that cases can be marked with what `-m` names: with workers, pytest says so in no words that anybody could use."""
    from conformance.model.case import FEATURES, Tier  # noqa: PLC0415 -- verbs import what they need

    known = {*Tier, "row", *(feature.replace("-", "_") for feature in FEATURES)}
    words = set(re.findall(r"[^\W\d][\w-]*", expression)) - {"and", "or", "not"}
    if unknown := sorted(words - known):
        raise UsageError(
            f"no cases are marked {', '.join(unknown)}",
            hint=f"what -m knows are the tiers, the features, and rows of tables: {', '.join(sorted(known))}",
        )


def _pytest(arguments: Sequence[str]) -> int:
    import pytest  # noqa: PLC0415 -- verbs import what they need

    # A cancelled job is to be cleaned up after as Ctrl-C is; with workers, this process is the one that is told.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The user's own pytest settings are about their tests, not about this run.
    fixed = ["-c", str(Path(__file__).parents[1] / "run.ini"), f"--rootdir={Path.cwd()}", "-p", "no:cacheprovider"]
    status = int(pytest.main([*fixed, *arguments]))
    return UsageError.exit_status if status in _USAGE else status
