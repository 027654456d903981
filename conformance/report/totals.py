"""The numbers of a run: verdicts by tier and by feature, and how long changes took."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from conformance.model.record import cases_to_come

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from conformance.model.record import CaseLine, Header

#: In the order in which they are told.
VERDICTS = ("pass", "fail", "error", "waived", "unsupported", "skipped", "notrun")
#: What a reader has to act on, in this order.
WRONG = ("fail", "error")
#: Those that say something about the implementation.
JUDGED = ("pass", "fail", "waived")
#: Told wherever there is an error.
NO_ACCUSATION = "an error is of the suite or of the cluster: it says nothing about the implementation"


def title(header: Header) -> str:
    """Return who was tested: such as `calico v3.28.5`, with the mode where it is not the usual one."""
    mode = f" ({header['mode']})" if header["mode"] != "default" else ""
    return f"{header['implementation']} {header['implementation_version']}".strip() + mode


def is_part(header: Header) -> bool:
    """Whether the cases of a run were picked by hand, or are not the suite's: what they show is no result of the suite."""
    return bool(header["own_cases"]) or "k" in header["options"]


def by_tier(lines: Iterable[CaseLine]) -> Mapping[str, Counter[str]]:
    """Count verdicts by tier."""
    return _counted(lines, lambda line: [line["tier"]])


def by_feature(lines: Iterable[CaseLine]) -> Mapping[str, Counter[str]]:
    """Count verdicts by feature; a case counts for each of those that it has."""
    return _counted(lines, lambda line: line["features"])


def in_words(counts: Mapping[str, int]) -> str:
    """Such as `640 pass, 2 fail`."""
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts.get(verdict))


def wrong(lines: Iterable[CaseLine]) -> Sequence[CaseLine]:
    """Return what a reader has to act on, in the one order in which it is told everywhere."""
    found = [line for line in lines if line["verdict"] in WRONG]
    return sorted(found, key=lambda line: (WRONG.index(line["verdict"]), line["path"], line["id"]))


def waived_for_nothing(lines: Iterable[CaseLine]) -> Sequence[str]:
    """Return the ids of cases that pass although they are waived."""
    return [line["id"] for line in lines if line["verdict"] == "pass" and line["waiver"]]


def not_run(header: Header, lines: Sequence[CaseLine]) -> int:
    """Return how many cases are missing from a record that was cut off."""
    return cases_to_come(header) - len(lines)


def latencies(lines: Iterable[CaseLine]) -> Sequence[float]:
    """Return, sorted, how many seconds each step's slowest flow took to change, of those steps that had to change any."""
    return sorted(
        step["latency_slowest"] for line in lines for step in line["steps"] if step["latency_slowest"] is not None
    )


def latency_text(lines: Iterable[CaseLine]) -> str:
    """Say how long changes took; nothing where none was seen."""
    found = latencies(lines)
    if not found:
        return ""
    return f"changes took effect within {found[len(found) // 2]:.2f} s (median step), {found[-1]:.2f} s (slowest)"


def _counted(lines: Iterable[CaseLine], keys: Callable[[CaseLine], Iterable[str]]) -> Mapping[str, Counter[str]]:
    counts: dict[str, Counter[str]] = {}
    for line in lines:
        for key in keys(line):
            counts.setdefault(key, Counter())[line["verdict"]] += 1
    return dict(sorted(counts.items()))
