"""A record as text for a terminal: what is wrong with a case, and the sum of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.model.record import CaseLine, FindingLine, Header, StepLine

_MOST_GROUPS = 12
_MOST_COMMANDS = 12
_MUST = {"allowed": "must pass", "blocked": "must be blocked"}
_VERDICTS = ("pass", "fail", "error", "waived", "unsupported", "skipped", "notrun")


def case_text(line: CaseLine) -> str:
    """Return what a person needs to know of a case that did not pass."""
    return "\n".join(_case(line))


def _case(line: CaseLine) -> Iterator[str]:
    yield f"{line['id']} {line['path']}"
    yield f"requirement: {line['requirement']}"
    yield f"specification: {line['spec']}"
    if line["reason"]:
        yield f"reason: {line['reason']}"
    if line["hint"]:
        yield f"hint: {line['hint']}"
    for step in line["steps"]:
        if step["findings"]:
            yield ""
            yield from _step(step)
    for note in line["notes"]:
        yield f"note: {note}"


def _step(step: StepLine) -> Iterator[str]:
    findings = step["findings"]
    seconds = f"{step['seconds']:.1f} s, {step['readings']} readings"
    yield f"step {step['name']!r}: {len(findings)} of {step['cells']} flows differ ({seconds})"
    groups = _grouped(findings)
    for (verdict, expected, seen, _), members in list(groups.items())[:_MOST_GROUPS]:
        places = " and ".join(f"{place}:{ports}" for place, ports in _places(members))
        yield f"  {verdict.upper():8} {places}"
        yield f"           {_MUST[expected]}, was {seen}"
        for why in members[0]["why"]:
            yield f"           {why}"
    if len(groups) > _MOST_GROUPS:
        yield f"  ... and {len(groups) - _MOST_GROUPS} more groups of flows: see the record"
    if step["commands"]:
        yield "  to see it by hand, while these policies are in force:"
        yield from (f"    {command}" for command in step["commands"][:_MOST_COMMANDS])


def _grouped(findings: Sequence[FindingLine]) -> dict[tuple[str, str, str, tuple[str, ...]], list[FindingLine]]:
    """Put flows together that differ in the same way for the same reason."""
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[FindingLine]] = defaultdict(list)
    for finding in findings:
        seen = finding["observed"] + (f" ({finding['detail']})" if finding["detail"] else "")
        groups[finding["verdict"], finding["expected"], seen, tuple(finding["why"])].append(finding)
    return groups


def _places(findings: Iterable[FindingLine]) -> Iterator[tuple[str, str]]:
    """Yield `x/a, y/b -> x/c` with the ports that these flows share."""
    ports: dict[tuple[str, str], list[str]] = defaultdict(list)
    for finding in findings:
        pair, _, port = finding["flow"].rpartition(":")
        source, _, destination = pair.partition(" -> ")
        ports[source, destination].append(port)
    sources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (source, destination), found in ports.items():
        sources[destination, ",".join(found)].append(source)
    for (destination, shared), found in sources.items():
        yield f"{', '.join(found)} -> {destination}", shared


def totals(lines: Iterable[CaseLine]) -> dict[str, Counter[str]]:
    """Count verdicts by tier."""
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        counts.setdefault(line["tier"], Counter())[line["verdict"]] += 1
    return counts


def summary(header: Header, lines: Sequence[CaseLine]) -> Iterator[str]:
    """Yield the lines of a run's sum."""
    version = f" {header['implementation_version']}" if header["implementation_version"] else ""
    yield f"NetworkPolicy conformance of {header['implementation']}{version} on {header['target']}"
    for tier, counts in sorted(totals(lines).items()):
        words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict])
        yield f"  {tier:9} {sum(counts.values()):4} cases: {words}"
    slowest = [
        step["latency_slowest"] for line in lines for step in line["steps"] if step["latency_slowest"] is not None
    ]
    if slowest:
        slowest.sort()
        yield f"  changes took effect within {slowest[len(slowest) // 2]:.2f} s (median step), {slowest[-1]:.2f} s (slowest)"
