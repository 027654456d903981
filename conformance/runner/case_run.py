"""One case on one arena: set up, every step applied, settled, held and judged, and the arena left as it was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from conformance.errors import CannotShow, ConformanceError
from conformance.judge.compare import case_verdict, disagreements, early_observation, judge_early
from conformance.judge.explain import explain
from conformance.model.case import CreatePod, DeletePolicy
from conformance.model.flow import flows
from conformance.model.matrix import Cell, CellVerdict, Observed
from conformance.model.state import State
from conformance.model.verdict import CaseResult, StepResult, Verdict
from conformance.model.world import address_in
from conformance.oracle.evaluate import evaluate
from conformance.runner.carrying_out import carry_out, take_back
from conformance.runner.settling import Settling
from conformance.runner.watching import PACE, Watched, findings, summary, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from conformance.model.case import Action, Case, Expectation, Step
    from conformance.model.decision import Decision
    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.runner.barrier import Barrier
    from conformance.runner.settling import Settled
    from conformance.runner.target import Arena
    from conformance.runner.timeouts import Clock, Timeouts

#: Most pairs of a step's findings that get commands to reproduce them: the first few are enough to see the rest.
_REPRODUCED = 3
#: A silent flow is given this many times the longest silence before an answer of the last reading in which everything passed.
_PATIENCE = 4.0


@dataclass(slots=True)
class Baseline:
    """What is known to connect without policies, and the longest silence before any of its answers, then or later."""

    open_flows: frozenset[Flow] = frozenset()
    longest_silence: float = 0.0


class CaseRun:
    """The run of one case, and what it means for the arena.

    `clean`: every change was confirmed by the target, and the arena reads as if no policy had ever been. `unshown`: a change did not take
    effect in its time, so that it may yet do so, in the middle of another case. `saw_blocked`: something was blocked, and not by chance:
    all that a step wanted blocked, or what had to pass.
    """

    def __init__(
        self,
        case: Case,
        arena: Arena,
        baseline: Baseline,
        barrier: Barrier | None,
        timeouts: Timeouts,
        clock: Clock,
        progress: Callable[[str], None],
    ) -> None:
        self._case = case
        self._arena = arena
        self._baseline = baseline
        self._barrier = barrier
        self._timeouts = timeouts
        self._clock = clock
        self._progress = progress
        self._world = arena.world
        self._state = State(arena.world)
        self._done: list[Action] = []
        self._steps: list[StepResult] = []
        self._notes: list[str] = []
        self._shown: Mapping[Flow, bool] = {}
        self.clean = False
        self.unshown = False
        self.saw_blocked = False

    def run(self) -> CaseResult:
        """Run it. Errors of the target make the verdict `error`; only a bug of the suite raises."""
        began = self._clock.now()
        verdict, reason, hint = Verdict.ERROR, "", ""
        try:
            reason = self._prepare() or self._run_steps()
        except CannotShow as error:
            verdict, reason = self._clean_up(Verdict.UNSUPPORTED), error.message
        except ConformanceError as error:
            reason, hint = "; ".join((error.message, *error.causes)), error.hint or ""
        else:
            if not reason:
                verdict = case_verdict(cell for step in self._steps for cell in step.findings)
            verdict = self._clean_up(verdict)
        if verdict is Verdict.ERROR and not reason:
            reason = _unknown_reason(self._steps)
        seconds = self._clock.now() - began
        return CaseResult(
            self._case, verdict, tuple(self._steps), reason, hint, seconds=seconds, notes=tuple(self._notes)
        )

    def _prepare(self) -> str:
        """Make what the case adds, and see that all of its flows connect before any policy; return why not."""
        self._carry_out(self._case.setup)
        self._see_families()
        tried = self._flows()
        # What was open before is no baseline for pods and labels that the case has changed since.
        known = frozenset() if self._case.setup else self._baseline.open_flows
        new = [flow for flow in tried if flow not in known]
        if new:
            self._progress("reading the world without policies")
            settled = self._settle(dict.fromkeys(new, True), self._timeouts.connect, hold=0.0)
            if settled.verdicts:
                return _not_connected(settled)
            longest = max(settled.observations[flow].waited for flow in new)
            self._baseline.longest_silence = max(
                self._baseline.longest_silence, min(longest, self._timeouts.probe_ceiling)
            )
        self._shown = dict.fromkeys(tried, True)
        if self._barrier is not None and (closed := self._barrier.close()):
            self._barrier.give_up(self._settle(closed, self._timeouts.settle, hold=0.0).verdicts)
        return ""

    def _run_steps(self) -> str:
        unread: list[Action] = []
        for step in self._case.steps:
            self._progress(step.name)
            self._carry_out(step.actions)
            unread.extend(step.actions)
            if step.expect is None:
                continue
            self._see_families()
            decisions = evaluate(self._state, self._flows())
            if differing := disagreements(step.expect, decisions):
                return _suite_disagrees(step, step.expect, differing)
            result = self._read(step, step.expect, decisions, unread)
            unread = []
            self._steps.append(result)
            if result.findings:  # what follows would build on a state that is not there
                break
        return ""

    def _carry_out(self, actions: Sequence[Action]) -> None:
        for action in actions:
            self._state = carry_out(action, self._state, self._arena)
            self._done.append(action)

    def _read(
        self, step: Step, expect: Expectation, decisions: Mapping[Flow, Decision], actions: Sequence[Action]
    ) -> StepResult:
        began = self._clock.now()
        expected = {flow: expect.allows(flow) for flow in decisions}
        changes = any(self._shown.get(flow) is not wanted for flow, wanted in expected.items())
        lasting = {flow: wanted for flow, wanted in expected.items() if self._shown.get(flow) is wanted}
        watched = self._watch(step, lasting) if step.restarts else Watched()
        settled, behind = self._settle_step(expected, actions, step.hold, changes=changes)
        self._shown = expected
        if settled.flipped and not settled.verdicts:
            flipped = ", ".join(sorted(str(flow) for flow in settled.flipped))
            self._notes.append(f"step {step.name!r}: changed again after it had agreed, then settled: {flipped}")
        cells = (*_cells(settled, expected, decisions), *self._early(step, expected, decisions, settled))
        if step.restarts:
            meanwhile = findings(watched, lasting, decisions)
            cells += tuple(cell for cell in meanwhile if cell.flow not in settled.verdicts)
        if cells:
            self.saw_blocked |= any(cell.verdict in {CellVerdict.BREAK, CellVerdict.UNSTABLE} for cell in cells)
        else:
            self.saw_blocked |= not all(expected.values())
        return StepResult(
            step.name,
            cells=len(expected),
            findings=cells,
            readings=watched.readings + settled.readings,
            seconds=self._clock.now() - began,
            latencies=tuple(sorted(settled.latencies.values())),
            commands=self._commands(cells),
            barrier=behind,
        )

    def _watch(self, step: Step, lasting: Mapping[Flow, bool]) -> Watched:
        watched = watch(self._probe_briefly, lasting, self._arena.still_away, self._clock, self._timeouts)
        self._notes.append(f"step {step.name!r}: {summary(watched)}")
        return watched

    def _settle_step(
        self, expected: Mapping[Flow, bool], actions: Sequence[Action], hold: float, *, changes: bool
    ) -> tuple[Settled, float | None]:
        """Settle a step and the canaries behind it; return what became of it, and the seconds that the canaries took.

        Canaries that never show accuse nobody. A step that changes nothing, and has none, must stay as it is for longer.
        """
        barrier, began = self._barrier, self._clock.now()
        canaries = barrier.behind(actions) if barrier else {}
        proven = changes or barrier is None or barrier.proves(actions)
        least = self._timeouts.hold if proven else self._timeouts.quiet
        both = self._settle({**expected, **canaries}, self._timeouts.settle, max(hold, least), since=began)
        settled, behind = both.of(expected), both.of(canaries)
        if barrier is None or not behind.verdicts:
            return settled, max(behind.latencies.values(), default=0.0) if canaries else None
        barrier.give_up(behind.verdicts)
        self._notes.append(f"canaries did not show what they must within {self._timeouts.settle:g} s: {_some(behind)}")
        if not settled.verdicts:
            least = self._timeouts.hold if changes else self._timeouts.quiet
            settled = self._settle(expected, self._timeouts.settle, max(hold, least))
        return settled, None

    def _early(
        self, step: Step, expected: Mapping[Flow, bool], decisions: Mapping[Flow, Decision], settled: Settled
    ) -> Iterator[Cell]:
        """Yield what pods of this step reached from their start on that they must never have reached.

        A pod that a policy selects is isolated before its first container runs. A log in which what may pass never did proves nothing.
        """
        for pod in [each.pod for each in step.actions if isinstance(each, CreatePod)]:
            log = self._arena.early(pod.ref)
            deaf = any(expected[flow] and each.passed is None for flow, each in log.items())
            for flow, each in log.items():
                verdict = judge_early(expected[flow], each, deaf=deaf)
                if verdict is not CellVerdict.AGREE and flow not in settled.verdicts:
                    yield Cell(
                        flow,
                        expected[flow],
                        decisions[flow],
                        early_observation(each),
                        verdict,
                        why=explain(decisions[flow]),
                    )

    def _clean_up(self, verdict: Verdict) -> Verdict:
        """Leave the arena as if no policy had ever been; what stays closed is a finding of this case."""
        self._progress("cleaning up")
        undone = (*self._done, *map(DeletePolicy, self._state.policies))
        try:
            take_back(self._state, self._world, self._arena)
            self._state = State(self._arena.world)
            tried = self._flows()
            began = self._clock.now()
            settled, _ = self._settle_step(dict.fromkeys(tried, True), undone, hold=0.0, changes=True)
        except ConformanceError as error:
            self._notes.append(f"the arena is given up, since it could not be put back: {error.message}")
            return verdict
        if not settled.verdicts:
            self.clean = True
            # What is open again after a break was seen to be closed before: nothing of it is left to come.
            self.unshown = any(cell.verdict is not CellVerdict.BREAK for step in self._steps for cell in step.findings)
            self._baseline.open_flows = frozenset(tried)
            self._baseline.longest_silence = max((each.waited for each in settled.observations.values()), default=0.0)
            return verdict
        cells = _cells(settled, dict.fromkeys(tried, True), evaluate(self._state, tried))
        self.saw_blocked |= any(cell.verdict in {CellVerdict.BREAK, CellVerdict.UNSTABLE} for cell in cells)
        self._notes.append("the next case gets fresh namespaces, since these do not read as if no policy had ever been")
        if verdict in {Verdict.ERROR, Verdict.UNSUPPORTED}:
            return verdict
        self._steps.append(
            StepResult(
                "after all policies are deleted",
                cells=len(tried),
                findings=cells,
                readings=settled.readings,
                seconds=self._clock.now() - began,
                commands=self._commands(cells),
            )
        )
        return max(verdict, case_verdict(cells), key=(Verdict.PASS, Verdict.ERROR, Verdict.FAIL).index)

    def _settle(
        self, expected: Mapping[Flow, bool], deadline: float, hold: float, since: float | None = None
    ) -> Settled:
        settling = Settling(self._probe, expected, self._clock, patient=self._probe_patiently, since=since)
        return settling.run(deadline=deadline, hold=hold)

    def _probe(self, tried: Sequence[Flow]) -> Mapping[Flow, Observation]:
        return self._arena.probe(tried, self._silence())

    def _probe_patiently(self, tried: Sequence[Flow]) -> Mapping[Flow, Observation]:
        """Give silent flows all the time that there is; an answer that would else have been missed makes later readings wait for it."""
        seen = self._arena.probe(tried, self._timeouts.probe_ceiling)
        answers = [each.waited for each in seen.values() if each.observed is Observed.ALLOWED]
        if max(answers, default=0.0) > self._silence():
            self._baseline.longest_silence = max(answers)
        return seen

    def _probe_briefly(self, tried: Sequence[Flow]) -> Mapping[Flow, Observation]:
        """Give silent flows less time than usual: silence accuses nobody here, and the next reading shows more than a longer one."""
        return self._arena.probe(tried, min(self._silence(), max(PACE, self._baseline.longest_silence * _PATIENCE)))

    def _silence(self) -> float:
        """How long a flow may be silent before it counts as dropped: several times the longest silence before an answer that was seen."""
        most = self._timeouts.probe_ceiling
        if not self._baseline.longest_silence:
            return most
        return min(most, max(self._timeouts.probe_floor, self._baseline.longest_silence * _PATIENCE))

    def _see_families(self) -> None:
        """Raise CannotShow where something that the case tries has no address of one of its families: it would show less than it says."""
        world = self._state.world
        endpoints = world.endpoints.values() if self._case.external else ()
        for owner in (*world.tried, *world.services.values(), *endpoints):
            for family in self._case.families:
                if address_in(owner.addresses, family) is None:
                    raise CannotShow(f"{owner.ref} has no {family} address")

    def _flows(self) -> tuple[Flow, ...]:
        return flows(self._state.world, self._case.probe, external=self._case.external, families=self._case.families)

    def _commands(self, cells: Sequence[Cell]) -> tuple[str, ...]:
        policies = tuple(self._state.policies.values())
        pairs = {(cell.flow.source, cell.flow.destination): cell.flow for cell in reversed(cells)}
        shown = sorted(pairs.values())[:_REPRODUCED]
        return tuple(dict.fromkeys(line for flow in shown for line in self._arena.commands(flow, policies)))


def _cells(settled: Settled, expected: Mapping[Flow, bool], decisions: Mapping[Flow, Decision]) -> tuple[Cell, ...]:
    return tuple(
        Cell(
            flow,
            expected[flow],
            decisions[flow],
            settled.observations[flow],
            verdict,
            attempts=settled.attempts[flow],
            why=explain(decisions[flow]),
        )
        for flow, verdict in sorted(settled.verdicts.items())
    )


def _not_connected(settled: Settled) -> str:
    return f"the world does not connect before any policy: {_some(settled)}"


def _some(settled: Settled) -> str:
    """Name the first few cells that do not agree, and what was seen of them."""
    examples = [f"{flow} {settled.observations[flow].observed}" for flow in sorted(settled.verdicts)]
    return "; ".join(examples[:5]) + (f"; and {len(examples) - 5} more" if len(examples) > 5 else "")  # noqa: PLR2004


def _suite_disagrees(step: Step, expect: Expectation, differing: Sequence[Decision]) -> str:
    first = differing[0]
    declared = "allowed" if expect.allows(first.flow) else "blocked"
    why = "; ".join(explain(first)) or "its backends differ, or there are none"
    return (
        f"the suite disagrees with itself on {len(differing)} flows of step {step.name!r}: the case declares {first.flow} "
        f"{declared}, the evaluator says otherwise: {why}"
    )


def _unknown_reason(steps: Sequence[StepResult]) -> str:
    unknown = [cell for step in steps for cell in step.findings if cell.verdict is CellVerdict.UNKNOWN]
    first = unknown[0]
    return (
        f"{len(unknown)} flows could not be measured, such as {first.flow}: {first.observation.detail or 'no detail'}"
    )
