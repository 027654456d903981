"""The difference of two runs, for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.plain import one_line
from conformance.report import totals
from conformance.report.findings import in_short
from conformance.report.markdown import block, in_html, table
from conformance.report.terminal import case_steps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.report.diff import Change, Diff


def diff_text(diff: Diff) -> str:
    """Return what a terminal shows: the counts, then each case that changed, and of regressions what is seen now."""
    return "\n".join(map(one_line, _text(diff)))


def _text(diff: Diff) -> Iterator[str]:
    yield f"old: {_run(diff.old.header)}"
    yield f"new: {_run(diff.new.header)}"
    if not diff.aligned:
        yield "the two ran different cases: what only one of them has is no change of the implementation"
    yield _counts(diff)
    for title, changes in _parts(diff).items():
        if changes:
            yield ""
            yield f"{title}:"
        for change in changes:
            yield f"  {change.id}  {_verdicts(change)}  {_requirement(change)}"
            if title == "regressions" and change.new is not None:
                yield from (f"    {line}".rstrip() for line in (in_short(change.new), *case_steps(change.new)))


def diff_markdown(diff: Diff) -> str:
    """Return the page that a pull request shows."""
    return "\n".join(_markdown(diff)).rstrip() + "\n"


def _markdown(diff: Diff) -> Iterator[str]:
    yield f"# {_counts(diff)}"
    yield ""
    yield from table(("", "run"), [("old", _run(diff.old.header)), ("new", _run(diff.new.header))])
    yield ""
    if not diff.aligned:
        yield "**The two ran different cases**: what only one of them has is no change of the implementation."
        yield ""
    for title, changes in _parts(diff).items():
        if not changes:
            continue
        yield f"## {title.capitalize()}"
        yield ""
        yield from table(("case", "verdict", "requirement"), [(c.id, _verdicts(c), _requirement(c)) for c in changes])
        yield ""
        if title == "regressions":
            yield from _details(changes)


def _details(changes: Sequence[Change]) -> Iterator[str]:
    for change in changes:
        if change.new is not None:
            yield f"<details><summary>{change.id}: {in_html(in_short(change.new))}</summary>"
            yield ""
            yield from block("text", list(case_steps(change.new)))
            yield "</details>"
            yield ""


def diff_json(diff: Diff) -> dict[str, Any]:
    """Return the difference as data: ids with both verdicts, by kind of change."""
    return {
        "aligned": diff.aligned,
        "runs": {"old": _run(diff.old.header), "new": _run(diff.new.header)},
        **{title: [_row(change) for change in changes] for title, changes in _parts(diff).items()},
    }


def _row(change: Change) -> Mapping[str, str | None]:
    old, new = (line["verdict"] if line is not None else None for line in (change.old, change.new))
    return {"id": change.id, "old": old, "new": new}


def _parts(diff: Diff) -> Mapping[str, Sequence[Change]]:
    return {
        "regressions": diff.regressions,
        "fixes": diff.fixes,
        "new": diff.added,
        "gone": diff.gone,
        "other": diff.other,
    }


def _counts(diff: Diff) -> str:
    return ", ".join(f"{len(changes)} {title}" for title, changes in _parts(diff).items())


def _run(header: Any) -> str:
    return f"{totals.title(header)} on {header['target']}, {header['started']}"


def _verdicts(change: Change) -> str:
    return " -> ".join(line["verdict"] for line in (change.old, change.new) if line is not None)


def _requirement(change: Change) -> str:
    line = change.new or change.old
    return line["requirement"] if line is not None else ""
