"""The command line. Each verb says in words what another room does; `run` is pytest with the plugin's options."""

from __future__ import annotations

import json
import signal
import sys
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from conformance.errors import CaseFileError, ConformanceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model.case import Case

app = typer.Typer(
    name="netpol-conformance",
    help="Does this cluster do what the NetworkPolicy specification says?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

_USAGE = (4, 5)  # what pytest ends with where an option is wrong, or where no case is left to run
_MOST_DIFFERENCES = 5  # of one step: the first few are enough to see what is meant
_WORTH_WORKERS = 10  # below that, starting workers takes longer than they save

EXIT_DATA = CaseFileError.exit_status


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


Paths = Annotated[
    list[Path] | None, typer.Argument(help="case files, or folders of them; by default the suite's own cases")
]
Target = Annotated[str, typer.Option(help="netns, kubernetes, kind or mini:NAME")]
Context = Annotated[str, typer.Option(help="the kubeconfig context; target kubernetes needs one")]
Kubeconfig = Annotated[str, typer.Option(help="the kubeconfig file, where it is not the usual one")]
Image = Annotated[str, typer.Option(help="the image of the probe pods: any that has python3")]
WorkloadName = Annotated[str, typer.Option(help="what the probe pods are: pod, or deployment for one each")]


def main() -> None:
    """Run the command line; a failure that a user can see is words on stderr and an exit status, never a traceback."""
    try:
        app()
    except ConformanceError as error:
        err.print(str(error), markup=False)
        sys.exit(error.exit_status)


@app.command()
def run(
    paths: Paths = None,
    target: Target = "netns",
    report: Annotated[
        Path | None, typer.Option(help="a folder for the record of the run; - prints its lines among the other output")
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
    run_name: Annotated[str, typer.Option("--run", help="the name of the run, part of all names on the cluster")] = "",
    waivers: Annotated[str, typer.Option(help="a file of known deviations")] = "",
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
    # What is wrong with a user's own cases is better said before anything is started.
    many = not paths or len(_load(paths)) >= _WORTH_WORKERS
    single = {
        "target": target, "report": report, "context": context, "kubeconfig": kubeconfig, "image": image, "external": external,
        "workload": workload,
        "kind-name": kind_name, "kind-config": kind_config, "kind-plugin": kind_plugin, "kind-manifest": kind_manifest,
        "kind-node-image": kind_node_image, "waivers": waivers, "run": run_name, "shard": shard,
        "world-size": world_size,
    }  # fmt: skip
    arguments = [f"--netpol-{name}={value}" for name, value in single.items() if value]
    arguments += [f"--netpol-unsupported={feature}" for feature in unsupported or ()]
    arguments += [f"--netpol-timeout={each}" for each in timeout or ()]
    arguments += ["--netpol-keep"] if keep else []
    arguments += ["--netpol-disruptive"] if disruptive else []
    workers = workers or ("auto" if many else "")
    for flag, value in (("-n", workers), ("-k", keyword), ("-m", marker)):
        arguments += [flag, value] if value else []
    arguments += [f"--junit-xml={junit}"] if junit else []
    arguments += ["-v"] if verbose else []
    raise typer.Exit(_pytest([*map(str, _paths(paths)), *arguments]))


@app.command("list")
def list_cases(
    paths: Paths = None,
    output: Annotated[Format, typer.Option("--format", help="text or json")] = Format.TEXT,
) -> None:
    """List cases: id, tier, features, requirement, path."""
    cases = _load(_paths(paths))
    if output is Format.JSON:
        rows = [
            {
                "id": case.id,
                "path": _file(case),
                "tier": case.tier.value,
                "features": sorted(case.features),
                "requirement": case.requirement,
                "spec": case.spec,
            }
            for case in cases
        ]
        print(json.dumps(rows, indent=2, ensure_ascii=False))  # noqa: T201 -- data goes to stdout as it is
        return
    for case in cases:
        out.print(f"{case.id}  {case.tier.value:9} {_file(case)}\n      {case.requirement}", markup=False)


@app.command()
def show(
    wanted: Annotated[
        list[str],
        typer.Argument(
            metavar="ID...", help="ids, such as K7QD or 'XG22-*'; or case files, in which ids are then sought"
        ),
    ],
) -> None:
    """Show cases, complete, for a person who reads nothing else."""
    from conformance.casefile.choose import choose  # noqa: PLC0415 -- verbs import what they need
    from conformance.casefile.manifest_text import manifest_text  # noqa: PLC0415 -- as above
    from conformance.report.case_page import case_page  # noqa: PLC0415 -- as above

    files = [Path(each) for each in wanted if "/" in each or Path(each).exists()]
    ids = [each for each in wanted if Path(each) not in files]
    cases = _load(_paths(files))
    pages = (case_page(case, manifest_text) for case in (choose(cases, ids) if ids else cases))
    for number, page in enumerate(pages):
        out.print(f"\n{'=' * 88}\n" * bool(number) + page, markup=False)


@app.command()
def check(paths: Paths = None) -> None:
    """Read case files without a cluster, and tell everything that is wrong with them."""
    from conformance.casefile.lint import lint  # noqa: PLC0415 -- verbs import what they need
    from conformance.judge.explain import explain  # noqa: PLC0415 -- as above
    from conformance.model.declared import declared_steps  # noqa: PLC0415 -- as above
    from conformance.runner.rehearsal import rehearse  # noqa: PLC0415 -- as above

    cases = _load(_paths(paths))
    walked = [(case, tuple(declared_steps(case))) for case in cases]
    problems = lint(walked)
    for problem in problems:
        err.print(str(problem), markup=False)
    wrong = [(case, each) for case, steps in walked for each in rehearse(steps)]
    for _, differing in groupby(wrong, key=lambda found: (found[0].id, found[1].step.name)):
        found = [each for _, each in differing]
        for each in found[:_MOST_DIFFERENCES]:
            declared = "allowed" if each.declared else "blocked"
            why = "; ".join(explain(each.decision)) or "the backends of the Service differ, or there are none"
            err.print(
                f"{each.step.location}: step {each.step.name!r}: {each.decision.flow} is declared {declared}, "
                f"but the evaluator says otherwise: {why}",
                markup=False,
            )
        if len(found) > _MOST_DIFFERENCES:
            err.print(f"{found[0].step.location}: and {len(found) - _MOST_DIFFERENCES} more flows of this step")
    if problems or wrong:
        raise typer.Exit(EXIT_DATA)
    out.print(
        f"{len(cases)} cases are well formed and agree with the evaluator"
        if len(cases) != 1
        else "the case is well formed and agrees with the evaluator"
    )


@app.command()
def coverage() -> None:
    """Print which tests of others, and which classes of defects, the suite's own cases show; as Markdown."""
    from conformance.casefile.coverage import coverage as worked_out  # noqa: PLC0415 -- verbs import what they need
    from conformance.report.coverage import coverage_page  # noqa: PLC0415 -- as above

    lists = worked_out(_load(_paths(None)))
    print(coverage_page(lists))  # noqa: T201 -- data goes to stdout as it is
    if uncovered := [f"{each.name}:{row.key}" for each in lists for row in each.uncovered]:
        err.print(f"no case covers {', '.join(uncovered)}", markup=False)
        raise typer.Exit(EXIT_DATA)


@app.command()
def combine(
    shards: Annotated[
        list[Path],
        typer.Argument(metavar="SHARD...", help="the records of a run's shards: files, or folders of --report"),
    ],
    output: Annotated[Path, typer.Option(help="the file for the record of the whole run")],
    partial: Annotated[
        bool,
        typer.Option(
            "--partial", help="also where shards are missing or were cut off: the record says that it is not whole"
        ),
    ] = False,
) -> None:
    """Put the records of a run's shards together to one record of the run."""
    from conformance.report import store  # noqa: PLC0415 -- verbs import what they need
    from conformance.report.shards import put_together  # noqa: PLC0415 -- as above
    from conformance.report.terminal import summary  # noqa: PLC0415 -- as above

    if len({each.resolve() for each in shards}) < len(shards):
        raise UsageError(f"a record is named twice: {', '.join(map(str, shards))}")
    record = put_together({str(each): store.read(each) for each in shards}, partial=partial)
    written = store.write(output, record)
    for text in (*summary(record.header, record.cases), f"record: {written}"):
        out.print(text, markup=False)


@app.command()
def smoke(
    target: Target = "netns",
    context: Context = "",
    kubeconfig: Kubeconfig = "",
    image: Image = "",
    workload: WorkloadName = "pod",
) -> None:
    """Tell in seconds whether the target connects pods at all, and whether anything enforces policies."""
    from conformance import targets  # noqa: PLC0415 -- verbs import what they need
    from conformance.runner.smoke import smoke as try_out  # noqa: PLC0415 -- as above

    options = targets.TargetOptions(
        target=target, context=context, kubeconfig=kubeconfig, image=image, workload=workload
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


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="the file to write, such as cases/ingress/my-case.yaml")],
    requirement: Annotated[str, typer.Option(help="one sentence with MUST or MUST NOT")] = "A pod that ... MUST ...",
) -> None:
    """Write a new case file with an id that is free, to be filled in."""
    from conformance.casefile.template import new_case  # noqa: PLC0415 -- verbs import what they need

    cases = _load(_paths(None))
    if path.exists():
        raise UsageError(f"{path} is there already")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(new_case({case.id for case in cases}, requirement), encoding="utf-8")
    out.print(f"wrote {path}; fill it in, then: netpol-conformance check {path}", markup=False)


def _pytest(arguments: Sequence[str]) -> int:
    import pytest  # noqa: PLC0415 -- verbs import what they need

    # A cancelled job is to be cleaned up after as Ctrl-C is; with workers, this process is the one that is told.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The user's own pytest settings are about their tests, not about this run.
    fixed = ["-c", str(Path(__file__).parent / "run.ini"), f"--rootdir={Path.cwd()}", "-p", "no:cacheprovider"]
    status = int(pytest.main([*fixed, *arguments]))
    return UsageError.exit_status if status in _USAGE else status


def _paths(paths: list[Path] | None) -> list[Path]:
    from conformance.casefile.packaged import cases  # noqa: PLC0415 -- verbs import what they need

    return paths or [cases()]


def _load(paths: list[Path]) -> tuple[Case, ...]:
    from conformance.casefile.load import find, load_cases  # noqa: PLC0415 -- verbs import what they need

    files = list(find(paths))
    if not files:
        raise UsageError(f"no case files under {', '.join(map(str, paths))}")
    return load_cases(files)


def _file(case: Case) -> Any:
    return case.location.file if case.location else ""


if __name__ == "__main__":
    main()
