"""A restart of the implementation: what is read while it is away, what of that is judged, and what must hold afterwards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from runner_fakes import ALLOWED, DROPPED, FAILED, while_away

from conformance.errors import CannotShow
from conformance.model.matrix import Observation, Observed
from conformance.model.verdict import Verdict
from conformance.runner.session import Rules, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner_fakes import Script, ScriptedArena, ScriptedTarget

    from conformance.model.case import Case
    from conformance.model.flow import Flow
    from conformance.model.verdict import CaseResult

POLICY = """\
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {{name: {name}, namespace: "{namespace}"}}
        spec: {{podSelector: {{matchLabels: {{pod: a}}}}, policyTypes: [Ingress]}}
"""
DENY_X, DENY_Y = (POLICY.format(name="deny", namespace=name) for name in "xy")
STEPS = """\
steps:
  - name: closed
    apply:
{deny_x}
    expect: {{default: allow, deny: ["* -> x/a"]}}
  - name: restarted
    restart: implementation
{meanwhile}
  - name: afterwards
{afterwards}
"""


@pytest.fixture
def restart(case: Callable[..., Case]) -> Case:
    """x/a is closed, the implementation restarts, and then y/a is closed."""
    meanwhile = '    expect: {default: allow, deny: ["* -> x/a"]}'
    afterwards = f'    apply:\n{DENY_Y}    expect: {{default: allow, deny: ["* -> x/a", "* -> y/a"]}}'
    text = STEPS.format(deny_x=DENY_X, meanwhile=meanwhile, afterwards=afterwards)
    return case(text, features="ingress, disruptive")


def to(ref: str) -> Callable[[Flow], bool]:
    return lambda flow: flow.destination == ref


def everything(_: Flow) -> bool:
    return True


def found(result: CaseResult) -> dict[str, set[tuple[str, str]]]:
    return {
        step.name: {(cell.flow.destination, str(cell.verdict)) for cell in step.findings}
        for step in result.steps
        if step.findings
    }


def test_it_is_read_all_the_time_until_all_is_ready_and_longer(session: Session, restart: Case, script: Script) -> None:
    script.away_seconds = 19.9
    result = session.run(restart)
    assert (result.verdict, found(result)) == (Verdict.PASS, {})
    assert script.calls("restart_implementation") == 1
    step = result.steps[1]
    assert step.readings >= (20.0 + 5.0) / 0.2
    assert step.seconds >= 25.0
    assert [note.partition(";")[0] for note in result.notes] == [
        "step 'restarted': the implementation was ready again 20.0 s after its restart"
    ]


def test_what_leaks_while_it_is_away_is_a_leak_although_it_is_closed_again(
    session: Session, restart: Case, script: Script
) -> None:
    script.away_seconds = 3.0
    script.lenses = [while_away(everything, ALLOWED)]
    result = session.run(restart)
    assert (result.verdict, found(result)) == (Verdict.FAIL, {"restarted": {("x/a", "leak")}})
    (step,) = (step for step in result.steps if step.findings)
    assert len(step.findings) == 8 * 4
    cell = step.findings[0]
    assert cell.why[0].startswith("x/a is isolated for ingress by x/deny")
    assert cell.observation.detail.startswith("answered in 15 of ")
    assert cell.observation.detail.endswith("first 0.0 s after it began")
    assert step.commands
    assert [each.name for each in result.steps] == ["closed", "restarted"]


def test_one_answer_in_one_reading_is_enough(session: Session, restart: Case, script: Script) -> None:
    script.away_seconds = 3.0
    seen: list[float] = []

    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        if arena.still_away() and str(flow) == "z/c -> x/a:81/UDP":
            seen.append(arena.target.clock.now())
            return ALLOWED if len(seen) == 7 else really
        return really

    script.lenses = [lens]
    result = session.run(restart)
    assert [str(cell.flow) for step in result.steps for cell in step.findings] == ["z/c -> x/a:81/UDP"]
    assert "answered in 1 of " in result.steps[1].findings[0].observation.detail


def test_what_leaks_after_it_says_that_it_is_ready_is_seen_too(session: Session, restart: Case, script: Script) -> None:
    script.away_seconds = 1.0

    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        since = arena.target.clock.now() - arena.back_at
        return ALLOWED if arena.back_at and 3.0 <= since < 4.0 and flow.destination == "x/a" else really

    script.lenses = [lens]
    assert found(session.run(restart)) == {"restarted": {("x/a", "leak")}}


def test_what_must_pass_is_not_judged_while_it_is_away(session: Session, restart: Case, script: Script) -> None:
    script.away_seconds = 60.0
    script.lenses = [while_away(everything, DROPPED)]
    result = session.run(restart)
    assert (result.verdict, found(result)) == (Verdict.PASS, {})
    assert "256 flows that must pass were not answered in time at least once, which is not judged" in result.notes[0]


def test_what_must_pass_must_do_so_again_afterwards(session: Session, restart: Case, script: Script) -> None:
    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        return DROPPED if arena.back_at and flow.destination == "x/b" and arena._state.policies else really

    script.away_seconds = 1.0
    script.lenses = [lens]
    result = session.run(restart)
    assert (result.verdict, found(result)) == (Verdict.FAIL, {"restarted": {("x/b", "break")}})


def test_an_implementation_that_does_nothing_after_its_restart_is_seen(
    session: Session, restart: Case, script: Script
) -> None:
    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        return ALLOWED if arena.back_at and flow.destination == "y/a" else really

    script.lenses = [lens]
    result = session.run(restart)
    assert (result.verdict, found(result)) == (Verdict.FAIL, {"afterwards": {("y/a", "leak")}})


def test_one_that_does_not_come_back_is_an_error_and_no_verdict(
    target: ScriptedTarget, restart: Case, script: Script
) -> None:
    script.away_seconds = math.inf
    result = Session(target, Rules(timeouts={"restart": 30.0})).run(restart)
    assert result.verdict is Verdict.ERROR
    assert result.reason == (
        "the implementation is not ready again 30 s after its restart; the pod of worker-1 is not ready"
    )
    assert script.arenas[0].closed


def test_an_answer_of_another_server_is_no_leak(session: Session, restart: Case, script: Script) -> None:
    script.away_seconds = 2.0
    script.lenses = [while_away(to("x/a"), Observation(Observed.MISDELIVERED, 0.001, "y/b answered"))]
    assert session.run(restart).verdict is Verdict.PASS


def test_what_was_never_measured_meanwhile_is_unknown(session: Session, restart: Case, script: Script) -> None:
    def lens(arena: ScriptedArena, flow: Flow, really: Observation) -> Observation:
        watched = arena.back_at and arena.target.clock.now() < arena.back_at + 6.0
        return FAILED if watched and flow.destination == "x/a" else really

    script.away_seconds = 2.0
    script.lenses = [lens]
    result = session.run(restart)
    assert (result.verdict, found(result)) == (Verdict.ERROR, {"restarted": {("x/a", "unknown")}})


CHANGES = {
    "a policy comes": (f'    apply:\n{DENY_Y}    expect: {{default: allow, deny: ["* -> x/a", "* -> y/a"]}}', "y/a"),
    "a policy goes": ("    delete: [x/deny]\n    expect: {default: allow}", "x/a"),
}


@pytest.mark.parametrize(("meanwhile", "changed"), CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("seen", [ALLOWED, DROPPED], ids=["open", "closed"])
def test_what_changes_while_it_is_away_is_judged_only_afterwards(
    meanwhile: str, changed: str, seen: Any, session: Session, case: Callable[..., Case], script: Script
) -> None:
    afterwards = "    apply:\n" + POLICY.format(name="again", namespace="x") + meanwhile[meanwhile.index("    expect"):]  # fmt: skip
    afterwards = afterwards.replace("{default: allow}", '{default: allow, deny: ["* -> x/a"]}')
    text = STEPS.format(deny_x=DENY_X, meanwhile=meanwhile, afterwards=afterwards)
    script.away_seconds = 3.0
    script.lenses = [while_away(to(changed), seen)]
    result = session.run(case(text, features="ingress, disruptive"))
    assert (result.verdict, found(result)) == (Verdict.PASS, {})


def test_where_the_implementation_is_not_known_it_cannot_be_shown(
    session: Session, restart: Case, script: Script
) -> None:
    script.errors["restart_implementation"] = [CannotShow("no DaemonSet is known")]
    result = session.run(restart)
    assert (result.verdict, result.reason) == (Verdict.UNSUPPORTED, "no DaemonSet is known")
    assert not script.arenas[0].closed


def test_where_it_was_not_asked_for_nothing_is_restarted(session: Session, restart: Case, script: Script) -> None:
    script.unsupported = {"disruptive": "only with --disruptive"}
    result = session.run(restart)
    assert (result.verdict, result.reason) == (Verdict.UNSUPPORTED, "disruptive: only with --disruptive")
    assert not script.calls("restart_implementation")


def test_silence_is_given_less_time_than_usual_so_that_more_is_read(
    session: Session, restart: Case, script: Script
) -> None:
    script.away_seconds = 2.0
    session.run(restart)
    calls = [call for call in script.log if call[0] in {"probe", "restart_implementation"}]
    after = calls[[call[0] for call in calls].index("restart_implementation") + 1 :]
    assert after[0][2] == pytest.approx(0.2)
    assert calls[0][2] > 0.2
