"""Reading a system that moves: read until every cell agrees, leave it alone, and read it again.

A change of a NetworkPolicy takes effect some time after the API server's answer, cell by cell, and there is no signal for it. One
reading therefore proves nothing, and neither does a fixed sleep.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_result, wait_exponential

from conformance.judge.compare import confirm, judge
from conformance.model.matrix import CellVerdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tenacity import RetryCallState

    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.runner.timeouts import Clock

#: How many readings, at the end, must all show a disagreement before it is called one.
CONFIRMATIONS = 3
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5


@dataclass(slots=True)
class Settled:
    """What became of the cells: the last observation of each, and the verdict on those that never agreed for good.

    `latencies` are seconds from the start to the first agreeing reading, for cells that first disagreed; `attempts` counts how often
    each cell was read; `flipped` are cells that agreed and then did not, though in the end they may have settled.
    """

    observations: dict[Flow, Observation] = field(default_factory=dict)
    verdicts: dict[Flow, CellVerdict] = field(default_factory=dict)
    latencies: dict[Flow, float] = field(default_factory=dict)
    attempts: Counter[Flow] = field(default_factory=Counter)
    flipped: set[Flow] = field(default_factory=set)
    readings: int = 0


class Settling:
    """One step's reading. `expected` says of every flow whether it must pass."""

    def __init__(
        self,
        read: Callable[[Sequence[Flow]], Mapping[Flow, Observation]],
        expected: Mapping[Flow, bool],
        clock: Clock,
    ) -> None:
        self._read = read
        self._expected = expected
        self._clock = clock
        self._start = clock.now()
        self._disagreed: set[Flow] = set()
        self._settled = Settled()

    def run(self, *, deadline: float, hold: float) -> Settled:
        """Settle and hold until both succeed or `deadline` seconds have passed since the start; then confirm what disagrees."""
        pending: Sequence[Flow] = tuple(self._expected)
        while True:
            pending = self._settle(pending, deadline)
            if not pending:
                self._clock.sleep(hold)
                pending = self._disagreeing(tuple(self._expected))
                self._settled.flipped.update(pending)
                if not pending:
                    return self._settled
            if self._late(deadline):
                self._confirm(pending, hold)
                return self._settled

    def _settle(self, flows: Sequence[Flow], deadline: float) -> Sequence[Flow]:
        """Read until all agree, each time only what disagreed; return what still does at the deadline."""
        pending = flows

        def attempt() -> Sequence[Flow]:
            nonlocal pending
            pending = self._disagreeing(pending)
            return pending

        def late(_: RetryCallState) -> bool:
            return self._late(deadline)

        return Retrying(
            sleep=self._clock.sleep,
            wait=wait_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE),
            stop=late,
            retry=retry_if_result(bool),
            retry_error_callback=lambda _: pending,
        )(attempt)

    def _disagreeing(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        observations = self._look(flows)
        moment = self._clock.now() - self._start
        wrong = [flow for flow in flows if judge(self._expected[flow], observations[flow]) is not CellVerdict.AGREE]
        self._disagreed.update(wrong)
        for flow in self._disagreed.intersection(flows).difference(wrong):
            self._settled.latencies[flow] = moment
        return wrong

    def _look(self, flows: Sequence[Flow]) -> Mapping[Flow, Observation]:
        observations = self._read(flows)
        self._settled.readings += 1
        self._settled.attempts.update(flows)
        self._settled.observations.update(observations)
        return observations

    def _late(self, deadline: float) -> bool:
        return self._clock.now() - self._start >= deadline

    def _confirm(self, flows: Sequence[Flow], hold: float) -> None:
        """Judge what did not settle by several more readings, spread over the time of a hold."""
        readings = []
        for _ in range(CONFIRMATIONS):
            self._clock.sleep(hold / CONFIRMATIONS)
            readings.append(self._look(flows))
        for flow in flows:
            self._settled.verdicts[flow] = confirm(self._expected[flow], [reading[flow] for reading in readings])
