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
    """Flows that differ in the same way; `decided_by` are the policies and rules by which they must be otherwise."""

    verdict: str
    expected: str
    observed: str
    detail: str
    decided_by: tuple[tuple[str, str, int | None], ...] = ()

    @property
    def sentence(self) -> str:
        """Such as `LEAK: must be blocked, but passed`."""
        detail = f" ({self.detail})" if self.detail else ""
        when = "at times " if self.verdict == "unstable" else ""
        return f"{self.verdict.upper()}: {self.must}, but {when}{_SEEN[self.observed]}{detail}"

    @property
    def must(self) -> str:
        """Such as `must be blocked`."""
        return _MUST[self.expected]


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def in_short(line: CaseLine) -> str:
    """Say in one line what became of a case: what is known of it, its reason, or what its first step with findings shows."""
    if line["verdict"] == "waived":
        return line["waiver"]
    if line["reason"]:
        return line["reason"]
    for step in line["steps"]:
        if step["findings"]:
            counts = Counter(finding["verdict"] for finding in step["findings"])
            words = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
            return f"{words} of {step['cells']} flows in step {step['name']!r}"
    return line["verdict"]


def grouped(findings: Sequence[FindingLine]) -> Mapping[Group, Sequence[FindingLine]]:
    """Put flows together that differ in the same way and are decided by the same rules; where that gives too many, only in the same way."""
    groups: dict[Group, list[FindingLine]] = defaultdict(list)
    for finding in findings:
        groups[_group(finding)].append(finding)
    if len(groups) <= MOST_GROUPS:
        return groups
    wider: dict[Group, list[FindingLine]] = defaultdict(list)
    for group, members in groups.items():
        wider[group._replace(decided_by=())].extend(members)
    return wider


def places(findings: Iterable[FindingLine]) -> Iterator[str]:
    """Yield `x/a, y/b -> x/c:80,81/TCP`, with all sources in one line that differ in the same ports; of several destinations, ` on 80/TCP`."""
    by_family: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        flow, over, family = finding["flow"].partition(" over ")
        by_family[over + family].append(flow)
    for family, flows in by_family.items():
        yield from (f"{place}{family}" for place in _joined(flows))


def reasons(findings: Iterable[FindingLine]) -> Sequence[str]:
    """Return why these flows must be otherwise, each sentence once; those that name a line come first."""
    found = dict.fromkeys(reason for finding in findings for reason in finding["why"])
    return sorted(found, key=lambda reason: "(" not in reason)


def deciding(findings: Iterable[FindingLine]) -> Sequence[str]:
    """Return the policies that decide these flows: those of a rule that matches, and where there is none, those that isolate."""
    policies = dict.fromkeys(each[0] for finding in findings for each in _decided_by(finding))
    return list(policies)


def ends(flow: str) -> tuple[str, str, str]:
    """Return source, destination and port of a flow's text; with the port, the family that it may name."""
    pair, _, port = flow.rpartition(":")
    source, _, destination = pair.partition(" -> ")
    return source, destination, port


def _group(finding: FindingLine) -> Group:
    return Group(
        finding["verdict"], finding["expected"], finding["observed"], finding["detail"], tuple(_decided_by(finding))
    )


def _decided_by(finding: FindingLine) -> Iterator[tuple[str, str, int | None]]:
    for each in finding["evidence"]:
        if finding["expected"] == "blocked" or each["rule"] is not None:
            yield each["policy"], each["direction"], each["rule"]


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
        yield f"{found_sources} -> {', '.join(found)}{' on ' if len(found) > 1 else ':'}{shared}"


def _ports(texts: Sequence[str]) -> str:
    """Write `80/TCP` and others as an expectation would: `80,81/TCP,UDP` where every port is there with every protocol."""
    pairs = [(number, protocol) for number, _, protocol in (text.partition("/") for text in texts)]
    numbers = sorted({number for number, _ in pairs}, key=int)
    protocols = sorted({protocol for _, protocol in pairs})
    if len(set(pairs)) == len(numbers) * len(protocols):
        return f"{','.join(numbers)}/{','.join(protocols)}"
    return ", ".join(texts)
