"""One case on one arena: set up, every step applied, settled, held and judged, and the arena left as it was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.errors import CannotShow, ConformanceError
from conformance.judge.compare import case_verdict, disagreements, early_observation, judge_early
from conformance.judge.explain import explain
from conformance.model import crowd
from conformance.model.case import ApplyPolicy, CreatePod, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.matrix import Cell, CellVerdict
from conformance.model.state import State
from conformance.model.verdict import CaseResult, StepResult, Verdict
from conformance.model.world import address_in
from conformance.oracle.evaluate import evaluate, isolated
from conformance.runner import reasons
from conformance.runner.carrying_out import carry_out, take_back
from conformance.runner.slowness import learn
from conformance.runner.watching import Watched, findings, summary, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from conformance.model.case import Action, Case, Step
    from conformance.model.decision import Decision
    from conformance.model.flow import Flow
    from conformance.runner.barrier import Barrier
    from conformance.runner.reading import Reader
    from conformance.runner.settling import Settled
    from conformance.runner.target import Arena
    from conformance.runner.timeouts import Clock, Timeouts

#: Most pairs of a step's findings that get commands to reproduce them: the first few are enough to see the rest.
_REPRODUCED = 3
#: A change that is not seen is given this many times what the slowest took that was.
_MARGIN = 1.5


class CaseRun:
    """The run of one case, and what it means for the arena.

    `clean`: every change was confirmed by the target, and the arena reads as if no policy had ever been; `left_closed`: it does not.
    Only what policies of the case could close is read again for that, unless something was found. `unshown`: a change did not take
    effect in its time, so that it may yet do so, in the middle of another case. `saw_blocked`: something was blocked, and not by chance:
    all that a step wanted blocked, or what had to pass.
    """

    def __init__(
        self,
        case: Case,
        arena: Arena,
        reader: Reader,
        barrier: Barrier | None,
        timeouts: Timeouts,
        clock: Clock,
        progress: Callable[[str], None],
    ) -> None:
        self._case = case
        self._arena = arena
        self._reader = reader
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
        self._ended: Sequence[str] = ()
        self.clean = False
        self.left_closed = False
        self.unshown = False
        self.saw_blocked = False

    def run(self) -> CaseResult:
        """Run it. Errors of the target make the verdict `error`; only a bug of the suite raises."""
        began = self._clock.now()
        agents = self._arena.agents()
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
        if (
            verdict is Verdict.FAIL
            and not self._case.disruptive
            and (befell := reasons.befell(agents, self._arena.agents()))
        ):
            verdict, reason = Verdict.ERROR, befell
        if verdict is Verdict.ERROR and not reason:
            reason = reasons.unknown(self._steps)
        seconds = self._clock.now() - began
        return CaseResult(
            self._case, verdict, tuple(self._steps), reason, hint, seconds=seconds, notes=tuple(self._notes)
        )

    def _prepare(self) -> str:
        """Make what the case adds, and see that all of its flows connect before any policy; return why not."""
        self._carry_out(self._case.setup)
        self._see_families()
        tried = self._flows()
        if problem := self._connect(tried):
            return problem
        self._shown = dict.fromkeys(tried, True)
        if self._barrier is None:
            return ""
        if closed := self._barrier.close():
            self._barrier.give_up(self._reader.settle(closed, canaries=closed).verdicts)
        if self._barrier.complete or self._reader.slowest is not None:
            return ""
        learn(self._arena, self._reader)
        self._reader.changed()  # where what it closed stays closed, no case is to blame
        return self._connect(tried)

    def _connect(self, tried: Sequence[Flow]) -> str:
        """See that everything connects of which that is not known; return why not."""
        new = self._reader.not_known_open(tried)
        if not new:
            return ""
        self._progress("reading the world without policies")
        settled = self._reader.connect(new)
        return reasons.not_connected(settled) if settled.verdicts else ""

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
            expected = crowd.declared(step.expect, decisions, self._state.world)
            if differing := disagreements(expected, decisions):
                return reasons.suite_disagrees(step, expected, differing)
            result = self._read(step, expected, decisions, unread)
            unread = []
            self._steps.append(result)
            if result.findings:  # what follows would build on a state that is not there
                break
        return ""

    def _carry_out(self, actions: Sequence[Action]) -> None:
        if any(not isinstance(each, (ApplyPolicy, DeletePolicy)) for each in actions):
            self._reader.changed()
        actions = tuple(crowd.for_copies_too(actions, self._state.world))
        self._state = carry_out(actions, self._state, self._arena)
        self._done.extend(actions)
        self._reader.isolated(isolated(self._state), self._state.world)

    def _read(
        self, step: Step, expected: Mapping[Flow, bool], decisions: Mapping[Flow, Decision], actions: Sequence[Action]
    ) -> StepResult:
        began = self._clock.now()
        lasting = {flow: wanted for flow, wanted in expected.items() if self._shown.get(flow) is wanted}
        watched = self._watch(step, lasting) if step.restarts else Watched()
        settled, behind = self._settle_step(expected, actions, step.hold)
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
            expected=expected,
            findings=cells,
            readings=watched.readings + settled.readings,
            seconds=self._clock.now() - began,
            latencies=tuple(sorted(settled.latencies.values())),
            commands=self._commands(cells),
            barrier=behind,
        )

    def _watch(self, step: Step, lasting: Mapping[Flow, bool]) -> Watched:
        watched = watch(self._reader.briefly, lasting, self._arena.still_away, self._clock, self._timeouts)
        self._notes.append(f"step {step.name!r}: {summary(watched)}")
        return watched

    def _settle_step(
        self, expected: Mapping[Flow, bool], actions: Sequence[Action], hold: float | None
    ) -> tuple[Settled, float | None]:
        """Settle a step and the canaries behind it; return what became of it, and the seconds that the canaries took.

        `hold` is the least time that it must stay as it is; None where it is not held, but for labels that may come late: else they would come in the
        middle of the next case. Canaries that never show accuse nobody.
        """
        barrier, began = self._barrier, self._clock.now()
        relabels = any(isinstance(each, (LabelPod, LabelNamespace)) for each in actions)
        deadline = self._timeouts.labels if relabels else self._timeouts.settle
        if barrier is None:
            return self._reader.settle(expected, hold=self._held(hold, proven=True), deadline=deadline), None
        changing = [flow for flow, wanted in expected.items() if self._shown.get(flow) is not wanted]
        canaries, proves = barrier.behind(actions)
        both = self._reader.settle(
            {**expected, **canaries},
            hold=self._held(hold, proven=proves),
            first=[*changing, *canaries],
            canaries=canaries,
            since=began,
            deadline=deadline,
            until=None if hold is None and not relabels else barrier.until,
        )
        settled, behind = both.of(expected), both.of(canaries)
        barrier.learn(behind.shown)
        if not behind.verdicts:
            return settled, max(behind.latencies.values(), default=0.0) if canaries else None
        barrier.give_up(behind.verdicts)
        self._notes.append(
            f"canaries did not show what they must within {self._timeouts.behind:g} s: {reasons.some(behind)}"
        )
        if not settled.verdicts:
            settled = self._reader.settle(expected, hold=self._held(hold, proven=False), deadline=deadline)
        return settled, None

    def _held(self, least: float | None, *, proven: bool) -> float:
        """How long a step must stay as it is: where nothing shows that its changes were heard of, longer than the slowest change took so far."""
        if least is None:
            return 0.0
        if proven:
            return max(least, self._timeouts.hold)
        return max(least, self._timeouts.quiet, min((self._reader.slowest or 0.0) * _MARGIN, self._timeouts.settle))

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
        self._ended = tuple(self._state.policies)
        try:
            take_back(self._state, self._world, self._arena)
            self._state = State(self._arena.world)
            if any(step.findings for step in self._steps):
                self._reader.changed()
            tried = self._reader.not_known_open(self._flows())
            expected = dict.fromkeys(tried, True)
            began = self._clock.now()
            settled = self._settle_open(expected)
        except ConformanceError as error:
            self._notes.append(f"the arena is given up, since it could not be put back: {error.message}")
            return verdict
        if not settled.verdicts:
            self.clean = True
            # What is open again after a break was seen to be closed before: nothing of it is left to come.
            self.unshown = any(cell.verdict is not CellVerdict.BREAK for step in self._steps for cell in step.findings)
            self._reader.all_pass(settled)
            return verdict
        self.left_closed = True
        cells = _cells(settled, expected, evaluate(self._state, tried))
        self.saw_blocked |= any(cell.verdict in {CellVerdict.BREAK, CellVerdict.UNSTABLE} for cell in cells)
        self._notes.append("the next case gets fresh namespaces, since these do not read as if no policy had ever been")
        if verdict in {Verdict.ERROR, Verdict.UNSUPPORTED}:
            return verdict
        self._steps.append(
            StepResult(
                "after all policies are deleted",
                expected=expected,
                findings=cells,
                readings=settled.readings,
                seconds=self._clock.now() - began,
                commands=self._commands(cells),
            )
        )
        return max(verdict, case_verdict(cells), key=(Verdict.PASS, Verdict.ERROR, Verdict.FAIL).index)

    def _settle_open(self, expected: Mapping[Flow, bool]) -> Settled:
        """Settle what is to be as if no policy had ever been.

        The end of a policy that blocked something shows in the cells themselves. Only where it does not in time are canaries changed behind it,
        to tell an implementation that is behind from one that left something closed.
        """
        ends: list[Action] = [*self._done, *map(DeletePolicy, self._ended)]
        others = [each for each in ends if not isinstance(each, (ApplyPolicy, DeletePolicy))]
        shows = not all(self._shown.values())
        settled, _ = self._settle_step(expected, others if shows else ends, hold=None)
        if settled.verdicts and shows and self._barrier is not None:
            settled, _ = self._settle_step(expected, ends, hold=None)
        return settled

    def _see_families(self) -> None:
        """Raise CannotShow where something that the case tries has no address of one of its families: it would show less than it says."""
        world = self._state.world
        endpoints = world.endpoints.values() if self._case.external else ()
        for owner in (*world.tried, *world.services.values(), *endpoints):
            for family in self._case.families:
                if address_in(owner.addresses, family) is None:
                    raise CannotShow(f"{owner.ref} has no {family} address")

    def _flows(self) -> tuple[Flow, ...]:
        return crowd.tried(self._case, self._state.world)

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
