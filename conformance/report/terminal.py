"""A record as text for a terminal: what is wrong with a case, and the sum of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.record import cases_to_come
from conformance.plain import one_line
from conformance.report import totals
from conformance.report.findings import MOST_GROUPS, grouped, in_short, places, reasons, times

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.model.record import CaseLine, Header, Record, StepLine

_MOST_PLACES = 10
_MOST_REASONS = 3
_MOST_COMMANDS = 12


def case_text(line: CaseLine) -> str:
    """Return what a person needs to know of a case that did not pass; the first line is the shortest form of it."""
    return "\n".join(map(one_line, _case(line)))


def _case(line: CaseLine) -> Iterator[str]:
    yield f"{line['verdict'].upper()} {line['id']}: {in_short(line)}"
    yield f"case:          {line['path']}"
    yield f"requirement:   {line['requirement']}"
    yield f"specification: {line['spec']}"
    if line["hint"]:
        yield f"hint:          {line['hint']}"
    if line["verdict"] == "error":
        yield f"note:          {totals.NO_ACCUSATION}"
    for note in line["notes"]:
        yield f"note:          {note}"
    if steps := list(case_steps(line)):
        yield ""
        yield from steps


def case_steps(line: CaseLine) -> Iterator[str]:
    """Yield what the steps of a case show that is not as it must be."""
    for number, step in enumerate(each for each in line["steps"] if each["findings"]):
        if number:
            yield ""
        yield from _step(step)


def _step(step: StepLine) -> Iterator[str]:
    findings = step["findings"]
    yield (
        f"step {step['name']!r}: {len(findings)} of {step['cells']} flows are not as they must be "
        f"(read {times(step['readings'])} in {step['seconds']:.1f} s)"
    )
    groups = grouped(findings)
    for group, members in list(groups.items())[:MOST_GROUPS]:
        yield f"  {group.sentence}"
        yield from _limited(
            [f"    {place}" for place in places(members)], _MOST_PLACES, "    ... and {} more such lines"
        )
        yield from _limited(
            [f"    {group.must} because {reason}" for reason in reasons(members)],
            max(_MOST_REASONS, len(group.decided_by)),
            "    ... and {} more such reasons",
        )
    if len(groups) > MOST_GROUPS:
        yield f"  ... and {len(groups) - MOST_GROUPS} more groups of flows: see the record"
    if step["commands"]:
        yield "  to see it by hand, in a run with --keep:"
        yield from _limited([f"    {command}" for command in step["commands"]], _MOST_COMMANDS, "    ... and {} more")


def _limited(lines: Sequence[str], most: int, rest: str) -> Iterator[str]:
    yield from lines[:most]
    if len(lines) > most:
        yield rest.format(len(lines) - most)


def run_text(record: Record) -> str:
    """Return a whole run: what a person needs to know of each case that did not do as it must, and the sum."""
    wrong = [f"{case_text(line)}\n" for line in totals.wrong(record.cases)]
    return "\n".join([*wrong, *summary(record.header, record.cases)])


def summary(header: Header, lines: Sequence[CaseLine]) -> Iterator[str]:
    """Yield the lines of a run's sum."""
    yield from map(one_line, _summary(header, lines))


def _summary(header: Header, lines: Sequence[CaseLine]) -> Iterator[str]:
    yield f"NetworkPolicy conformance of {totals.title(header)} on {header['target']}"
    if (shard := header["shard"]) is not None:
        yield f"  shard {shard['number']}/{shard['count']}: {shard['cases']} of {header['cases']} cases"
    for tier, counts in totals.by_tier(lines).items():
        yield f"  {tier:9} {sum(counts.values()):4} cases: {totals.in_words(counts)}"
    if any(line["verdict"] == "error" for line in lines):
        yield f"  {totals.NO_ACCUSATION}"
    if passing := totals.waived_for_nothing(lines):
        fails = ", and with --strict they fail the run" if header["options"].get("strict") else ""
        yield f"  waived, and pass all the same: {', '.join(passing)}; their waivers can go{fails}"
    if missing := totals.not_run(header, lines):
        yield f"  {missing} of {cases_to_come(header)} cases were not run"
    if took := totals.latency_text(lines):
        yield f"  {took}"
