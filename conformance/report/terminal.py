"""A record as text for a terminal: what is wrong with a case, and the sum of a run."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from conformance.model.record import cases_to_come

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conformance.model.record import CaseLine, FindingLine, Header, StepLine

_MOST_GROUPS = 12
_MOST_PLACES = 10
_MOST_REASONS = 3
_MOST_COMMANDS = 12
_MUST = {"allowed": "must pass", "blocked": "must be blocked"}
_SEEN = {
    "allowed": "passed",
    "dropped": "got no answer",
    "rejected": "was refused",
    "misdelivered": "was answered by somebody else",
    "failed": "could not be measured",
}
_VERDICTS = ("pass", "fail", "error", "waived", "unsupported", "skipped", "notrun")
_NO_ACCUSATION = "an error is of the suite or of the cluster: it says nothing about the implementation"


def case_text(line: CaseLine) -> str:
    """Return what a person needs to know of a case that did not pass; the first line is the shortest form of it."""
    return "\n".join(_case(line))


def _case(line: CaseLine) -> Iterator[str]:
    yield f"{line['verdict'].upper()} {line['id']}: {_in_short(line)}"
    yield f"case:          {line['path']}"
    yield f"requirement:   {line['requirement']}"
    yield f"specification: {line['spec']}"
    if line["hint"]:
        yield f"hint:          {line['hint']}"
    if line["verdict"] == "error":
        yield f"note:          {_NO_ACCUSATION}"
    for note in line["notes"]:
        yield f"note:          {note}"
    for step in line["steps"]:
        if step["findings"]:
            yield ""
            yield from _step(step)


def _in_short(line: CaseLine) -> str:
    """Say in one line what became of a case: its reason, or else what its first step with findings shows."""
    if line["reason"]:
        return line["reason"]
    for step in line["steps"]:
        if step["findings"]:
            counts = Counter(finding["verdict"] for finding in step["findings"])
            words = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
            return f"step {step['name']!r}: {len(step['findings'])} of {step['cells']} flows differ: {words}"
    return line["waiver"] or line["verdict"]


class _Group(NamedTuple):
    """Flows that differ in the same way."""

    verdict: str
    expected: str
    observed: str
    detail: str
    why: tuple[str, ...] = ()


def _step(step: StepLine) -> Iterator[str]:
    findings = step["findings"]
    yield (
        f"step {step['name']!r}: {len(findings)} of {step['cells']} flows are not as they must be "
        f"({step['seconds']:.1f} s, {step['readings']} readings)"
    )
    groups = _grouped(findings)
    for group, members in list(groups.items())[:_MOST_GROUPS]:
        detail = f" ({group.detail})" if group.detail else ""
        times = "at times " if group.verdict == "unstable" else ""
        yield f"  {group.verdict.upper()}: {_MUST[group.expected]}, but {times}{_SEEN[group.observed]}{detail}"
        yield from _limited(
            [f"    {place}" for place in _places(members)], _MOST_PLACES, "    ... and {} more such lines"
        )
        reasons = list(dict.fromkeys(reason for member in members for reason in member["why"]))
        yield from (f"    because {reason}" for reason in reasons[: max(_MOST_REASONS, len(group.why))])
    if len(groups) > _MOST_GROUPS:
        yield f"  ... and {len(groups) - _MOST_GROUPS} more groups of flows: see the record"
    if step["commands"]:
        yield "  to see it by hand, in a run with --keep:"
        yield from _limited([f"    {command}" for command in step["commands"]], _MOST_COMMANDS, "    ... and {} more")


def _limited(lines: Sequence[str], most: int, rest: str) -> Iterator[str]:
    yield from lines[:most]
    if len(lines) > most:
        yield rest.format(len(lines) - most)


def _grouped(findings: Sequence[FindingLine]) -> Mapping[_Group, list[FindingLine]]:
    """Put flows together that differ in the same way for the same reason; where that gives too many, only in the same way."""
    groups: dict[_Group, list[FindingLine]] = defaultdict(list)
    for finding in findings:
        groups[_group(finding)].append(finding)
    if len(groups) <= _MOST_GROUPS:
        return groups
    wider: dict[_Group, list[FindingLine]] = defaultdict(list)
    for group, members in groups.items():
        wider[group._replace(why=())].extend(members)
    return wider


def _group(finding: FindingLine) -> _Group:
    return _Group(
        finding["verdict"], finding["expected"], finding["observed"], finding["detail"], tuple(finding["why"])
    )


def _places(findings: Iterable[FindingLine]) -> Iterator[str]:
    """Yield `x/a, y/b -> x/c:80,81/TCP`, with all sources in one line that differ in the same ports of one destination."""
    by_family: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        flow, over, family = finding["flow"].partition(" over ")
        by_family[over + family].append(flow)
    for family, flows in by_family.items():
        yield from (f"{place}{family}" for place in _joined(flows))


def _joined(flows: Iterable[str]) -> Iterator[str]:
    ports: dict[tuple[str, str], list[str]] = defaultdict(list)
    for flow in flows:
        pair, _, port = flow.rpartition(":")
        source, _, destination = pair.partition(" -> ")
        ports[source, destination].append(port)
    sources: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (source, destination), found in ports.items():
        sources[destination, _ports(found)].append(source)
    destinations: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (destination, shared), found in sources.items():
        destinations[", ".join(found), shared].append(destination)
    for (found_sources, shared), found in destinations.items():
        yield f"{found_sources} -> {', '.join(found)}:{shared}"


def _ports(texts: Sequence[str]) -> str:
    """Write `80/TCP` and others as an expectation would: `80,81/TCP,UDP` where every port is there with every protocol."""
    pairs = [(number, protocol) for number, _, protocol in (text.partition("/") for text in texts)]
    numbers = sorted({number for number, _ in pairs}, key=int)
    protocols = sorted({protocol for _, protocol in pairs})
    if len(set(pairs)) == len(numbers) * len(protocols):
        return f"{','.join(numbers)}/{','.join(protocols)}"
    return ", ".join(texts)


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
    if (shard := header["shard"]) is not None:
        yield f"  shard {shard['number']}/{shard['count']}: {shard['cases']} of {header['cases']} cases"
    for tier, counts in sorted(totals(lines).items()):
        words = ", ".join(f"{counts[verdict]} {verdict}" for verdict in _VERDICTS if counts[verdict])
        yield f"  {tier:9} {sum(counts.values()):4} cases: {words}"
    if any(line["verdict"] == "error" for line in lines):
        yield f"  {_NO_ACCUSATION}"
    to_come = cases_to_come(header)
    if len(lines) < to_come:
        yield f"  {to_come - len(lines)} of {to_come} cases were not run"
    slowest = [
        step["latency_slowest"] for line in lines for step in line["steps"] if step["latency_slowest"] is not None
    ]
    if slowest:
        slowest.sort()
        yield f"  changes took effect within {slowest[len(slowest) // 2]:.2f} s (median step), {slowest[-1]:.2f} s (slowest)"
