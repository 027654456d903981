"""Canaries: changed after each step, awaited, and never a reason to accuse anybody."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from runner_fakes import ALLOWED, DROPPED, Late, ScriptedTarget, always

from conformance.model.default_world import default_world
from conformance.model.verdict import Verdict
from conformance.model.world import CANARY
from conformance.runner.barrier import with_canaries
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner_fakes import Script, ScriptedArena

    from conformance.model.case import Case
    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation
    from conformance.runner.session import Session

CLOSED = """\
steps:
  - name: closed
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
    expect: {default: allow, deny: ["* -> x/a"]}
"""
#: Two policies: the second selects what the first does, and must change nothing.
QUIET = f"""{CLOSED}\
  - name: closed twice
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {{name: again, namespace: x}}
        spec: {{podSelector: {{matchLabels: {{pod: a}}}}, policyTypes: [Ingress]}}
    expect: {{default: allow, deny: ["* -> x/a"]}}
"""
#: What changes nothing is applied, edited, and deleted twice.
DELETED = f"""{QUIET}\
  - name: open but for x/b
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {{name: third, namespace: x}}
        spec: {{podSelector: {{matchLabels: {{pod: a}}}}, policyTypes: [Ingress]}}
    expect: {{default: allow, deny: ["* -> x/a"]}}
  - name: once again
    delete: [x/again]
    expect: {{default: allow, deny: ["* -> x/a"]}}
  - name: and again
    delete: [x/third]
    expect: {{default: allow, deny: ["* -> x/a"]}}
"""
RELABELLED = f"""{CLOSED}\
  - name: relabelled
    label: {{x/b: {{colour: green}}, "y": {{colour: green}}}}
    expect: {{default: allow, deny: ["* -> x/a"]}}
"""


@pytest.fixture
def target() -> ScriptedTarget:
    """A target whose changes take effect some time after they were accepted, as those of a cluster do."""
    target = ScriptedTarget()
    target.at_once = False
    return target


def of_canaries(flow: Flow) -> bool:
    return flow.destination.startswith(f"{CANARY}/")


def test_every_node_has_a_canary_that_no_case_tries() -> None:
    world = with_canaries(default_world())
    canaries = [pod for pod in world.pods.values() if pod.namespace == CANARY]
    assert sorted(pod.node for pod in canaries) == [0, 1]
    assert {pod.ref for pod in world.tried} == default_world().pods.keys()


@pytest.mark.parametrize("text", [QUIET, RELABELLED])
def test_steps_that_change_nothing_are_awaited_by_the_canaries(
    session: Session, case: Callable[..., Case], script: Script, text: str
) -> None:
    script.lenses = [Late(5.0)]
    result = session.run(case(text))
    assert (result.verdict, result.notes) == (Verdict.PASS, ())
    assert all(step.barrier is not None and step.barrier >= 5.0 for step in result.steps)
    assert all(step.seconds > 5.0 for step in result.steps)


def test_behind_a_deletion_is_a_deletion(session: Session, case: Callable[..., Case], script: Script) -> None:
    result = session.run(case(DELETED))
    assert result.verdict is Verdict.PASS
    called = [(name, getattr(each, "ref", each)) for name, each, *_ in script.log if name.endswith("_policy")]
    canaries = [(name, ref) for name, ref in called if ref.startswith(f"{CANARY}/")]
    assert canaries == [
        ("apply_policy", "canary/by-label"),
        ("apply_policy", "canary/replaced"),
        ("apply_policy", "canary/deleted"),
        ("apply_policy", "canary/replaced"),
        ("apply_policy", "canary/replaced"),
        ("apply_policy", "canary/replaced"),
        ("delete_policy", "canary/deleted"),
        ("apply_policy", "canary/replaced"),
        ("apply_policy", "canary/deleted"),
    ]
    assert result.steps[-2].seconds < Timeouts().quiet, "the deletion showed"
    assert result.steps[-1].seconds >= Timeouts().quiet, "there was none to show"


def test_behind_a_step_that_deletes_and_applies_is_each_of_them(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    """A plugin may hear of the two through queues of their own."""
    both = CLOSED.replace("apply:", "delete: [x/other]\n    apply:").replace(
        "steps:\n",
        """steps:
  - name: before
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: other, namespace: x}
        spec: {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}
""",
    )
    assert session.run(case(both)).verdict is Verdict.PASS
    called = [(name, getattr(each, "ref", each)) for name, each, *_ in script.log if name.endswith("_policy")]
    step = called[called.index(("delete_policy", "x/other")) :]
    assert step[1:4] == [
        ("apply_policy", "x/deny"),
        ("apply_policy", "canary/replaced"),
        ("delete_policy", "canary/deleted"),
    ]


def test_whatever_is_changed_of_the_canaries_closes_a_door_that_was_open(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    """A plugin may take away later than it adds, and so a change that only adds would show too early."""
    session.run(case(DELETED))
    session.run(case(RELABELLED))
    session.run(case(RELABELLED))
    labels = {f"{CANARY}/canary{number}": ["odd"] for number in range(2)} | {CANARY: ["odd"]}
    policies: list[str] = []
    for name, *arguments in script.log:
        if name in {"label_pod", "label_namespace"} and arguments[0] in labels:
            labels[arguments[0]].append(arguments[1]["turn"])
        elif name == "apply_policy" and arguments[0].ref == f"{CANARY}/replaced":
            policies.append(str(arguments[0].ingress[0].ports[0].port))
    for turns in (*labels.values(), policies):
        assert len(turns) > 4
        assert all(before != after for before, after in itertools.pairwise(turns))


class LateDefect:
    """A plugin that hears of everything late, and then takes the second policy as leave to open x/a."""

    def __init__(self, seconds: float) -> None:
        self.late = Late(seconds)
        self.known: list[tuple[float, bool]] = [(float("-inf"), False)]

    def __call__(self, arena: ScriptedArena, flow: Flow, seen: Observation) -> Observation:
        now, both = arena.target.clock.now(), "x/again" in arena._state.policies
        if self.known[-1][1] is not both:
            self.known.append((now, both))
        heard = [each for moment, each in self.known if moment <= now - self.late.seconds][-1]
        return ALLOWED if heard and flow.destination == "x/a" else self.late(arena, flow, seen)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 1.0, 2.0, 5.0])
def test_a_leak_that_comes_late_is_seen(
    session: Session, case: Callable[..., Case], script: Script, seconds: float
) -> None:
    script.lenses = [LateDefect(seconds)]
    assert session.run(case(QUIET)).verdict is Verdict.FAIL


@pytest.mark.parametrize("seen", [ALLOWED, DROPPED])
def test_canaries_that_never_show_accuse_nobody(
    session: Session, case: Callable[..., Case], script: Script, seen: Observation
) -> None:
    script.lenses = [always(of_canaries, seen)]
    first = session.run(case(QUIET))
    assert first.verdict is Verdict.PASS
    assert all(not step.findings and step.barrier is None for step in first.steps)
    second = session.run(case(QUIET))
    assert second.verdict is Verdict.PASS
    assert not second.notes
    assert second.seconds < Timeouts().settle, "they are not waited for again"
    assert second.steps[-1].seconds >= Timeouts().quiet, "what must not change is held for longer instead"


def test_a_canary_that_stops_showing_is_noted(session: Session, case: Callable[..., Case], script: Script) -> None:
    assert session.run(case(QUIET)).verdict is Verdict.PASS
    script.lenses = [always(of_canaries, DROPPED)]
    result = session.run(case(QUIET))
    assert result.verdict is Verdict.PASS
    assert "canaries did not show what they must within 120 s: canary/canary0 -> canary/canary1" in result.notes[0]


def test_findings_and_cells_are_of_the_case_alone(session: Session, case: Callable[..., Case], script: Script) -> None:
    script.lenses = [always(lambda flow: flow.destination == "x/a", ALLOWED)]
    (step,) = session.run(case(QUIET)).steps
    assert step.cells == 288
    assert {cell.flow.destination for cell in step.findings} == {"x/a"}


@pytest.mark.parametrize("seconds", [40.0, 100.0])
def test_who_is_late_with_the_canaries_too_is_behind_and_not_wrong(
    session: Session, case: Callable[..., Case], script: Script, seconds: float
) -> None:
    """A node that hangs for a while takes longer than `settle`, and its canary says so."""
    script.lenses = [Late(seconds)]
    result = session.run(case(QUIET))
    assert (result.verdict, result.notes) == (Verdict.PASS, ())


def test_who_is_later_than_that_fails(session: Session, case: Callable[..., Case], script: Script) -> None:
    script.lenses = [Late(Timeouts().behind + 50.0)]
    assert session.run(case(CLOSED)).verdict is Verdict.FAIL


def test_who_is_late_only_with_what_the_case_sees_fails(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    late = Late(60.0)
    script.lenses = [lambda arena, flow, seen: seen if of_canaries(flow) else late(arena, flow, seen)]
    assert session.run(case(CLOSED)).verdict is Verdict.FAIL


def test_what_must_not_change_is_read_once_when_the_canaries_have_shown(
    session: Session, case: Callable[..., Case], script: Script
) -> None:
    script.lenses = [Late(2.0)]
    session.run(case(QUIET))
    whole = [each for each in script.log if each[0] == "probe" and len(each[1]) >= 288]
    assert len(whole) == 3, "the world, and each of two steps"
