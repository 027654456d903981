"""A record as Markdown, such as the summary of a GitHub job: what fails comes first, and it stays below a size."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

from conformance.plain import one_line, plain
from conformance.report import totals
from conformance.report.findings import in_short
from conformance.report.policies import deciding_manifests
from conformance.report.terminal import case_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model.record import CaseLine, Record
    from conformance.report.policies import AsText

#: What GitHub takes of one step's summary is 1 MiB; a longer one is not shown at all.
MOST_BYTES = 1_000_000
_LEFT_FOR_THE_REST = 20_000
_MOST_NAMED = 500
_MARKS = re.compile(r"[\\`*_\[\]|~$]")
#: What GitHub makes a link of although nothing marks it as one.
_NO_ADDRESS = re.compile(r"(https?|ftp|www)([:.])", re.IGNORECASE)
_ADDRESS = re.compile(r"https://[A-Za-z0-9._~/?#&=%+-]+")


def markdown(record: Record, as_yaml: AsText, most: int = MOST_BYTES) -> str:
    """Return the page of a run, of at most so many bytes: cases that have no room are named. `as_yaml` writes a manifest."""
    head = "\n".join(_head(record))
    room = most - len(head.encode()) - _LEFT_FOR_THE_REST
    wrong = totals.wrong(record.cases)
    pages: list[str] = []
    for line in wrong:
        page = "\n".join(_case(line, as_yaml))
        room -= len(page.encode())
        if room < 0:
            break
        pages.append(page)
    return "\n".join([head, *pages, *_without_room(wrong[len(pages) :]), *_waived(record.cases)]).rstrip() + "\n"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], numbers: int = 0) -> Iterator[str]:
    """Yield a table; the last so many of its columns are numbers. Texts may hold anything."""
    left = len(titles) - numbers
    yield _row(titles)
    yield f"|{' --- |' * left}{' ---: |' * numbers}"
    yield from map(_row, rows)


def _row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(as_text(each) for each in texts)} |"


def as_text(text: str) -> str:
    """Return a text that is nothing but text where Markdown is read: no emphasis, code, link or image, and no address that becomes one."""
    return _NO_ADDRESS.sub(r"\1\\\2", _MARKS.sub(r"\\\g<0>", html.escape(_one_line(text), quote=False)))


def in_html(text: str) -> str:
    """Return a text that is nothing but text within an element of HTML, which an empty line would end."""
    return html.escape(_one_line(text))


def _one_line(text: str) -> str:
    return plain(text.replace("\n", " "))


def _head(record: Record) -> Iterator[str]:
    header, cases = record.header, record.cases
    yield f"# NetworkPolicy conformance of {as_text(totals.title(header))}"
    yield ""
    yield _verdict(record)
    yield ""
    tiers = totals.by_tier(cases)
    seen = [verdict for verdict in totals.VERDICTS if any(counts[verdict] for counts in tiers.values())]
    rows = [
        (tier, *(str(each) for each in (sum(counts.values()), *(counts[verdict] for verdict in seen))))
        for tier, counts in tiers.items()
    ]
    yield from table(("tier", "cases", *seen), rows, numbers=len(seen) + 1)
    yield ""
    facts = {"target": header["target"], **header["environment"]}
    yield ", ".join(f"{as_text(name)}: {as_text(value)}" for name, value in facts.items() if value)
    if took := totals.latency_text(cases):
        yield f"<br>{took}"
    yield ""


def _verdict(record: Record) -> str:
    """Say in a sentence or two what came out."""
    counts = {verdict: sum(line["verdict"] == verdict for line in record.cases) for verdict in totals.VERDICTS}
    said = f"**{_cases(counts['fail'])} not what the specification says**" if counts["fail"] else "**No case fails**"
    said += f", of {len(record.cases)}."
    if counts["error"]:
        said += f" {_cases(counts['error'])} not judged: {totals.NO_ACCUSATION}."
    if record.header["options"].get("strict") and (passing := totals.waived_for_nothing(record.cases)):
        said += f" **{_cases(len(passing))} waived and pass**, which fails the run: {', '.join(passing)}."
    if missing := totals.not_run(record.header, record.cases):
        said += f" **{missing} cases were not run**: the run was cut off."
    return said


def _cases(count: int) -> str:
    return f"{count} case{'s are' if count != 1 else ' is'}"


def _case(line: CaseLine, as_yaml: AsText) -> Iterator[str]:
    named = f"<b>{line['verdict'].upper()} {line['id']}</b> {in_html(line['requirement'])}"
    yield f"<details><summary>{named}<br>{in_html(in_short(line))}</summary>"
    yield ""
    yield f"<code>{as_text(line['path'])}</code>, {_link('specification', line['spec'])}"
    yield ""
    told = [*([f"hint: {line['hint']}"] if line["hint"] else ()), *line["notes"], *case_steps(line)]
    yield from block("text", told)
    for number, step in enumerate(line["steps"]):
        if manifests := deciding_manifests(line, number):
            yield f"What decides in step {as_text(repr(step['name']))}:"
            yield ""
            yield from block("yaml", "---\n".join(map(as_yaml, manifests)).splitlines())
    yield "</details>"
    yield ""


def _link(text: str, address: str) -> str:
    """Return a link, or the address as text where it is none that could stand in one."""
    return f"[{text}]({address})" if _ADDRESS.fullmatch(address) else as_text(address)


def block(language: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield lines of code, which nothing in them can end."""
    if lines:
        yield f"```{language}"
        yield from (one_line(each).replace("```", "'''") for each in lines)
        yield "```"
        yield ""


def _without_room(lines: Sequence[CaseLine]) -> Iterator[str]:
    if lines:
        named = ", ".join(f"{line['verdict'].upper()} {line['id']}" for line in lines[:_MOST_NAMED])
        rest = f" and {len(lines) - _MOST_NAMED} more" if len(lines) > _MOST_NAMED else ""
        yield f"There is no room for {len(lines)} more: {named}{rest}. The record has them."
        yield ""


def _waived(cases: Sequence[CaseLine]) -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for line in cases:
        if line["verdict"] == "waived":
            reasons.setdefault(line["waiver"], []).append(line["id"])
    if reasons:
        yield "## Waived"
        yield ""
        yield from table(("cases", "what is known"), [(", ".join(ids), reason) for reason, ids in reasons.items()])
