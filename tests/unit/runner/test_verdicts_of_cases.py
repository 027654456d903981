"""What becomes of a case: on a target that is right, on one that is wrong, and on one that is in trouble."""

from __future__ import annotations

import zlib
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest
from runner_fakes import (
    ALLOW,
    ALLOWED,
    DENY,
    DROPPED,
    FAILED,
    Late,
    ScriptedArena,
    ScriptedTarget,
    always,
    once,
    under_policies,
)

from conformance.errors import ActionFailed, ArenaFailed, CannotShow, ConformanceError, ProbeFailed, TargetUnavailable
from conformance.lab.miniatures.perfect import PerfectArena
from conformance.model.flow import Flow
from conformance.model.matrix import CellVerdict, Early, Observation, Observed
from conformance.model.verdict import CaseResult, Verdict
from conformance.model.waiver import Waiver
from conformance.runner.session import Rules, Session
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner_fakes import Script

    from conformance.model.case import Case
    from conformance.model.world import Service


def to(ref: str) -> Callable[[Flow], bool]:
    return lambda flow: flow.destination == ref


def one(text: str) -> Callable[[Flow], bool]:
    return lambda flow: str(flow) == text


def findings(result: CaseResult) -> dict[str, set[str]]:
    """Return the verdicts on cells that do not agree, by step."""
    return {step.name: {str(cell.verdict) for cell in step.findings} for step in result.steps if step.findings}


# Right and wrong.


def test_pass(session: Session, deny: Case, script: Script) -> None:
    result = session.run(deny)
    assert (result.verdict, result.reason, result.notes) == (Verdict.PASS, "", ())
    assert [(step.name, step.cells, step.findings, step.commands) for step in result.steps] == [
        ("open", 288, (), ()),
        ("closed", 288, (), ()),
    ]
    assert (len(script.arenas), script.arenas[0].closed) == (1, 0)


def test_leak(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [always(to("x/a"), ALLOWED)]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.FAIL, {"closed": {"leak"}})
    step = result.steps[-1]
    assert len(step.findings) == 8 * 4
    cell = step.findings[0]
    assert (str(cell.flow), cell.declared, cell.observation) == ("x/b -> x/a:80/TCP", False, ALLOWED)
    assert cell.attempts == step.readings
    assert cell.why[0].startswith("x/a is isolated for ingress by x/deny (case-0.yaml:")
    assert step.commands == (
        "apply x/deny",
        "connect x/b -> x/a:80/TCP",
        "connect x/c -> x/a:80/TCP",
        "connect y/a -> x/a:80/TCP",
    )


def test_break(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(to("x/b"), DROPPED)]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.FAIL, {"closed": {"break"}})
    assert {cell.flow.destination for cell in result.steps[-1].findings} == {"x/b"}
    assert result.steps[-1].findings[0].why == (
        "x/a is not isolated for egress: no policy selects it",
        "x/b is not isolated for ingress: no policy selects it",
    )


def test_one_cell_of_hundreds_is_enough(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(one("z/c -> x/a:81/UDP"), ALLOWED)]
    result = session.run(deny)
    assert result.verdict is Verdict.FAIL
    assert [str(cell.flow) for cell in result.steps[-1].findings] == ["z/c -> x/a:81/UDP"]


def test_somebody_else_who_answers_is_a_break_where_it_must_pass(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(to("x/b"), Observation(Observed.MISDELIVERED, 0.001, "z/c#1 answered"))]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.FAIL, {"closed": {"break"}})


def test_somebody_else_who_answers_is_nothing_certain_where_it_must_be_blocked(
    session: Session, deny: Case, script: Script
) -> None:
    script.lenses = [under_policies(to("x/a"), Observation(Observed.MISDELIVERED, 0.001, "z/c#1 answered"))]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.ERROR, {"closed": {"unknown"}})


def test_steps_after_one_that_does_not_agree_are_not_run(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    script.lenses = [under_policies(to("x/a"), ALLOWED)]
    three = case(
        """
        steps:
          - name: closed
            apply:
              - &policy
                apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: deny, namespace: x}
                spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
            expect: {default: allow, deny: ["* -> x/a"]}
          - name: open again
            delete: [x/deny]
            expect: {default: allow}
        """.replace("&policy\n                ", "")
    )
    result = session.run(three)
    assert [step.name for step in result.steps] == ["closed"]
    assert script.calls("delete_policy") == 1, "only what the clean-up deletes"


def test_an_implementation_that_is_slow_but_in_time_passes_and_its_latency_is_kept(
    session: Session, deny: Case, script: Script
) -> None:
    script.lenses = [Late(5.0)]
    result = session.run(deny)
    assert (result.verdict, result.notes) == (Verdict.PASS, ())
    latencies = result.steps[-1].latencies
    assert len(latencies) == 8 * 4
    assert all(5.0 <= each < 6.0 for each in latencies)
    assert result.steps[0].latencies == ()


def test_a_flip_that_settles_passes_with_a_note(session: Session, deny: Case, script: Script) -> None:
    # readings: 1 the world; 2, 3 step open; 4, 5 step closed
    script.lenses = [once(one("y/b -> x/a:80/TCP"), ALLOWED, reading=5)]
    result = session.run(deny)
    assert result.verdict is Verdict.PASS
    assert result.notes == ("step 'closed': changed again after it had agreed, then settled: y/b -> x/a:80/TCP",)


def test_a_stream_that_breaks_in_the_hold_is_not_even_a_note(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [once(one("y/b -> x/a:80/TCP"), FAILED, reading=5)]
    result = session.run(deny)
    assert (result.verdict, result.notes) == (Verdict.PASS, ())


# In trouble: never a verdict on the implementation.


def test_what_cannot_be_measured_is_an_error(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(to("x/a"), FAILED)]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.ERROR, {"closed": {"unknown"}})
    assert result.reason == (
        "32 flows could not be measured, such as x/b -> x/a:80/TCP: exec: connection reset by the API server"
    )


def test_connections_without_an_answer_accuse_nobody_and_prove_no_block(
    session: Session, deny: Case, script: Script
) -> None:
    """Whether they must pass or must be blocked: they were made, and then something was too slow or broken."""
    silent = Observation(Observed.FAILED, 1.0, "connected, but no answer")
    script.lenses = [under_policies(lambda flow: flow.port == 80, silent)]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.ERROR, {"closed": {"unknown"}})
    assert {cell.declared for cell in result.steps[-1].findings} == {True, False}
    assert result.reason.endswith("connected, but no answer")


def test_a_slow_answer_after_a_connection_is_waited_for(session: Session, deny: Case, script: Script) -> None:
    """It settles: later readings are given more time."""
    silent = Observation(Observed.FAILED, 0.25, "connected, but no answer")

    def slow(arena: ScriptedArena, _: Flow, seen: Observation) -> Observation:
        impatient = script.log[-1][0] == "probe" and script.log[-1][2] < Timeouts().probe_ceiling
        return silent if arena._state.policies and seen.observed is Observed.ALLOWED and impatient else seen

    script.lenses = [slow]
    assert session.run(deny).verdict is Verdict.PASS


def test_what_cannot_be_measured_does_not_excuse_what_can(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(to("y/a"), FAILED), under_policies(to("x/a"), ALLOWED)]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.FAIL, {"closed": {"leak", "unknown"}})


def test_readings_that_hang_do_not_take_the_time_of_the_implementation(
    session: Session, deny: Case, script: Script
) -> None:
    script.reading_seconds = 45.0
    script.lenses = [Late(20.0)]
    assert session.run(deny).verdict is Verdict.PASS


def test_answers_that_take_long_while_policies_are_in_force_are_answers(
    session: Session, deny: Case, script: Script
) -> None:
    """Some plugins lose the first packet of a connection to a slow path; the next is sent a second later."""

    def slow(arena: ScriptedArena, _: Flow, seen: Observation) -> Observation:
        lost = arena._state.policies and seen.observed is Observed.ALLOWED
        return replace(seen, seconds=1.05) if lost else seen

    script.lenses = [slow]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.PASS, {})


def test_a_slow_leak_is_a_leak(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(to("x/a"), Observation(Observed.ALLOWED, 0.25))]
    assert session.run(deny).verdict is Verdict.FAIL


def test_lost_packets_all_over_the_place_are_no_finding(session: Session, deny: Case, script: Script) -> None:
    """Every reading loses another flow, as a network does that loses one packet in some hundreds."""
    lost: set[str] = set()
    reading = 0

    def lossy(arena: ScriptedArena, flow: Flow, seen: Observation) -> Observation:
        nonlocal reading
        if reading != arena.script.calls("probe"):
            reading = arena.script.calls("probe")
            lost.clear()
        if (
            seen.observed is Observed.ALLOWED
            and not lost
            and reading % 2
            and (zlib.crc32(str(flow).encode()) + reading) % 97 == 0
        ):
            lost.add(str(flow))
            return DROPPED
        return seen

    script.lenses = [lossy]
    assert session.run(deny).verdict is Verdict.PASS


@pytest.mark.parametrize("name", ["apply_policy", "probe"])
@pytest.mark.parametrize("error", [ActionFailed, ProbeFailed])
def test_a_target_that_does_not_do_what_it_is_asked_is_an_error(
    session: Session, deny: Case, script: Script, name: str, error: type[ConformanceError]
) -> None:
    script.errors[name] = [error("no answer", causes=["etcd: timed out"], hint="wait")]
    result = session.run(deny)
    assert (result.verdict, result.reason, result.hint) == (Verdict.ERROR, "no answer; etcd: timed out", "wait")


def test_a_bug_of_the_suite_is_an_error_and_the_log_has_the_traceback(
    session: Session, deny: Case, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    script.errors["probe"] = [None, None, None, KeyError("x/a")]
    result = session.run(deny)
    assert (result.verdict, result.reason) == (Verdict.ERROR, "the suite is at fault: KeyError('x/a')")
    assert "report it" in result.hint
    assert "Traceback" in caplog.text
    assert script.arenas[0].closed == 1


def test_the_suite_that_disagrees_with_itself_is_an_error(session: Session, case: Callable[..., Case]) -> None:
    typo = case(
        """
        steps:
          - name: closed
            apply:
              - apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: deny, namespace: x}
                spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
            expect: {default: allow, deny: ["* -> x/b"]}
        """
    )
    result = session.run(typo)
    assert result.verdict is Verdict.ERROR
    assert result.steps == ()
    assert result.reason.startswith(
        "the suite disagrees with itself on 64 flows of step 'closed': the case declares x/a -> x/b:80/TCP blocked"
    )


def test_a_world_that_does_not_connect_before_any_policy_is_an_error(
    session: Session, deny: Case, script: Script
) -> None:
    script.lenses = [always(one("y/b -> z/a:80/UDP"), DROPPED)]
    result = session.run(deny)
    assert (result.verdict, result.steps) == (Verdict.ERROR, ())
    assert result.reason == "the world does not connect before any policy: y/b -> z/a:80/UDP dropped"
    assert script.calls("apply_policy") == 0
    assert script.arenas[0].closed == 1


def test_many_flows_that_do_not_connect_are_counted(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [always(to("z/a"), DROPPED)]
    assert session.run(deny).reason.endswith("; and 27 more")


# Unsupported, waived, observed.


def test_a_feature_that_the_target_cannot_show_is_unsupported(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    script.unsupported = {"sctp": "the pods' kernel has no SCTP", "ipv6": "no"}
    steps = "steps: [{name: open, expect: {default: allow}}]"
    result = session.run(case(steps, tier="extended", features="sctp"))
    assert (result.verdict, result.reason) == (Verdict.UNSUPPORTED, "sctp: the pods' kernel has no SCTP")
    assert script.calls("probe") == 0
    assert session.run(case(steps)).verdict is Verdict.PASS


DUAL = """\
families: [IPv4, IPv6]
world: {services: [{namespace: x, name: web, selector: {app: web}, ports: [{port: 80}]}]}
steps:
  - name: closed over IPv6
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: four, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{ipBlock: {cidr: 0.0.0.0/0}}]}]}
    expect: {default: allow, deny: ["* -> x/a over IPv6", "* -> web.x.svc over IPv6"]}
"""


def test_each_family_is_judged_by_itself(session: Session, case: Callable[..., Case], script: Script) -> None:
    dual = case(DUAL, features="ingress, ipv6, dual-stack")
    passed = session.run(dual)
    assert (passed.verdict, passed.steps[0].cells) == (Verdict.PASS, 2 * (9 * 8 * 4 + 8))
    script.lenses = [under_policies(lambda flow: str(flow) == "y/b -> x/a:81/UDP over IPv6", ALLOWED)]
    failed = session.run(dual)
    assert failed.verdict is Verdict.FAIL
    assert [str(cell.flow) for cell in failed.steps[-1].findings] == ["y/b -> x/a:81/UDP over IPv6"]


def test_what_has_no_address_of_a_family_makes_the_case_unsupported_and_the_arena_stays(
    session: Session, case: Callable[..., Case], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = ScriptedArena.create_service

    def single(self: ScriptedArena, service: Service) -> None:
        create(self, replace(service, addresses=("10.96.0.9",)))

    monkeypatch.setattr(ScriptedArena, "create_service", single)
    result = session.run(case(DUAL, features="ingress, ipv6, dual-stack"))
    assert (result.verdict, result.reason) == (Verdict.UNSUPPORTED, "web.x.svc has no IPv6 address")
    assert (result.notes, script.calls("open_arena")) == ((), 1)
    assert not script.arenas[0].world.services


def test_a_feature_that_the_implementation_does_not_claim_is_unsupported(
    target: ScriptedTarget, case: Callable[..., Case]
) -> None:
    session = Session(target, Rules(unsupported={"egress": "declared as not supported"}))
    result = session.run(case("steps: [{name: open, expect: {default: allow}}]", features="ingress, egress"))
    assert (result.verdict, result.reason) == (Verdict.UNSUPPORTED, "egress: declared as not supported")


def waived(target: ScriptedTarget, case: Case, today: date = date(2026, 1, 1)) -> Session:
    waiver = Waiver((case.id,), "known since 2019", until=date(2026, 1, 1))
    return Session(target, Rules(waivers=(waiver,), today=today))


def test_a_failure_that_is_waived(target: ScriptedTarget, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(to("x/a"), ALLOWED)]
    result = waived(target, deny).run(deny)
    assert (result.verdict, result.waiver) == (Verdict.WAIVED, "known since 2019 (until 2026-01-01)")
    assert findings(result) == {"closed": {"leak"}}


def test_a_waiver_ends_with_its_last_day(target: ScriptedTarget, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(to("x/a"), ALLOWED)]
    result = waived(target, deny, today=date(2026, 1, 2)).run(deny)
    assert result.verdict is Verdict.FAIL
    assert result.notes == ("its waiver is over: known since 2019 (until 2026-01-01)",)


def test_a_waiver_of_another_case_waives_nothing(
    target: ScriptedTarget, deny: Case, next_case: Case, script: Script
) -> None:
    script.lenses = [under_policies(to("x/a"), ALLOWED)]
    assert waived(target, next_case).run(deny).verdict is Verdict.FAIL


def test_a_pass_that_is_waived_is_noted(target: ScriptedTarget, deny: Case) -> None:
    result = waived(target, deny).run(deny)
    assert (result.verdict, result.waiver) == (Verdict.PASS, "known since 2019 (until 2026-01-01)")
    assert result.notes == ("passes although it is waived: known since 2019 (until 2026-01-01)",)


def test_an_error_cannot_be_waived(target: ScriptedTarget, deny: Case, script: Script) -> None:
    script.errors["apply_policy"] = [ActionFailed("no")]
    assert waived(target, deny).run(deny).verdict is Verdict.ERROR


def test_what_is_only_observed_never_fails(session: Session, case: Callable[..., Case], script: Script) -> None:
    observed = case(DENY, tier="observed")
    assert session.run(observed).verdict is Verdict.PASS
    script.lenses = [under_policies(to("x/a"), ALLOWED)]
    result = session.run(observed)
    assert result.verdict is Verdict.SKIPPED
    assert result.reason == "only observed, never judged: 32 flows are not as the case describes"
    assert findings(result) == {"closed": {"leak"}}


# After the policies are gone, and from case to case.


def stuck(arena: ScriptedArena, flow: Flow, seen: Observation) -> Observation:
    """Isolation that outlives its policy."""
    closed = {ref for name, *rest in arena.script.log if name == "apply_policy" for ref in [rest[0].ref]}
    mine = flow.destination == "x/a" and "x/deny" in closed and arena is arena.script.arenas[0]
    return DROPPED if mine else seen


def test_dirt_is_a_failure_of_the_case_that_left_it_and_the_next_gets_fresh_namespaces(
    session: Session, deny: Case, next_case: Case, script: Script
) -> None:
    script.lenses = [stuck]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.FAIL, {"after all policies are deleted": {"break"}})
    assert {cell.flow.destination for cell in result.steps[-1].findings} == {"x/a"}
    assert result.steps[-1].commands[0] == "connect x/b -> x/a:80/TCP"
    assert result.notes == (
        "the next case gets fresh namespaces, since these do not read as if no policy had ever been",
    )
    assert script.arenas[0].closed == 1
    assert session.run(next_case).verdict is Verdict.PASS
    assert [arena.name for arena in script.arenas] == ["main-1", "main-2"]


def test_dirt_does_not_make_a_failure_of_an_error(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [stuck, under_policies(to("y/a"), FAILED)]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.ERROR, {"closed": {"unknown"}})
    assert script.arenas[0].closed == 1


def test_a_clean_up_that_cannot_be_measured_is_an_error_with_a_reason(
    session: Session, deny: Case, script: Script
) -> None:
    def lens(arena: ScriptedArena, flow: Flow, seen: Observation) -> Observation:
        return FAILED if arena.script.calls("delete_policy") and flow.destination == "x/a" else seen

    script.lenses = [lens]
    result = session.run(deny)
    assert (result.verdict, findings(result)) == (Verdict.ERROR, {"after all policies are deleted": {"unknown"}})
    assert result.reason.startswith("32 flows could not be measured")
    assert script.arenas[0].closed == 1


def test_a_clean_up_that_the_target_refuses_changes_no_verdict_and_costs_the_arena(
    session: Session, deny: Case, script: Script
) -> None:
    script.errors["delete_policy"] = [ActionFailed("not deleted")]
    result = session.run(deny)
    assert result.verdict is Verdict.PASS
    assert result.notes == ("the arena is given up, since it could not be put back: not deleted",)
    assert script.arenas[0].closed == 1


def test_an_arena_is_kept_from_case_to_case_and_its_baseline_read_once(
    session: Session, deny: Case, next_case: Case, script: Script
) -> None:
    assert session.run(deny).verdict is Verdict.PASS
    before = script.calls("probe")
    assert session.run(next_case).verdict is Verdict.PASS
    assert len(script.arenas) == 1
    assert script.calls("probe") - before == before - 1, "the world without policies is not read again"


def test_other_ports_are_a_baseline_of_their_own(
    session: Session, deny: Case, case: Callable[..., Case], script: Script
) -> None:
    assert session.run(deny).verdict is Verdict.PASS
    script.lenses = [always(lambda flow: flow.port == 82, DROPPED)]
    other = case("probe: [82/TCP]\nsteps: [{name: open, expect: {default: allow}}]")
    result = session.run(other)
    assert (result.verdict, result.reason.partition(":")[0]) == (
        Verdict.ERROR,
        "the world does not connect before any policy",
    )


def test_what_a_case_changes_before_its_first_policy_is_read_anew(
    session: Session, deny: Case, case: Callable[..., Case], script: Script
) -> None:
    """A pod that does not connect yet would look blocked: what was open for another case is no baseline."""
    assert session.run(deny).verdict is Verdict.PASS
    script.log.clear()
    added = case(
        """
        world: {pods: [{namespace: x, name: d}]}
        steps: [{name: open, expect: {default: allow}}]
        """
    )
    assert session.run(added).verdict is Verdict.PASS
    first = next(call for call in script.log if call[0] == "probe")
    assert len(first[1]) == 10 * 9 * 4


@pytest.mark.parametrize(
    "seconds",
    [31.0, 40.0, 70.0],
)
def test_a_plugin_that_is_much_too_slow_fails_its_own_case_only(
    session: Session, deny: Case, case: Callable[..., Case], script: Script, seconds: float
) -> None:
    """What a case asked for must not take effect in the middle of the next one, which then would be accused of it."""
    script.lenses = [Late(seconds)]
    assert session.run(deny).verdict is Verdict.FAIL
    open_case = case("steps: [{name: open, expect: {default: allow}}]")
    for _ in range(20):
        assert session.run(open_case).verdict is Verdict.PASS


def test_what_takes_effect_in_the_clean_up_of_the_next_case_is_not_its_dirt(
    target: ScriptedTarget, deny: Case, case: Callable[..., Case], script: Script
) -> None:
    progress: list[str] = []
    session = Session(target, progress=progress.append)

    def late(arena: ScriptedArena, flow: Flow, seen: Observation) -> Observation:
        if flow.destination != "x/a" or arena is not script.arenas[0]:
            return seen
        return DROPPED if progress.count("cleaning up") > 1 else ALLOWED

    script.lenses = [late]
    assert session.run(deny).verdict is Verdict.FAIL
    assert session.run(case(ALLOW)).verdict is Verdict.PASS
    assert [arena.closed for arena in script.arenas] == [1, 0]


def test_only_what_the_policies_of_a_case_could_close_is_read_when_they_are_gone(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    session.run(case(ALLOW))
    *_, last = [call for call in script.log if call[0] == "probe"]
    assert {flow.destination for flow in last[1]} == {"x/a"}


def test_everything_is_read_when_they_are_gone_where_something_was_found(
    session: Session, deny: Case, script: Script
) -> None:
    script.lenses = [under_policies(to("x/b"), DROPPED)]
    session.run(deny)
    *_, last = [call for call in script.log if call[0] == "probe"]
    assert len(last[1]) == 288


def test_what_a_case_left_where_it_did_not_look_is_not_the_next_one_s(
    session: Session, deny: Case, next_case: Case, script: Script
) -> None:
    def lens(arena: ScriptedArena, flow: Flow, seen: Observation) -> Observation:
        dirty = arena is script.arenas[0] and script.calls("delete_policy")
        return DROPPED if dirty and flow.destination == "y/a" else seen

    script.lenses = [lens]
    assert session.run(deny).verdict is Verdict.PASS
    assert session.run(next_case).verdict is Verdict.PASS
    assert [arena.closed for arena in script.arenas] == [1, 0]


def test_a_break_costs_no_arena(session: Session, deny: Case, next_case: Case, script: Script) -> None:
    script.lenses = [under_policies(to("x/b"), DROPPED)]
    assert session.run(deny).verdict is Verdict.FAIL
    assert script.arenas[0].closed == 0
    assert session.run(next_case).verdict is Verdict.FAIL
    assert len(script.arenas) == 1


def test_a_policy_that_was_made_although_the_target_said_no_does_not_reach_the_next_case(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    """Its flows are not among those that the case reads, so the clean-up would not see it either."""
    elsewhere = case(
        """
        probe: [82/TCP]
        steps:
          - name: closed
            apply:
              - apiVersion: networking.k8s.io/v1
                kind: NetworkPolicy
                metadata: {name: deny, namespace: x}
                spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress], ingress: [{ports: [{port: 82}]}]}
            expect: {default: allow}
        """
    )
    script.errors["apply_policy"] = [ActionFailed("the connection to the API server was lost")]
    script.carried_out_anyway = True
    assert session.run(elsewhere).verdict is Verdict.ERROR
    assert script.arenas[0].closed == 1
    assert session.run(case("steps: [{name: open, expect: {default: allow}}]")).verdict is Verdict.PASS


def test_an_arena_that_cannot_be_removed_changes_no_verdict(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [stuck]
    script.errors["close"] = [ActionFailed("2 namespaces are not gone", causes=["x: finalizer"])]
    result = session.run(deny)
    assert result.verdict is Verdict.FAIL
    assert result.notes[-1] == "an arena could not be removed: 2 namespaces are not gone; x: finalizer"
    script.lenses = []
    assert session.run(deny).verdict is Verdict.PASS


# Arenas that do not come up.


def test_an_arena_that_does_not_come_up_is_an_error_and_two_in_a_row_end_the_run(
    session: Session, deny: Case, script: Script
) -> None:
    failure = ArenaFailed("no pods", causes=["image: not found"], hint="--image")
    script.errors["open_arena"] = [failure, failure]
    result = session.run(deny)
    assert (result.verdict, result.reason, result.hint) == (Verdict.ERROR, "no pods; image: not found", "--image")
    with pytest.raises(ArenaFailed):
        session.run(deny)


@pytest.mark.parametrize("failure", [ArenaFailed("no pods"), TargetUnavailable("the nodes cannot be listed")])
def test_where_an_arena_came_up_before_another_is_tried_for_a_while(
    session: Session, deny: Case, next_case: Case, script: Script, target: ScriptedTarget, failure: Exception
) -> None:
    """Such as while the API server is restarted."""
    script.errors["open_arena"] = [None, failure, failure, None]
    script.lenses = [stuck]
    verdicts = [session.run(each).verdict for each in (deny, next_case)]
    assert verdicts == [Verdict.FAIL, Verdict.PASS]
    assert target.clock.now() >= 10.0


def test_but_not_for_ever(session: Session, deny: Case, script: Script) -> None:
    script.errors["open_arena"] = [None, *[TargetUnavailable("no cluster")] * 99]
    script.lenses = [stuck]
    assert session.run(deny).verdict is Verdict.FAIL
    with pytest.raises(TargetUnavailable):
        session.run(deny)
    assert len(script.errors["open_arena"]) > 80


def test_a_target_that_is_not_there_ends_the_run_at_once(session: Session, deny: Case, script: Script) -> None:
    script.errors["open_arena"] = [TargetUnavailable("no cluster")]
    with pytest.raises(TargetUnavailable):
        session.run(deny)


def test_open_brings_the_arena_up_before_the_first_case(session: Session, deny: Case, script: Script) -> None:
    session.open()
    session.open()
    assert session.unsupported == {}
    assert session.run(deny).verdict is Verdict.PASS
    assert script.calls("open_arena") == 1


def test_close_removes_the_arena_once(session: Session, deny: Case, script: Script) -> None:
    session.run(deny)
    session.close()
    session.close()
    assert script.arenas[0].closed == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_a_run_that_is_stopped_in_the_middle_of_a_case_leaves_no_arena(
    session: Session, deny: Case, script: Script, stop: type[BaseException]
) -> None:
    script.errors["probe"] = [None, None, None, stop()]
    with pytest.raises(stop):
        session.run(deny)
    assert script.arenas[0].closed == 1


# Time.


def silences(script: Script) -> list[float]:
    return [call[2] for call in script.log if call[0] == "probe"]


def test_silence_is_waited_for_as_long_as_the_slowest_answer_suggests(
    session: Session, deny: Case, script: Script
) -> None:
    session.run(deny)
    assert silences(script)[0] == Timeouts().probe_ceiling, "nothing is known yet"
    assert set(silences(script)[1:]) <= {Timeouts().probe_floor, Timeouts().probe_ceiling}
    assert silences(script)[-1] == Timeouts().probe_floor


def test_on_a_slow_network_silence_is_waited_for_longer(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [lambda _arena, _flow, seen: replace(seen, seconds=0.12)]
    assert session.run(deny).verdict is Verdict.PASS
    assert silences(script)[-1] == pytest.approx(0.48)


def test_timeouts_of_the_rules_go_before_those_of_the_target(
    target: ScriptedTarget, deny: Case, script: Script
) -> None:
    script.lenses = [Late(5.0)]
    assert Session(target, Rules(timeouts={"settle": 3.0})).run(deny).verdict is Verdict.FAIL
    assert Session(target, Rules(timeouts={"settle": 7.0})).run(deny).verdict is Verdict.PASS


def test_a_case_says_how_long_it_took(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [Late(5.0)]
    result = session.run(deny)
    assert result.seconds > sum(step.seconds for step in result.steps) > 5.0


def test_only_cells_that_are_wrong_are_kept(session: Session, deny: Case, script: Script) -> None:
    script.lenses = [under_policies(one("y/b -> x/a:80/TCP"), ALLOWED)]
    (cell,) = session.run(deny).steps[-1].findings
    assert (str(cell.flow), cell.verdict) == ("y/b -> x/a:80/TCP", CellVerdict.LEAK)


STARTED = """\
steps:
  - name: closed
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: out, namespace: x}
        spec: {podSelector: {matchLabels: {team: red}}, policyTypes: [Egress], egress: [{ports: [{port: 81}]}]}
    expect: {default: allow, deny: ["x/a -> *"], allow: ["x/a -> *:81/TCP"]}
  - name: a new pod
    create:
      pods: [{namespace: x, name: d, labels: {team: red}, fromStart: [y/a:81/TCP, y/a:80/TCP]}]
    expect: {default: allow, deny: ["x/a, x/d -> *"], allow: ["x/a, x/d -> *:81/TCP"]}
"""


@pytest.mark.parametrize(
    ("early", "verdict", "words"),
    [
        pytest.param((0.1, None), Verdict.PASS, "", id="isolated from its start"),
        pytest.param((0.4, 0.1), Verdict.FAIL, "answered 0.1 s after the pod's first instruction", id="open for a moment"),
        pytest.param((None, None), Verdict.ERROR, "none of 9 tries since the pod's start was answered", id="a log that proves nothing"),
    ],
)  # fmt: skip
def test_a_new_pod_is_judged_from_its_first_instruction(
    session: Session, case: Callable[..., Case], monkeypatch: pytest.MonkeyPatch,
    early: tuple[float | None, float | None], verdict: Verdict, words: str,
) -> None:  # fmt: skip
    log = {Flow.parse(f"x/d -> y/a:{port}/TCP"): Early(9, passed) for port, passed in zip((81, 80), early, strict=True)}
    monkeypatch.setattr(PerfectArena, "early", lambda _, ref: log if ref == "x/d" else {})
    result = session.run(case(STARTED, features="egress"))
    assert result.verdict is verdict
    found = [cell.observation.detail for step in result.steps for cell in step.findings]
    assert words in "; ".join([*found, result.reason])


def test_a_step_may_be_held_longer_than_usual(
    session: Session, target: ScriptedTarget, case: Callable[..., Case]
) -> None:
    began = target.clock.now()
    session.run(case(DENY, name="USUA"))
    usual, began = target.clock.now() - began, target.clock.now()
    session.run(
        case(DENY.replace("    expect:\n      default", "    hold: 6\n    expect:\n      default"), name="LONG")
    )
    assert target.clock.now() - began > usual + 5


def test_what_the_target_cannot_bring_about_is_unsupported(
    session: Session, script: Script, case: Callable[..., Case]
) -> None:
    script.errors["create_pod"] = [CannotShow("no address of 97 pods was given to a new pod")]
    result = session.run(case(STARTED, features="egress"))
    assert (result.verdict, result.reason) == (Verdict.UNSUPPORTED, "no address of 97 pods was given to a new pod")
    assert session.run(case(DENY)).verdict is Verdict.PASS
    assert len(script.arenas) == 1


BOTH = {"worker-1": "a", "worker-2": "b"}


@pytest.mark.parametrize("after", [{"worker-1": "a"}, {"worker-1": "a", "worker-2": "another"}, {}])
def test_an_implementation_whose_agents_somebody_took_away_is_not_accused(
    session: Session, script: Script, case: Callable[..., Case], after: dict[str, str]
) -> None:
    script.lenses = [lambda *_: ALLOWED]
    script.agents = [BOTH, after]
    result = session.run(case(DENY))
    assert result.verdict is Verdict.ERROR
    assert "the implementation's agent on " in result.reason
    assert "worker-2" in result.reason


@pytest.mark.parametrize("agents", [[BOTH, BOTH], [{}, {}], [{}, BOTH]])
def test_one_that_was_left_alone_is(
    session: Session, script: Script, case: Callable[..., Case], agents: list[dict[str, str]]
) -> None:
    script.lenses = [lambda *_: ALLOWED]
    script.agents = agents
    assert session.run(case(DENY)).verdict is Verdict.FAIL


def test_agents_that_were_replaced_matter_only_where_something_is_wrong(
    session: Session, script: Script, case: Callable[..., Case]
) -> None:
    script.agents = [BOTH, {}]
    assert session.run(case(DENY)).verdict is Verdict.PASS
