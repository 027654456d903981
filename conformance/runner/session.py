"""A run on one target: arenas made when a case needs one, kept from case to case, and given up when they are not clean."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from conformance.errors import ArenaFailed, ConformanceError, TargetUnavailable, UsageError
from conformance.model.case import FEATURES, Tier
from conformance.model.default_world import default_world
from conformance.model.verdict import CaseResult, Verdict
from conformance.runner.barrier import Barrier, Learnt, with_canaries
from conformance.runner.case_run import CaseRun
from conformance.runner.reading import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from conformance.model.case import Case
    from conformance.model.waiver import Waiver
    from conformance.model.world import World
    from conformance.runner.target import Arena, Target


#: After so many arenas in a row that did not come up the run ends: the target is at fault, not chance.
_FAILURES_IN_A_ROW = 2
#: Seconds from one try to bring up an arena to the next.
_PAUSE = 5.0


_REPORT_IT = "this is a bug, please report it with the traceback that the log of the run has"
_log = logging.getLogger(__name__)


def _silent(_: str) -> None:
    pass


def _today() -> date:
    return datetime.now(UTC).date()


@dataclass(frozen=True, slots=True)
class Rules:
    """How a run judges: timeouts other than the target's, features that the implementation does not claim, known deviations.

    Waivers that ended before `today` are none any more. Without `canaries` it waits longer instead of seeing that a step was heard of; it is there to measure what they are worth.
    """

    timeouts: Mapping[str, float] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    waivers: Sequence[Waiver] = ()
    today: date = field(default_factory=_today)
    canaries: bool = True

    def __post_init__(self) -> None:
        if not isinstance(self.unsupported, Mapping):
            raise UsageError(
                f"unsupported is {self.unsupported!r}", hint="it says why for each feature: {'end-port': 'not yet'}"
            )
        if unknown := sorted(self.unsupported.keys() - set(FEATURES)):
            raise UsageError(
                f"no feature is called {', '.join(unknown)}", hint=f"the features are {', '.join(FEATURES)}"
            )


@dataclass(slots=True)
class _InUse:
    """An arena, and what is kept for it from case to case. `used`: a case has run in it."""

    arena: Arena
    reader: Reader
    barrier: Barrier | None
    used: bool = False


class Session:
    """Runs cases one after another. `name` tells the arenas of sessions on the same target apart.

    Whatever goes wrong in a case, it is a result: `error` unless the implementation was seen to be wrong.

    An arena in which a change did not show in its time is doubtful, since it may show late, and is given up. The exception is a target on which
    nothing has ever been seen blocked, where there is nothing to come late: its arenas are kept, and the first case that does see something
    blocked in a doubtful one is run again in a fresh one. So is a case after which something stays closed in an arena that others had used:
    what they could not have closed was not read after them, and only in an arena of its own is it certainly this case's.
    """

    def __init__(
        self,
        target: Target,
        rules: Rules | None = None,
        *,
        name: str = "main",
        world: World | None = None,
        progress: Callable[[str], None] = _silent,
    ) -> None:
        self._target = target
        self._rules = rules or Rules()
        self._timeouts = target.timeouts.updated(self._rules.timeouts)
        self._name = name
        self._world = world or default_world()
        if self._rules.canaries and not target.at_once:
            self._world = with_canaries(self._world)
        self._progress = progress
        self._in_use: _InUse | None = None
        self._learnt = Learnt()
        self._slowest: float | None = None
        self._opened = 0
        self._came_up = False
        self._failures = 0
        self._enforces = False
        self._doubtful = False

    @property
    def unsupported(self) -> Mapping[str, str]:
        """Features that cannot be judged here, with the reasons."""
        return {**(self._in_use.arena.unsupported if self._in_use else {}), **self._rules.unsupported}

    def open(self) -> None:
        """Bring up an arena now, rather than with the first case; TargetUnavailable where that is not possible."""
        self._usable_arena()

    def run(self, case: Case) -> CaseResult:
        """Run one case; TargetUnavailable where there is nothing to run it on."""
        try:
            live = self._usable_arena()
        except ArenaFailed as error:
            if self._failures >= _FAILURES_IN_A_ROW:
                raise
            return CaseResult(
                case, Verdict.ERROR, reason="; ".join((error.message, *error.causes)), hint=error.hint or ""
            )
        unsupported = self.unsupported
        missing = sorted(case.features & unsupported.keys())
        if missing:
            reason = "; ".join(f"{feature}: {unsupported[feature]}" for feature in missing)
            return CaseResult(case, Verdict.UNSUPPORTED, reason=reason)
        run = CaseRun(case, live.arena, live.reader, live.barrier, self._timeouts, self._target.clock, self._progress)
        try:
            result = run.run()
        except Exception as error:  # noqa: BLE001 -- a bug of ours must not look like a verdict on an implementation
            _log.exception("case %s was not judged", case.id)
            result = CaseResult(case, Verdict.ERROR, reason=f"the suite is at fault: {error!r}", hint=_REPORT_IT)
        except BaseException:
            self._give_up()
            raise
        self._enforces |= run.saw_blocked
        used, live.used = live.used, True
        if used and (run.left_closed or (self._doubtful and run.saw_blocked)):
            self._without_arena(result)
            return self.run(case)
        self._doubtful |= run.unshown
        if not run.clean or (self._doubtful and self._enforces):
            result = self._without_arena(result)
        return self._waived(_unjudged(result))

    def close(self) -> None:
        """Remove the arena. Calling it twice is fine."""
        self._give_up()

    def _usable_arena(self) -> _InUse:
        if self._in_use is None:
            self._failures += 1
            arena = self._opened_arena()
            self._failures = 0
            self._doubtful = False
            self._in_use = _InUse(
                arena,
                Reader(arena, self._timeouts, self._target.clock, self._slowest),
                None if self._target.at_once else Barrier(arena, self._learnt),
            )
        return self._in_use

    def _opened_arena(self) -> Arena:
        """Bring up an arena. Where one came up before, what keeps another from it may pass, such as an API server that is restarted."""
        began = self._target.clock.now()
        while True:
            self._opened += 1
            self._progress("bringing up the probe pods")
            try:
                arena = self._target.open_arena(self._world, f"{self._name}-{self._opened}")
            except (ArenaFailed, TargetUnavailable):
                if not self._came_up or self._target.clock.now() - began + _PAUSE > self._timeouts.connect:
                    raise
            else:
                self._came_up = True
                return arena
            self._target.clock.sleep(_PAUSE)

    def _give_up(self) -> None:
        given_up, self._in_use = self._in_use, None
        if given_up is not None:
            self._slowest = given_up.reader.slowest
            given_up.arena.close()

    def _without_arena(self, result: CaseResult) -> CaseResult:
        """Give the arena up; that it cannot be removed changes nothing about what was seen."""
        try:
            self._give_up()
        except ConformanceError as error:
            note = "; ".join(("an arena could not be removed: " + error.message, *error.causes))
            return replace(result, notes=(*result.notes, note))
        return result

    def _waived(self, result: CaseResult) -> CaseResult:
        waiver = next((each for each in self._rules.waivers if each.applies_to(result.case.id)), None)
        if waiver is None or result.verdict not in {Verdict.FAIL, Verdict.PASS}:
            return result
        if result.verdict is Verdict.PASS:
            note = f"passes although it is waived: {waiver}"
            return replace(result, waiver=str(waiver), notes=(*result.notes, note))
        if waiver.is_over(self._rules.today):
            return replace(result, notes=(*result.notes, f"its waiver is over: {waiver}"))
        return replace(result, verdict=Verdict.WAIVED, waiver=str(waiver))


def _unjudged(result: CaseResult) -> CaseResult:
    """What the specification leaves open is shown and not judged."""
    if result.case.tier is not Tier.OBSERVED or result.verdict is not Verdict.FAIL:
        return result
    differing = sum(len(step.findings) for step in result.steps)
    reason = f"only observed, never judged: {differing} flows are not as the case describes"
    return replace(result, verdict=Verdict.SKIPPED, reason=reason)
