"""A run on one target: arenas made when a case needs one, kept from case to case, and given up when they are not clean."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from conformance.model.default_world import default_world
from conformance.model.verdict import CaseResult, Verdict
from conformance.runner.case_run import Baseline, CaseRun
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model.case import Case
    from conformance.model.waiver import Waiver
    from conformance.model.world import World
    from conformance.runner.target import Arena, Target
    from conformance.runner.timeouts import Clock


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Rules:
    """How a run judges: its timeouts, the features that the implementation does not claim, and its known deviations."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    unsupported: Mapping[str, str] = field(default_factory=dict)
    waivers: Mapping[str, Waiver] = field(default_factory=dict)


class Session:
    """Runs cases one after another. `name` tells the arenas of sessions on the same target apart."""

    def __init__(
        self,
        target: Target,
        clock: Clock,
        rules: Rules | None = None,
        *,
        name: str = "main",
        world: World | None = None,
        progress: Callable[[str], None] = _silent,
    ) -> None:
        self._target = target
        self._clock = clock
        self._rules = rules or Rules()
        self._name = name
        self._world = world or default_world()
        self._progress = progress
        self._arena: Arena | None = None
        self._baseline = Baseline()
        self._opened = 0

    def run(self, case: Case) -> CaseResult:
        """Run one case; TargetUnavailable where there is nothing to run it on."""
        arena = self._usable_arena()
        unsupported = {**arena.unsupported, **self._rules.unsupported}
        missing = sorted(case.features & unsupported.keys())
        if missing:
            reason = "; ".join(f"{feature}: {unsupported[feature]}" for feature in missing)
            return CaseResult(case, Verdict.UNSUPPORTED, reason=reason)
        run = CaseRun(case, arena, self._baseline, self._rules.timeouts, self._clock, self._progress)
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
            self._arena = self._target.open_arena(self._world, f"{self._name}-{self._opened}")
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
