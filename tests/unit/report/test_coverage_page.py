"""The page about coverage, from lists and the cases that cover them."""

from __future__ import annotations

from conformance.model.coverage import CoverageList, CoverageRow
from conformance.report.coverage import coverage_page

ROWS = (
    CoverageRow("1", "Nothing reaches a | b."),
    CoverageRow("2", "A pod reaches itself.", refused="left open by the specification"),
    CoverageRow("3", "Nobody looked."),
)
LIST = CoverageList(
    "upstream", "Upstream", "Where they come from.", ROWS, {"1": ("AAAA", "BBBB", "CCCC", "DDDD", "EEEE")}
)


def test_what_is_open_is_neither_covered_nor_refused() -> None:
    assert [row.key for row in LIST.uncovered] == ["3"]


def test_the_page_counts_and_lists() -> None:
    lines = coverage_page([LIST]).split("\n")
    assert "| [Upstream](#upstream) | 3 | 1 | 1 | 1 |" in lines
    assert "| `1` | Nothing reaches a \\| b. | AAAA, BBBB, CCCC, DDDD and 1 more |" in lines
    assert "| `2` | A pod reaches itself. | refused: left open by the specification |" in lines
    assert "| `3` | Nobody looked. |  |" in lines
