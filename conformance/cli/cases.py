"""Verbs about case files, which need no target: `list`, `show`, `check`, `coverage`, `new`."""

from __future__ import annotations

import json
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conformance.casefile.packaged import SUFFIXES
from conformance.cli import given
from conformance.cli.app import Paths, app, err, out
from conformance.errors import CaseFileError, UsageError

if TYPE_CHECKING:
    from conformance.model.case import Case

_MOST_DIFFERENCES = 5  # of one step: the first few are enough to see what is meant
_EXIT_DATA = CaseFileError.exit_status


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


@app.command("list")
def list_cases(
    paths: Paths = None,
    output: Annotated[Format, typer.Option("--format", help="text or json")] = Format.TEXT,
) -> None:
    """List cases: id, tier, features, requirement, path."""
    cases = given.load(given.paths(paths))
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
            metavar="ID...", help="ids, such as AD8Y or 'XG22-*'; or case files, in which ids are then sought"
        ),
    ],
) -> None:
    """Show cases, complete, for a person who reads nothing else."""
    from conformance.casefile.choose import choose  # noqa: PLC0415 -- verbs import what they need
    from conformance.casefile.manifest_text import manifest_text  # noqa: PLC0415 -- as above
    from conformance.report.case_page import case_page  # noqa: PLC0415 -- as above

    files = [Path(each) for each in wanted if "/" in each or Path(each).exists()]
    ids = [each for each in wanted if Path(each) not in files]
    cases = given.load(given.paths(files))
    pages = (case_page(case, manifest_text) for case in (choose(cases, ids) if ids else cases))
    for number, page in enumerate(pages):
        out.print(f"\n{'=' * 88}\n" * bool(number) + page, markup=False)


@app.command()
def check(
    paths: Paths = None,
    waivers: Annotated[Path | None, typer.Option(help="a file of waivers, whose ids must be those of cases")] = None,
) -> None:
    """Read case files without a cluster, and tell everything that is wrong with them."""
    from conformance.casefile.lint import lint  # noqa: PLC0415 -- verbs import what they need
    from conformance.judge.explain import explain  # noqa: PLC0415 -- as above
    from conformance.model.declared import declared_steps  # noqa: PLC0415 -- as above
    from conformance.runner.rehearsal import rehearse  # noqa: PLC0415 -- as above

    cases = given.load(given.paths(paths))
    if waivers is not None:
        from conformance.casefile.waivers import load_waivers  # noqa: PLC0415 -- as above

        load_waivers(waivers, [case.id for case in cases])
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
        raise typer.Exit(_EXIT_DATA)
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

    lists = worked_out(given.load(given.paths(None)))
    print(coverage_page(lists))  # noqa: T201 -- data goes to stdout as it is
    if uncovered := [f"{each.name}:{row.key}" for each in lists for row in each.uncovered]:
        err.print(f"no case covers {', '.join(uncovered)}", markup=False)
        raise typer.Exit(_EXIT_DATA)


@app.command()
def new(
    path: Annotated[Path, typer.Argument(help="the file to write, such as cases/ingress/my-case.yaml")],
    requirement: Annotated[str, typer.Option(help="one sentence with MUST or MUST NOT")] = "A pod that ... MUST ...",
) -> None:
    """Write a new case file with an id that is free, to be filled in."""
    from conformance.casefile.template import new_case  # noqa: PLC0415 -- verbs import what they need

    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"{path} would not be read as a case", hint=f"the names of case files end in {' or '.join(SUFFIXES)}"
        )
    cases = given.load(given.paths(None))
    if path.exists():
        raise UsageError(f"{path} is there already")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(new_case({case.id for case in cases}, requirement), encoding="utf-8")
    out.print(f"wrote {path}; fill it in, then: netpol-conformance check {path}", markup=False)


def _file(case: Case) -> str:
    return case.location.file if case.location else ""
