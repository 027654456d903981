"""A run on one target: arenas made when a case needs one, kept from case to case, and given up when they are not clean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conformance.errors import ArenaFailed
from conformance.model.default_world import default_world
from conformance.model.verdict import CaseResult, Verdict
from conformance.runner.case_run import Baseline, CaseRun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model.case import Case
    from conformance.model.waiver import Waiver
    from conformance.model.world import World
    from conformance.runner.target import Arena, Target


#: After so many arenas in a row that did not come up the run ends: the target is at fault, not chance.
_FAILURES_IN_A_ROW = 2


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Rules:
    """How a run judges: timeouts other than the target's, features that the implementation does not claim, known deviations."""

    timeouts: Mapping[str, float] = field(default_factory=dict)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    waivers: Mapping[str, Waiver] = field(default_factory=dict)


class Session:
    """Runs cases one after another. `name` tells the arenas of sessions on the same target apart."""

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
        self._progress = progress
        self._arena: Arena | None = None
        self._baseline = Baseline()
        self._opened = 0
        self._failures = 0

    @property
    def unsupported(self) -> Mapping[str, str]:
        """Features that cannot be judged here, with the reasons."""
        return {**(self._arena.unsupported if self._arena else {}), **self._rules.unsupported}

    def open(self) -> None:
        """Bring up an arena now, rather than with the first case; TargetUnavailable where that is not possible."""
        self._usable_arena()

    def run(self, case: Case) -> CaseResult:
        """Run one case; TargetUnavailable where there is nothing to run it on."""
        try:
            arena = self._usable_arena()
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
        run = CaseRun(case, arena, self._baseline, self._timeouts, self._target.clock, self._progress)
        try:
            result = run.run()
        finally:
            if not run.clean:
                self._give_up()
        return self._waived(result)

    def close(self) -> None:
        """Remove the arena. Calling it twice is fine."""
        self._give_up()

    def _usable_arena(self) -> Arena:
        if self._arena is None:
            self._opened += 1
            self._progress("bringing up the probe pods")
            self._failures += 1
            self._arena = self._target.open_arena(self._world, f"{self._name}-{self._opened}")
            self._failures = 0
            self._baseline = Baseline()
        return self._arena

    def _give_up(self) -> None:
        arena, self._arena = self._arena, None
        if arena is not None:
            arena.close()

    def _waived(self, result: CaseResult) -> CaseResult:
        waiver = self._rules.waivers.get(result.case.id)
        if waiver is None:
            return result
        if result.verdict is Verdict.FAIL:
            return replace(result, verdict=Verdict.WAIVED, waiver=waiver.reason)
        if result.verdict is Verdict.PASS:
            return replace(result, notes=(*result.notes, f"passes although it is waived: {waiver.reason}"))
        return result
