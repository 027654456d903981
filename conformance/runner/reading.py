"""How an arena is read: with how much patience for silence, learnt from the answers of that arena."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.model.matrix import Observed
from conformance.model.policy import Direction
from conformance.runner.settling import Settling

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.model.world import World
    from conformance.runner.settling import Settled, Shown
    from conformance.runner.target import Arena
    from conformance.runner.timeouts import Clock, Timeouts

#: A silent flow is given this many times the longest silence before an answer of the last reading in which everything passed.
_PATIENCE = 4.0
#: Where silence accuses nobody, and the next reading shows more than a longer one: a flow is given at least this many seconds.
_BRIEF = 0.2
#: What is left of the longest silence with each reading in which there was none as long.
_FORGETTING = 0.5


class Reader:
    """Reads one arena from its first case to its last.

    It knows which flows connect without policies: those that did when they were read last, unless something touched them since. What is
    known of the silence before answers is learnt from readings in which everything passed, and from answers that only the most patient
    readings had.

    `slowest` is how long the slowest change took that was ever seen, here or in an arena before, 0.0 where none was seen although one was
    tried, None before that: it tells how long one may take that is not seen.
    """

    def __init__(self, arena: Arena, timeouts: Timeouts, clock: Clock, slowest: float | None = None) -> None:
        self._arena = arena
        self._timeouts = timeouts
        self._clock = clock
        self._longest_silence = 0.0
        self._open: set[Flow] = set()
        self.slowest = slowest

    def not_known_open(self, flows: Sequence[Flow]) -> Sequence[Flow]:
        """Return those of which it is not known that they pass while there is no policy."""
        return [flow for flow in flows if flow not in self._open]

    def isolated(self, sides: Collection[tuple[str, Direction]], world: World) -> None:
        """Forget what was known of flows from or to pods that are isolated now, and of all that Services forward."""
        self._open = {
            flow
            for flow in self._open
            if (flow.source, Direction.EGRESS) not in sides
            and (flow.destination, Direction.INGRESS) not in sides
            and flow.destination not in world.services
        }

    def changed(self) -> None:
        """Forget what was known: pods, labels, namespaces or Services are others now."""
        self._open.clear()

    def connect(self, flows: Sequence[Flow]) -> Settled:
        """Wait until all of them pass, in a world without policies: how long servers take to start says nothing of changes."""
        settled = self._settling(dict.fromkeys(flows, True)).run(deadline=self._timeouts.connect, hold=0.0)
        if not settled.verdicts:
            self.all_pass(settled)
        return settled

    def all_pass(self, settled: Settled) -> None:
        """Take over what a reading showed in which everything passed, without any policy.

        A long silence before an answer is forgotten by and by, since it may have been the machine's.
        """
        self._open.update(settled.observations)
        longest = max((each.waited for each in settled.observations.values()), default=0.0)
        self._longest_silence = min(max(longest, self._longest_silence * _FORGETTING), self._timeouts.probe_ceiling)

    def settle(
        self,
        expected: Mapping[Flow, bool],
        *,
        hold: float = 0.0,
        first: Sequence[Flow] | None = None,
        canaries: Collection[Flow] = (),
        since: float | None = None,
        deadline: float | None = None,
        until: Callable[[Mapping[Flow, Shown]], float] | None = None,
    ) -> Settled:
        """Settle and hold within the time that a change may take, by default one of policies; see `Settling`."""
        settling = self._settling(expected, since, canaries, until)
        settled = settling.run(
            deadline=self._timeouts.settle if deadline is None else deadline,
            hold=hold,
            first=first,
            ceiling=self._timeouts.behind,
        )
        if settled.latencies:
            self.slowest = max(self.slowest or 0.0, *settled.latencies.values())
        return settled

    def briefly(self, flows: Sequence[Flow]) -> Mapping[Flow, Observation]:
        """Give silent flows less time than usual."""
        return self._arena.probe(flows, min(self._silence(), max(_BRIEF, self._longest_silence * _PATIENCE)))

    def _settling(
        self,
        expected: Mapping[Flow, bool],
        since: float | None = None,
        canaries: Collection[Flow] = (),
        until: Callable[[Mapping[Flow, Shown]], float] | None = None,
    ) -> Settling:
        return Settling(
            self._probe,
            expected,
            self._clock,
            patient=self._probe_patiently,
            since=since,
            canaries=canaries,
            until=until,
        )

    def _probe(self, flows: Sequence[Flow]) -> Mapping[Flow, Observation]:
        return self._arena.probe(flows, self._silence())

    def _probe_patiently(self, flows: Sequence[Flow]) -> Mapping[Flow, Observation]:
        """Give silent flows all the time that there is; an answer that would else have been missed makes later readings wait for it."""
        seen = self._arena.probe(flows, self._timeouts.probe_ceiling)
        answers = [each.waited for each in seen.values() if each.observed is Observed.ALLOWED]
        if max(answers, default=0.0) > self._silence():
            self._longest_silence = max(answers)
        return seen

    def _silence(self) -> float:
        """How long a flow may be silent before it counts as dropped: several times the longest silence before an answer that was seen."""
        most = self._timeouts.probe_ceiling
        if not self._longest_silence:
            return most
        return min(most, max(self._timeouts.probe_floor, self._longest_silence * _PATIENCE))
