"""The page of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report import totals
from conformance.report.conformance_report import command
from conformance.report.findings import deciding, ends, in_short
from conformance.report.html.evidence import evidence
from conformance.report.html.pictures import histogram
from conformance.report.html.rendering import render, script_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model.record import CaseLine, Record
    from conformance.report.policies import AsText


#: Named at the top; of more, no reader reads the names.
_MOST_WRONG = 20


def run_page(record: Record, as_yaml: AsText) -> str:
    """Return the page of a run; `as_yaml` writes a manifest."""
    header, cases = record.header, sorted(record.cases, key=lambda line: (line["path"], line["id"]))
    data = {line["id"]: evidence(line, as_yaml) for line in cases}
    return render(
        "run.html",
        title=totals.title(header),
        header=header,
        footer=record.footer,
        cases=cases,
        wrong=totals.wrong(cases),
        most_wrong=_MOST_WRONG,
        verdicts=[each for each in totals.VERDICTS if any(line["verdict"] == each for line in cases)],
        by_tier=totals.by_tier(cases),
        by_feature=totals.by_feature(cases),
        not_run=totals.not_run(header, cases),
        no_accusation=totals.NO_ACCUSATION,
        latencies=histogram(totals.latencies(cases)),
        in_short=in_short,
        words=_words,
        again=command(header["options"]),
        data=script_data(data),
    )


def _words(line: CaseLine) -> str:
    """Return what a case is found by."""
    return " ".join(dict.fromkeys(_all_words(line))).lower()


def _all_words(line: CaseLine) -> Iterator[str]:
    yield from (line["verdict"], line["id"], f"tier:{line['tier']}", line["path"])
    yield from (f"feature:{each}" for each in line["features"])
    for finding in (each for step in line["steps"] for each in step["findings"]):
        yield finding["verdict"]
        yield from ends(finding["flow"])
        yield from deciding([finding])
    yield line["requirement"]
