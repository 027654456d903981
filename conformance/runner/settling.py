"""Reading a system that moves: read until what is to change agrees, leave it alone, and read everything.

A change of a NetworkPolicy takes effect some time after the API server's answer, cell by cell, and there is no signal for it. One
reading therefore proves nothing, and neither does a fixed sleep.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tenacity import Retrying, retry_if_result, wait_exponential

from conformance.judge.compare import confirm, judge
from conformance.model.matrix import CellVerdict, Observed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.runner.timeouts import Clock

    Read = Callable[[Sequence[Flow]], Mapping[Flow, Observation]]

#: How many readings, at the end, must all show a disagreement before it is called one.
CONFIRMATIONS = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5
#: After this part of the deadline, what still disagrees is read with the most patience that there is.
_PATIENT = 0.5
#: What of the deadline an implementation is given after its canaries have shown, if they came late.
_AFTER_CANARIES = 1 / 3


class Shown(NamedTuple):
    """When a change took effect in a cell, in seconds from the changes: after the first, and no later than the second."""

    after: float
    by: float


@dataclass(slots=True)
class Settled:
    """What became of the cells: the last observation of each, and the verdict on those that never agreed for good.

    `latencies` are, for cells that first disagreed, the seconds from the start to the moment at which the first agreeing probe showed
    the change; `attempts` counts how often each cell was read; `flipped` are cells that agreed and then were seen to pass or to be
    blocked against it, though in the end they may have settled. `shown` is of canaries alone.
    """

    observations: dict[Flow, Observation] = field(default_factory=dict)
    verdicts: dict[Flow, CellVerdict] = field(default_factory=dict)
    latencies: dict[Flow, float] = field(default_factory=dict)
    attempts: Counter[Flow] = field(default_factory=Counter)
    flipped: Counter[Flow] = field(default_factory=Counter)
    shown: dict[Flow, Shown] = field(default_factory=dict)
    readings: int = 0

    def of(self, flows: Collection[Flow]) -> Settled:
        """Return what became of some of the cells."""
        return Settled(
            {flow: each for flow, each in self.observations.items() if flow in flows},
            {flow: each for flow, each in self.verdicts.items() if flow in flows},
            {flow: each for flow, each in self.latencies.items() if flow in flows},
            Counter({flow: each for flow, each in self.attempts.items() if flow in flows}),
            Counter({flow: each for flow, each in self.flipped.items() if flow in flows}),
            {flow: each for flow, each in self.shown.items() if flow in flows},
            self.readings,
        )


class Settling:
    """One step's reading. `expected` says of every flow whether it must pass, `since` when the changes were made that must show.

    `patient` reads as `read` does and gives silent flows more time: it is what an accusation rests on. `canaries` are flows that show how far the
    implementation has come: until they agree, and for a while after that, it is behind and not wrong. `until` tells of how they showed until when
    more may come, in seconds from the changes: before that nothing is read for the last time.
    """

    def __init__(
        self,
        read: Read,
        expected: Mapping[Flow, bool],
        clock: Clock,
        *,
        patient: Read | None = None,
        since: float | None = None,
        canaries: Collection[Flow] = (),
        until: Callable[[Mapping[Flow, Shown]], float] | None = None,
    ) -> None:
        self._read = read
        self._patient = patient or read
        self._expected = expected
        self._clock = clock
        self._start = clock.now() if since is None else since
        self._reading_began = self._start
        self._read_last: Sequence[Flow] = ()
        self._canaries_left = set(canaries)
        self._until = until or (lambda _: 0.0)
        self._canaries_shown = 0.0
        self._last: dict[Flow, CellVerdict] = {}
        self._measured: dict[Flow, CellVerdict] = {}
        self._against: dict[Flow, Observation] = {}
        self._last_against: dict[Flow, float] = {}
        self._in_a_row: Counter[Flow] = Counter()
        self._agreed: set[Flow] = set()
        self._settled = Settled()

    def run(
        self, *, deadline: float, hold: float, first: Sequence[Flow] | None = None, ceiling: float = 0.0
    ) -> Settled:
        """Settle and hold until both succeed, or until a reading that began after `deadline` seconds disagrees for certain.

        `first` are the flows that are to change: they, and what disagrees, are read until they agree, and everything is read after the hold; by
        default everything is read at the beginning too. `ceiling` is how far the deadline moves at most while canaries do not agree.
        """
        self._deadline, self._ceiling = deadline, max(deadline, ceiling)
        pending: Sequence[Flow] = tuple(self._expected) if first is None else first
        while True:
            pending = self._settle(pending) if pending else ()
            if pending and self._accuse(self._all_against(pending), hold):
                return self._settled
            rest = max(hold, self._until(self._settled.shown) - self._elapsed())
            if not pending and not rest and len(self._read_last) == len(self._expected):
                return self._settled
            self._clock.sleep(rest)
            pending = self._disagreeing(tuple(self._expected), self._read)
            if not pending:
                return self._settled
            if self._late():
                self._accuse(pending, hold)
                return self._settled
            self._clock.sleep(_FIRST_PAUSE)

    def _settle(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        """Read until all agree, each time only what disagreed; return what still does in a reading that began after the deadline.

        A reading may take long, where a stream breaks or a node is slow. What it saw is of its beginning, and an implementation is to
        have all of its time.
        """
        pending = flows

        def attempt() -> Sequence[Flow]:
            nonlocal pending
            patient = self._elapsed() >= self._deadline * _PATIENT
            pending = self._disagreeing(pending, self._patient if patient else self._read)
            return pending

        return Retrying(
            sleep=self._clock.sleep,
            wait=wait_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            stop=lambda _: self._late(),
            retry=retry_if_result(bool),
            retry_error_callback=lambda _: pending,
        )(attempt)

    def _all_against(self, pending: Sequence[Flow]) -> Sequence[Flow]:
        """Return, of what was read and of what was not yet, all that disagrees: a finding is to be complete."""
        unread = [flow for flow in self._expected if flow not in self._last]
        return [*pending, *self._disagreeing(unread, self._patient)] if unread else pending

    def _disagreeing(self, flows: Sequence[Flow], read: Read) -> Sequence[Flow]:
        observations = self._look(flows, read)
        for flow in flows:
            self._take(flow, observations[flow])
        return [flow for flow in flows if self._last[flow] is not CellVerdict.AGREE]

    def _take(self, flow: Flow, seen: Observation) -> None:
        """Remember what a reading says of a cell. One that could not be measured says nothing, neither for it nor against it."""
        verdict = judge(self._expected[flow], seen)
        before = self._measured.get(flow)
        self._last[flow] = verdict
        if verdict is not CellVerdict.AGREE:
            self._against[flow] = seen
        if verdict is CellVerdict.UNKNOWN:
            return
        self._measured[flow] = verdict
        if verdict is not CellVerdict.AGREE:
            self._last_against[flow] = self._reading_began - self._start
            self._in_a_row[flow] += 1
            if before is CellVerdict.AGREE:
                self._settled.flipped[flow] += 1
            return
        self._in_a_row[flow] = 0
        if flow not in self._agreed:
            self._agreed.add(flow)
            showed = self._reading_began - self._start + _showed_after(seen)
            self._see_canary(flow, showed)
            if before is not None:
                self._settled.latencies[flow] = showed

    def _see_canary(self, flow: Flow, showed: float) -> None:
        if flow in self._canaries_left:
            self._canaries_left.remove(flow)
            self._canaries_shown = self._reading_began - self._start
            self._settled.shown[flow] = Shown(self._last_against.get(flow, 0.0), showed)

    def _elapsed(self) -> float:
        return self._clock.now() - self._start

    def _look(self, flows: Sequence[Flow], read: Read) -> Mapping[Flow, Observation]:
        self._reading_began = self._clock.now()
        self._read_last = flows
        observations = read(flows)
        self._settled.readings += 1
        self._settled.attempts.update(flows)
        self._settled.observations.update(observations)
        return observations

    def _late(self) -> bool:
        """Tell whether the last reading began after the deadline, which canaries that came late have moved."""
        if self._canaries_left:
            deadline = self._ceiling
        else:
            deadline = min(self._ceiling, max(self._deadline, self._canaries_shown + self._deadline * _AFTER_CANARIES))
        return self._reading_began - self._start >= deadline

    def _accuse(self, flows: Sequence[Flow], hold: float) -> bool:
        """Judge what disagrees by several more readings, spread over the time of a hold; return whether any of it is accused."""
        readings = []
        for _ in range(CONFIRMATIONS):
            self._clock.sleep(hold / CONFIRMATIONS)
            readings.append(self._look(flows, self._patient))
        for flow in flows:
            expected, seen = self._expected[flow], [reading[flow] for reading in readings]
            against = [found for each in seen if (found := judge(expected, each)) is not CellVerdict.AGREE]
            if not against and self._excused(flow):
                self._measured[flow] = CellVerdict.AGREE
                self._in_a_row[flow] = 0
                continue
            only_one_packet = against == [CellVerdict.BREAK] and self._nothing_against(flow)
            verdict = CellVerdict.UNKNOWN if only_one_packet else confirm(expected, seen)
            self._settled.verdicts[flow] = verdict
            self._settled.observations[flow] = _telling(verdict, expected, [self._against[flow], *seen])
        return bool(self._settled.verdicts)

    def _excused(self, flow: Flow) -> bool:
        """Tell whether a disagreement that was gone at once is no evidence: nothing was measured, or one packet was lost."""
        if self._last[flow] is CellVerdict.UNKNOWN:
            return self._nothing_against(flow) or self._settled.flipped[flow] <= 1
        return self._last[flow] is CellVerdict.BREAK and self._in_a_row[flow] == 1 and self._settled.flipped[flow] <= 1

    def _nothing_against(self, flow: Flow) -> bool:
        """Tell whether what disagrees did so only because it could not be measured."""
        return self._last[flow] is CellVerdict.UNKNOWN and self._measured.get(flow) in {None, CellVerdict.AGREE}


def _telling(verdict: CellVerdict, expected: bool, seen: Sequence[Observation]) -> Observation:
    """Return the last observation that shows what the verdict says: of an unstable cell, one against it."""
    judged = [(judge(expected, each), each) for each in seen]
    wanted = {CellVerdict.LEAK, CellVerdict.BREAK} if verdict is CellVerdict.UNSTABLE else {verdict}
    return next((each for found, each in reversed(judged) if found in wanted), seen[0])


def _showed_after(seen: Observation) -> float:
    """Silence shows what held when the probe began, an answer what held when it came."""
    return seen.seconds if seen.observed is Observed.ALLOWED else 0.0
