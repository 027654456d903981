"""Implementations that are late and wrong: the late one fails the cases that the one fails that is wrong at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from runner_fakes import ALLOWED, DROPPED

from conformance.lab.miniatures.registry import make
from conformance.model.verdict import Verdict
from conformance.runner.session import Rules, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner_fakes import Script, ScriptedArena, ScriptedTarget

    from conformance.model.case import Case
    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation

LATE = ["slow-{}s", "slow-deletes-{}s", "slow-node-{}s"]
SECONDS = ["0.1", "0.5", "1", "2", "5"]


def policy(name: str, *from_labels: dict[str, str]) -> dict[str, Any]:
    """Return a policy that lets pods with these labels reach x/a, and nobody else."""
    peers = [{"podSelector": {"matchLabels": labels}} for labels in from_labels]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": "x"},
        "spec": {
            "podSelector": {"matchLabels": {"pod": "a"}},
            "policyTypes": ["Ingress"],
            "ingress": [{"from": peers}] if peers else [],
        },
    }


def steps(*each: dict[str, Any]) -> str:
    """Return the steps of a case, of which each that does not say otherwise leaves x/a closed."""
    closed = {"default": "allow", "deny": ["* -> x/a"]}
    return "probe: [80/TCP]\nsteps: " + json.dumps(
        [{"name": f"step {number}", "expect": closed, **step} for number, step in enumerate(each)]
    )


def elsewhere(policy: dict[str, Any]) -> dict[str, Any]:
    return {**policy, "metadata": {**policy["metadata"], "namespace": "y"}}


def only(sources: str) -> dict[str, Any]:
    return {"default": "allow", "deny": [f"!{sources} -> x/a"]}


B, C, GREEN, NOBODY = {"pod": "b"}, {"pod": "c"}, {"colour": "green"}, {"no": "body"}
BOTH = {"default": "allow", "deny": ["* -> x/a", "* -> y/a"]}
#: Each mistake with a case that shows it.
CASES = {
    # Nothing must change, and something does.
    "delete-opens": steps({"apply": [policy("p"), policy("q")]}, {"delete": ["x/q"]}),
    "delete-opens, after a change": steps(
        {"apply": [policy("p"), policy("q")]}, {"apply": [policy("q", NOBODY)]}, {"delete": ["x/q"]}
    ),
    "delete-opens, after a deletion": steps(
        {"apply": [policy("p"), policy("q"), elsewhere(policy("r"))], "expect": BOTH},
        {"delete": ["y/r"]},
        {"delete": ["x/q"]},
    ),
    # What is added must stay, and some is taken away.
    "last-policy-wins": steps({"apply": [policy("p", B), policy("q", C)], "expect": only("x/b, x/c")}),
    # Something must change, and does not.
    "keeps-rules": steps({"apply": [policy("p", B)], "expect": only("x/b")}, {"apply": [policy("p")]}),
    "keeps-labels": steps(
        {"label": {"x/b": GREEN}, "apply": [policy("p", GREEN)], "expect": only("x/b")},
        {"label": {"x/b": {"colour": None}}},
    ),
    "ignores-namespace": steps({"apply": [policy("p", B)], "expect": only("x/b")}),
}
#: No mistake shows here; the canaries have changed once more.
HARMLESS = steps({"apply": [policy("p")]})


def mistake(shown_by: str) -> str:
    return shown_by.partition(",")[0]


@pytest.mark.parametrize("shown_by", CASES)
def test_each_case_shows_its_mistake_where_it_is_made_at_once(case: Callable[..., Case], shown_by: str) -> None:
    assert Session(make("perfect")).run(case(CASES[shown_by])).verdict is Verdict.PASS
    session = Session(make(mistake(shown_by)))
    assert session.run(case(HARMLESS)).verdict is Verdict.PASS
    assert session.run(case(CASES[shown_by])).verdict is Verdict.FAIL


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("shown_by", CASES)
def test_who_makes_it_late_fails_too(case: Callable[..., Case], shown_by: str, late: str, seconds: str) -> None:
    session = Session(make(f"{late.format(seconds)}+{mistake(shown_by)}"))
    assert session.run(case(CASES[shown_by])).verdict is Verdict.FAIL


@pytest.mark.parametrize("before", [1, 2])
@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("shown_by", CASES)
def test_so_it_does_in_an_arena_whose_canaries_have_changed(
    case: Callable[..., Case], shown_by: str, late: str, before: int
) -> None:
    session = Session(make(f"{late.format(2)}+{mistake(shown_by)}"))
    for _ in range(before):
        assert session.run(case(HARMLESS)).verdict is Verdict.PASS
    assert session.run(case(CASES[shown_by])).verdict is Verdict.FAIL


@pytest.mark.parametrize("canaries", [True, False])
@pytest.mark.parametrize("seconds", [*SECONDS, "20"])
@pytest.mark.parametrize("late", [*LATE, "slow-pods-{}s"])
def test_who_is_only_late_passes(case: Callable[..., Case], late: str, seconds: str, canaries: bool) -> None:
    session = Session(make(late.format(seconds)), Rules(canaries=canaries))
    for text in (HARMLESS, *CASES.values()):
        result = session.run(case(text))
        assert (result.verdict, result.notes) == (Verdict.PASS, ())


@pytest.mark.parametrize("seconds", SECONDS)
@pytest.mark.parametrize("late", LATE)
@pytest.mark.parametrize("shown_by", CASES)
def test_without_canaries_it_is_held_as_long_as_the_slowest_change_took(
    case: Callable[..., Case], shown_by: str, late: str, seconds: str
) -> None:
    """Even in the first case: how long that is was tried before it."""
    session = Session(make(f"{late.format(seconds)}+{mistake(shown_by)}"), Rules(canaries=False))
    assert session.run(case(CASES[shown_by])).verdict is Verdict.FAIL


def test_servers_that_start_late_do_not_tell_how_late_changes_are(
    case: Callable[..., Case], target: ScriptedTarget, script: Script
) -> None:
    def starting(arena: ScriptedArena, _: Flow, really: Observation) -> Observation:
        return DROPPED if arena.target.clock.now() < 3.0 else really

    target.at_once = False
    script.lenses.append(starting)
    assert Session(target, Rules(canaries=False)).run(case(HARMLESS)).verdict is Verdict.PASS
    tried, of_case = (call[1] for call in script.log if call[0] == "apply_policy")
    assert (tried.name, of_case.name) == ("deny-ingress", "p")


def test_how_late_changes_are_is_tried_once_where_none_is_ever_seen(
    case: Callable[..., Case], target: ScriptedTarget, script: Script
) -> None:
    target.at_once = False
    script.lenses.append(lambda *_: ALLOWED)
    session = Session(target, Rules(canaries=False))
    for text in CASES.values():
        session.run(case(text))
    tried = [call[1].name for call in script.log if call[0] == "apply_policy"]
    assert tried.count("deny-ingress") == 1


#: A second pod is painted in capitals, which is another value.
PAINTED = steps(
    {"label": {"x/b": GREEN}, "apply": [policy("p", GREEN)], "expect": only("x/b")},
    {"label": {"x/c": {"colour": "GREEN"}}, "expect": only("x/b")},
)


@pytest.mark.parametrize("seconds", [2, 30])
def test_where_each_pod_hears_of_its_labels_at_a_time_of_its_own_none_is_too_late_to_be_seen(
    case: Callable[..., Case], seconds: int
) -> None:
    """How far apart that is, the canaries have to show first."""
    session = Session(make(f"slow-labels-{seconds}s+ignores-case-of-labels"))
    verdicts = [session.run(case(PAINTED)).verdict for _ in range(60)]
    assert verdicts[10:].count(Verdict.FAIL) >= 49


@pytest.mark.parametrize("seconds", [2, 30, 40])
def test_and_none_is_accused_of_that(case: Callable[..., Case], seconds: int) -> None:
    session = Session(make(f"slow-labels-{seconds}s"))
    for text in [CASES["keeps-labels"], PAINTED, HARMLESS] * 10:
        assert session.run(case(text)).verdict is Verdict.PASS
