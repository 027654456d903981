"""Badges: the sum of a run in two words, as the JSON that shields.io reads from a URL."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypedDict

from conformance.report import totals

if TYPE_CHECKING:
    from conformance.model.record import Record


class Badge(TypedDict):
    schemaVersion: int
    label: str
    message: str
    color: str


def badge(record: Record, tier: str = "core") -> Badge:
    """Return the badge of one tier. What could not be shown counts neither for nor against; a run that was cut off has no sum."""
    label = f"NetworkPolicy {tier}"
    counts = totals.by_tier(record.cases).get(tier, Counter())
    passed, judged = counts["pass"], sum(counts[each] for each in totals.JUDGED)
    if record.footer is None or counts["notrun"] or counts["skipped"]:
        return Badge(schemaVersion=1, label=label, message="incomplete", color="lightgrey")
    if totals.is_part(record.header):
        return Badge(schemaVersion=1, label=label, message="not the suite's cases", color="lightgrey")
    if counts["error"] or not judged:
        return Badge(schemaVersion=1, label=label, message="not judged", color="lightgrey")
    if passed == judged:
        return Badge(schemaVersion=1, label=label, message=f"all {judged} pass", color="brightgreen")
    color = "red" if counts["fail"] else "yellowgreen"
    return Badge(schemaVersion=1, label=label, message=f"{passed} of {judged} pass", color=color)
