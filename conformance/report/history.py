"""Night after night: a line for each leg of each grid, from which trends are drawn."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, TypedDict

from conformance.errors import RecordError
from conformance.report import totals
from conformance.report.wellformed import of_history, refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conformance.report.grid import Grid


class HistoryLine(TypedDict):
    """What one run came to. `verdicts` are counted by tier."""

    started: str
    implementation: str
    version: str
    mode: str
    suite_version: str
    case_set: str
    verdicts: dict[str, dict[str, int]]


def lines_of(grid: Grid) -> list[HistoryLine]:
    """Return what a grid adds to the history."""
    return [
        HistoryLine(
            started=leg.record.header["started"],
            implementation=leg.record.header["implementation"],
            version=leg.record.header["implementation_version"],
            mode=leg.record.header["mode"],
            suite_version=leg.record.header["suite_version"],
            case_set=leg.record.header["case_set"],
            verdicts={tier: dict(sorted(counts.items())) for tier, counts in totals.by_tier(leg.record.cases).items()},
        )
        for leg in grid.legs
    ]


def read(text: str, name: str) -> list[HistoryLine]:
    """Read a history back; RecordError with the line that is none."""
    found: list[HistoryLine] = []
    lines = text.split("\n")  # and nowhere else: texts may have what other systems end lines with
    for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
        try:
            raw = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"{name}:{number}: not a line of a history", causes=[repr(error)]) from error
        refuse(of_history(raw), f"{name}:{number}", "history")
        found.append(HistoryLine(**{key: raw[key] for key in HistoryLine.__required_keys__}))  # type: ignore[typeddict-item]
    return found


def joined(earlier: Iterable[HistoryLine], later: Iterable[HistoryLine]) -> list[HistoryLine]:
    """Put histories together, in the order of time; a run that both have is there once."""
    by_run = {(line["implementation"], line["mode"], line["started"]): line for line in (*earlier, *later)}
    return sorted(by_run.values(), key=lambda line: (line["started"], line["implementation"], line["mode"]))


def write(lines: Iterable[HistoryLine]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False, sort_keys=True) + "\n" for line in lines)


def trends(lines: Iterable[HistoryLine], tier: str) -> Mapping[tuple[str, str], Sequence[tuple[str, float]]]:
    """Return, for each implementation and mode, when it was run and which part of what could be judged passed."""
    found: dict[tuple[str, str], list[tuple[str, float]]] = defaultdict(list)
    for line in lines:
        counts = line["verdicts"].get(tier, {})
        judged = sum(counts.get(verdict, 0) for verdict in totals.JUDGED)
        if judged:
            found[line["implementation"], line["mode"]].append((line["started"], counts.get("pass", 0) / judged))
    return found
