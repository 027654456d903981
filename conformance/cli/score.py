"""The verb `score`: how good the cases are."""

from __future__ import annotations

import json
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path  # noqa: TC003 -- typer reads it
from typing import Annotated

import typer

from conformance.cli import given
from conformance.cli.app import Paths, app, err, out
from conformance.errors import UsageError

_EXIT_WANTING = 1


class ScoreFormat(StrEnum):
    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


@app.command()
def score(
    paths: Paths = None,
    defect: Annotated[
        list[str] | None, typer.Option(help="only these defects: names, such as 'keeps-*', or classes, such as M31")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="name the defects, and run nothing")] = False,
    output_format: Annotated[ScoreFormat, typer.Option("--format", help="how to say it")] = ScoreFormat.TEXT,
    output: Annotated[Path | None, typer.Option(help="a file for all of it as JSON")] = None,
    processes: Annotated[int, typer.Option("-n", help="how many processes; by default as many as processors")] = 0,
) -> None:
    """Tell how good the cases are: run them on plugins in memory that have a defect each, and say which defects no case finds."""
    from conformance.lab.miniatures.registry import DEFECTS  # noqa: PLC0415 -- verbs import what they need
    from conformance.lab.score.run import score as scored  # noqa: PLC0415 -- as above
    from conformance.report.score_text import score_json, score_markdown, score_text  # noqa: PLC0415 -- as above

    wanted = defect or ["*"]
    chosen = [each for each in DEFECTS.values() if any(fnmatchcase(each.name, one) or each.of == one for one in wanted)]
    if not chosen:
        raise UsageError(f"no defect is called {', '.join(wanted)}", hint="`score --list` names them")
    if list_only:
        for each in chosen:
            out.print(f"{each.of:4} {each.name:36} {each.what}", markup=False)
        return
    found = scored(given.load(given.paths(paths)), chosen, processes=processes, progress=_progress)
    as_data = json.dumps(score_json(found), indent=1)
    if output is not None:
        output.write_text(as_data + "\n", encoding="utf-8")
    match output_format:
        case ScoreFormat.TEXT:
            out.print(score_text(found), markup=False)
        case ScoreFormat.MARKDOWN:
            print(score_markdown(found))  # noqa: T201 -- data goes to stdout as it is
        case ScoreFormat.JSON:
            print(as_data)  # noqa: T201 -- as above
    idle = found.idle if defect is None else ()  # of some defects only, most cases find none
    if found.survivors or idle or found.imperfect or found.doubted:
        raise typer.Exit(_EXIT_WANTING)


def _progress(done: int, of: int) -> None:
    if err.is_terminal:
        err.print(f"{done} of {of} cases", end="\r")
