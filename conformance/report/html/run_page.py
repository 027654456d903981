"""The page of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.report import totals
from conformance.report.findings import in_short
from conformance.report.html.evidence import evidence
from conformance.report.html.pictures import histogram
from conformance.report.html.rendering import render, script_data

if TYPE_CHECKING:
    from conformance.model.record import Record
    from conformance.report.html.evidence import AsText


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
        wrong=sorted(
            (line for line in cases if line["verdict"] in totals.WRONG),
            key=lambda line: totals.WRONG.index(line["verdict"]),
        ),
        most_wrong=_MOST_WRONG,
        verdicts=[each for each in totals.VERDICTS if any(line["verdict"] == each for line in cases)],
        by_tier=totals.by_tier(cases),
        by_feature=totals.by_feature(cases),
        not_run=totals.not_run(header, cases),
        no_accusation=totals.NO_ACCUSATION,
        latencies=histogram(totals.latencies(cases)),
        in_short=in_short,
        data=script_data(data),
    )
