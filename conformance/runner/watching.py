"""Reading while the implementation restarts: over and over, so that a moment in which it lets everything pass is seen.

What is blocked before and after must be blocked in between, whatever the implementation does. What passes before and after is not judged
in between: the specification does not promise that a restart loses no packet.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conformance.errors import ActionFailed
from conformance.judge.compare import judge
from conformance.judge.explain import explain
from conformance.model.matrix import Cell, CellVerdict, Observation, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from conformance.model.decision import Decision
    from conformance.model.flow import Flow
    from conformance.runner.settling import Read
    from conformance.runner.timeouts import Clock, Timeouts

#: Seconds from the beginning of a reading to that of the next one, unless the reading takes longer.
PACE = 0.2


@dataclass(slots=True)
class Watched:
    """What was seen until the implementation was ready again, `away` seconds after its restart, and for some time more.

    `leaked` holds the first observation of each flow that must be blocked and was not, `leaks` in how many readings that was so;
    `measured` are flows of which at least one reading says something, `interrupted` those that must pass and once did not.
    """

    leaked: dict[Flow, Observation] = field(default_factory=dict)
    leaks: Counter[Flow] = field(default_factory=Counter)
    measured: set[Flow] = field(default_factory=set)
    interrupted: set[Flow] = field(default_factory=set)
    readings: int = 0
    away: float = 0.0


def watch(
    read: Read,
    expected: Mapping[Flow, bool],
    still_away: Callable[[], Sequence[str]],
    clock: Clock,
    timeouts: Timeouts,
) -> Watched:
    """Read all the time from now on; `expected` are the flows that must be the same before and after.

    ActionFailed where the implementation does not come back in its time: that is no verdict on what it lets pass.
    """
    found = Watched()
    began = clock.now()
    ready: float | None = None
    while True:
        reading = clock.now()
        seen = read(tuple(expected))
        found.readings += 1
        for flow, observation in seen.items():
            _take(found, flow, expected[flow], observation, reading - began)
        left, now = still_away(), clock.now()
        if left:
            ready = None
            if now - began > timeouts.restart:
                raise ActionFailed(
                    f"the implementation is not ready again {timeouts.restart:g} s after its restart", causes=left
                )
        elif ready is None:
            ready = now
            found.away = now - began
        if ready is not None and now - ready >= timeouts.watch:
            return found
        clock.sleep(max(0.0, reading + PACE - now))


def summary(watched: Watched) -> str:
    """Say in one sentence what was watched, for a note of the case."""
    said = f"the implementation was ready again {watched.away:.1f} s after its restart; read {watched.readings} times until then and after it"
    lost = len(watched.interrupted)
    return said + (
        f"; {lost} flows that must pass were not answered in time at least once, which is not judged" if lost else ""
    )


def findings(watched: Watched, expected: Mapping[Flow, bool], decisions: Mapping[Flow, Decision]) -> Iterator[Cell]:
    """Yield what leaked, and what must be blocked and could not be measured even once."""
    for flow in sorted(flow for flow, passes in expected.items() if not passes):
        if flow in watched.leaked:
            times = (
                f"answered in {watched.leaks[flow]} of {watched.readings} readings while the implementation restarted"
            )
            first = watched.leaked[flow]
            seen, verdict = replace(first, detail=f"{times}, first {first.detail}"), CellVerdict.LEAK
        elif flow not in watched.measured:
            seen = Observation(
                Observed.FAILED, detail=f"none of {watched.readings} readings during the restart says anything"
            )
            verdict = CellVerdict.UNKNOWN
        else:
            continue
        yield Cell(flow, False, decisions[flow], seen, verdict, attempts=watched.readings, why=explain(decisions[flow]))


def _take(found: Watched, flow: Flow, expected: bool, seen: Observation, since: float) -> None:
    verdict = judge(expected, seen)
    if verdict is not CellVerdict.UNKNOWN:
        found.measured.add(flow)
    if verdict is CellVerdict.LEAK:
        found.leaks[flow] += 1
        found.leaked.setdefault(flow, replace(seen, detail=f"{since:.1f} s after it began"))
    elif expected and verdict is not CellVerdict.AGREE:
        found.interrupted.add(flow)
