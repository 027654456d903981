"""Verbs about records of runs that are over: `report`, `diff`, `combine`."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from conformance import files
from conformance.cli.app import app, err, out
from conformance.errors import RecordError, UsageError, WriteError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.model.record import Record


_MOST_HISTORY = 64 * 2**20


class ReportFormat(StrEnum):
    TERMINAL = "terminal"
    HTML = "html"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    YAML = "yaml"
    README = "readme"
    BADGE = "badge"


class DiffFormat(StrEnum):
    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"


class FailOn(StrEnum):
    NOTHING = "nothing"
    REGRESSION = "regression"


RecordPath = Annotated[
    Path, typer.Argument(metavar="RECORD", help="the record of a run: a file, or the folder of --report")
]
Output = Annotated[Path | None, typer.Option(help="the file to write; by default it is printed")]


@app.command()
def report(
    record: RecordPath,
    output_format: Annotated[ReportFormat, typer.Option("--format", help="what to make of it")] = ReportFormat.TERMINAL,
    output: Output = None,
) -> None:
    """Show what a run found: for a terminal, as a page, or in a form that something else reads."""
    from conformance.report import store  # noqa: PLC0415 -- verbs import what they need

    _write(_rendered(store.read(record), output_format), output)


@app.command()
def diff(
    old: RecordPath,
    new: RecordPath,
    output_format: Annotated[DiffFormat, typer.Option("--format", help="how to say it")] = DiffFormat.TERMINAL,
    output: Output = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="end with status 1 where there is one; a case that got worse is a regression")
    ] = FailOn.NOTHING,
) -> None:
    """Tell what changed from one run to another: regressions, fixes, what is new, and what is gone."""
    from conformance.report import store  # noqa: PLC0415 -- verbs import what they need
    from conformance.report.diff import diff as compare  # noqa: PLC0415 -- as above
    from conformance.report.diff_text import diff_json, diff_markdown, diff_text  # noqa: PLC0415 -- as above

    found = compare(store.read(old), store.read(new))
    match output_format:
        case DiffFormat.TERMINAL:
            text = diff_text(found)
        case DiffFormat.MARKDOWN:
            text = diff_markdown(found)
        case DiffFormat.JSON:
            text = json.dumps(diff_json(found), indent=2, ensure_ascii=False)
    _write(text, output)
    if fail_on is FailOn.REGRESSION and found.regressions:
        raise typer.Exit(1)


@app.command()
def combine(
    records: Annotated[
        list[Path],
        typer.Argument(
            metavar="RECORD...", help="records of runs, or of the shards of one: files, or folders of --report"
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            help="of runs: a folder for the pages of all; of shards: the file for the record of the whole run"
        ),
    ],
    partial: Annotated[
        bool,
        typer.Option(
            "--partial",
            help="of shards: also where some are missing or were cut off; of runs: leave out those in which every case errored",
        ),
    ] = False,
    history: Annotated[
        Path | None, typer.Option(help="the history.jsonl of the night before, to which these runs are added")
    ] = None,
) -> None:
    """Put runs side by side in one page, or the shards of one run together to its record."""
    from conformance.report import store  # noqa: PLC0415 -- verbs import what they need

    if len({each.resolve() for each in records}) < len(records):
        raise UsageError(f"a record is named twice: {', '.join(map(str, records))}")
    read = {str(each): store.read(each) for each in records}
    if all(each.header["shard"] is not None for each in read.values()):
        _combine_shards(read, output, partial=partial)
    else:
        _combine_runs(read, output, history, partial=partial)


def _combine_shards(records: Mapping[str, Record], output: Path, *, partial: bool) -> None:
    from conformance.report import store  # noqa: PLC0415 -- verbs import what they need
    from conformance.report.shards import put_together  # noqa: PLC0415 -- as above
    from conformance.report.terminal import summary  # noqa: PLC0415 -- as above

    record = put_together(records, partial=partial)
    written = store.write(output, record)
    for text in (*summary(record.header, record.cases), f"record: {written}"):
        out.print(text, markup=False)


def _combine_runs(records: Mapping[str, Record], output: Path, history: Path | None, *, partial: bool) -> None:
    from conformance.casefile.manifest_text import manifest_text  # noqa: PLC0415 -- verbs import what they need
    from conformance.report.grid import grid, without_broken  # noqa: PLC0415 -- as above
    from conformance.report.history import read  # noqa: PLC0415 -- as above
    from conformance.report.site import site  # noqa: PLC0415 -- as above

    if partial:
        records, left_out = without_broken(records)
        for reason in left_out:
            err.print(f"left out: {reason}", markup=False)
    earlier = read(_text(history), str(history)) if history is not None else []
    for path, text in site(grid(records), earlier, manifest_text).items():
        _save(text, output / path)
    out.print(f"wrote {output / 'index.html'}", markup=False)


def _rendered(record: Record, output_format: ReportFormat) -> str:
    match output_format:
        case ReportFormat.TERMINAL:
            from conformance.report.terminal import run_text  # noqa: PLC0415 -- verbs import what they need

            return run_text(record)
        case ReportFormat.HTML:
            from conformance.casefile.manifest_text import manifest_text  # noqa: PLC0415 -- as above
            from conformance.report.html.run_page import run_page  # noqa: PLC0415 -- as above

            return run_page(record, manifest_text)
        case ReportFormat.MARKDOWN:
            from conformance.casefile.manifest_text import manifest_text  # noqa: PLC0415 -- as above
            from conformance.report.markdown import markdown  # noqa: PLC0415 -- as above

            return markdown(record, manifest_text)
        case ReportFormat.JUNIT:
            from conformance.report.junit import junit  # noqa: PLC0415 -- as above

            return junit(record)
        case ReportFormat.YAML:
            from conformance.casefile.manifest_text import manifest_text  # noqa: PLC0415 -- as above
            from conformance.report.conformance_report import conformance_report  # noqa: PLC0415 -- as above

            return manifest_text(conformance_report(record))
        case ReportFormat.README:
            from conformance.report.conformance_report import readme  # noqa: PLC0415 -- as above

            return readme(record)
        case ReportFormat.BADGE:
            from conformance.report.badge import badge  # noqa: PLC0415 -- as above

            return json.dumps(badge(record), indent=2)


def _write(text: str, output: Path | None) -> None:
    if output is None:
        print(text.removesuffix("\n"))  # noqa: T201 -- data goes to stdout as it is
        return
    _save(text.removesuffix("\n") + "\n", output)
    err.print(f"wrote {output}", markup=False)


def _save(text: str, path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise WriteError(f"cannot write {path}", causes=[str(error)]) from error


def _text(path: Path) -> str:
    try:
        return files.read(path, _MOST_HISTORY).decode()
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"cannot read {path}", causes=[str(error)]) from error
