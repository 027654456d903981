"""What the cases cover of what others test, as a page of Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conformance.model.coverage import CoverageList

_HEAD = """\
# Coverage

Which tests of others, and which classes of defects that implementations have shipped, the cases of this suite show. Made by
`netpol-conformance coverage` from the cases and the lists under `cases/_coverage`; a test keeps this page up to date and fails
for a row without a case. A refused row is one that the specification does not support; the reason is given.
"""
_MOST_CASES = 4


def coverage_page(lists: Sequence[CoverageList]) -> str:
    """Return the page: a summary of all lists, then each of them row by row."""
    return "\n".join([_HEAD, *_summary(lists), *(line for each in lists for line in _list(each))])


def _summary(lists: Iterable[CoverageList]) -> Iterator[str]:
    yield "| list | rows | covered | refused | open |"
    yield "|---|---|---|---|---|"
    for each in lists:
        refused = sum(bool(row.refused) for row in each.rows)
        covered = len(each.rows) - refused - len(each.uncovered)
        yield f"| [{each.title}](#{each.name}) | {len(each.rows)} | {covered} | {refused} | {len(each.uncovered)} |"
    yield ""


def _list(each: CoverageList) -> Iterator[str]:
    yield f'<a id="{each.name}"></a>'
    yield f"\n## {each.title}\n"
    yield f"{each.about}\n"
    yield "| row | what is tested | cases |"
    yield "|---|---|---|"
    for row in each.rows:
        told = f"refused: {row.refused}" if row.refused else _cases(each.cases.get(row.key, ()))
        yield f"| `{row.key}` | {_cell(row.what)} | {_cell(told)} |"
    yield ""


def _cases(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:_MOST_CASES])
    return f"{shown} and {len(ids) - _MOST_CASES} more" if len(ids) > _MOST_CASES else shown


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
