"""Findings in groups that a person can take in: flows that differ in the same way, written as the rows of a case file are."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conformance.model.record import CaseLine, FindingLine

#: More groups than these are put together, whatever the reasons.
MOST_GROUPS = 12
_MUST = {"allowed": "must pass", "blocked": "must be blocked"}
_SEEN = {
    "allowed": "passed",
    "dropped": "got no answer",
    "rejected": "was refused",
    "misdelivered": "was answered by somebody else",
    "failed": "could not be measured",
}


class Group(NamedTuple):
    """Flows that differ in the same way."""

    verdict: str
    expected: str
    observed: str
    detail: str
    why: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Such as `LEAK: must be blocked, but passed`."""
        detail = f" ({self.detail})" if self.detail else ""
        times = "at times " if self.verdict == "unstable" else ""
        return f"{self.verdict.upper()}: {_MUST[self.expected]}, but {times}{_SEEN[self.observed]}{detail}"


def in_short(line: CaseLine) -> str:
    """Say in one line what became of a case: its reason, or else what its first step with findings shows."""
    if line["reason"]:
        return line["reason"]
    for step in line["steps"]:
        if step["findings"]:
            counts = Counter(finding["verdict"] for finding in step["findings"])
            words = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
            return f"step {step['name']!r}: {len(step['findings'])} of {step['cells']} flows differ: {words}"
    return line["waiver"] or line["verdict"]


def grouped(findings: Sequence[FindingLine]) -> Mapping[Group, Sequence[FindingLine]]:
    """Put flows together that differ in the same way for the same reason; where that gives too many, only in the same way."""
    groups: dict[Group, list[FindingLine]] = defaultdict(list)
    for finding in findings:
        groups[_group(finding)].append(finding)
    if len(groups) <= MOST_GROUPS:
        return groups
    wider: dict[Group, list[FindingLine]] = defaultdict(list)
    for group, members in groups.items():
        wider[group._replace(why=())].extend(members)
    return wider


def places(findings: Iterable[FindingLine]) -> Iterator[str]:
    """Yield `x/a, y/b -> x/c:80,81/TCP`, with all sources in one line that differ in the same ports of one destination."""
    by_family: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        flow, over, family = finding["flow"].partition(" over ")
        by_family[over + family].append(flow)
    for family, flows in by_family.items():
        yield from (f"{place}{family}" for place in _joined(flows))


def reasons(findings: Iterable[FindingLine]) -> Sequence[str]:
    """Return why these flows must be otherwise, each sentence once."""
    return list(dict.fromkeys(reason for finding in findings for reason in finding["why"]))


def ends(flow: str) -> tuple[str, str, str]:
    """Return source, destination and port of a flow's text; with the port, the family that it may name."""
    pair, _, port = flow.rpartition(":")
    source, _, destination = pair.partition(" -> ")
    return source, destination, port


def _group(finding: FindingLine) -> Group:
    return Group(finding["verdict"], finding["expected"], finding["observed"], finding["detail"], tuple(finding["why"]))


def _joined(flows: Iterable[str]) -> Iterator[str]:
    ports: dict[tuple[str, str], list[str]] = defaultdict(list)
    for flow in flows:
        source, destination, port = ends(flow)
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
