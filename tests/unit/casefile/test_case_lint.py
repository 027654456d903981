"""What `check` tells about cases that are well formed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.casefile.lint import lint
from conformance.model.declared import declared_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.casefile.source import Problem
    from conformance.model.case import Case

POLICY = """\
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: x}
        spec: {podSelector: {}, policyTypes: [Ingress]}
"""
GOOD = f"""\
steps:
  - name: open
    expect: {{default: allow}}
  - name: deny
    apply:
{POLICY}    expect: {{default: allow, deny: ["* -> x/*"]}}
"""


def linted(*cases: Case) -> tuple[Problem, ...]:
    return lint([(case, tuple(declared_steps(case))) for case in cases])


@pytest.fixture
def told(load: Callable[[str], Case], whole: Callable[..., str]) -> Callable[..., list[str]]:
    """Return what is told about cases that differ from the good one by what is replaced."""

    def tell(*replaced: tuple[str, str]) -> list[str]:
        text = whole(steps=GOOD)
        for old, new in replaced:
            assert old in text
            text = text.replace(old, new)
        return [str(each) for each in linted(load(text))]

    return tell


def test_a_good_case_is_good(told: Callable[..., list[str]]) -> None:
    assert told() == []


def test_a_step_that_blocks_nothing_is_passed_by_what_enforces_nothing(told: Callable[..., list[str]]) -> None:
    (problem,) = told((', deny: ["* -> x/*"]', ""))
    assert problem.startswith(
        "case.yaml:11:5: every flow of step 'deny' passes, so a cluster that enforces nothing would do"
    )


def test_a_step_that_lets_nothing_pass_is_passed_by_what_blocks_everything(told: Callable[..., list[str]]) -> None:
    (problem,) = told(("default: allow, deny", "default: allow, allow: [], deny"), ("x/*", "*"))
    assert "every flow of step 'deny' is blocked, so a cluster that blocks everything would do" in problem


def test_a_reason_makes_one_side_enough(told: Callable[..., list[str]]) -> None:
    reason = "    oneSided: it is about what must pass\n"
    assert told(('{default: allow, deny: ["* -> x/*"]}\n', "{default: allow}\n" + reason)) == []


def test_metadata_that_changes_nothing_is_told(told: Callable[..., list[str]]) -> None:
    (problem,) = told(("namespace: x}", "namespace: x, labels: {a: b}}"))
    assert problem == "case.yaml:13:9: policy x/deny: labels of its metadata changes nothing"


def test_what_is_judged_has_a_must(told: Callable[..., list[str]]) -> None:
    (problem,) = told(("MUST NOT accept", "SHOULD refuse"))
    assert "requirement: what is judged has a MUST or a MUST NOT" in problem
    assert told(("MUST NOT accept", "MAY accept"), ("tier: core", "tier: observed")) == []


@pytest.mark.parametrize("text", ["a pod MUST.", "A pod MUST", "A pod MUST. So it is.", "A pod MUST!"])
def test_a_requirement_is_one_sentence(told: Callable[..., list[str]], text: str) -> None:
    (problem,) = told(("A pod MUST NOT accept what no policy allows.", text))
    assert problem == "case.yaml:3:5: requirement: one sentence: it begins with a capital and ends with a full stop"


def test_numbers_and_names_may_have_dots(told: Callable[..., list[str]]) -> None:
    assert told(("what no policy allows.", "what ns.x at 10.0.0.1 sends.")) == []


def test_two_cases_that_show_the_same_are_told(load: Callable[[str], Case], whole: Callable[..., str]) -> None:
    first = load(whole(steps=GOOD))
    again = load(whole(steps=GOOD.replace("name: deny", "name: again")).replace("K7QD", "K7QE"))
    other = load(
        whole(steps=GOOD.replace("namespace: x}", 'namespace: "y"}').replace("x/*", "y/*")).replace("K7QD", "K7QF")
    )
    assert [each.text for each in linted(first, again, other)] == ["K7QE shows the same as K7QD: case.yaml:3:5"]


def test_two_cases_of_different_worlds_are_not_the_same(load: Callable[[str], Case], whole: Callable[..., str]) -> None:
    """Their flows and policies may be alike: it is the labels that differ."""
    labelled = GOOD.replace("    apply:", "    label: {x/a: {app: KIND}}\n    apply:")
    first = load(whole(steps=labelled.replace("KIND", "web")))
    other = load(whole(steps=labelled.replace("KIND", "db")).replace("K7QD", "K7QE"))
    assert linted(first, other) == ()
