"""The lab with a defect switched on: real packets, the agent and the judge say which rule is not kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.casefile.choose import choose
from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases
from conformance.errors import UsageError
from conformance.model.matrix import CellVerdict
from conformance.model.verdict import Verdict
from conformance.report.findings import deciding
from conformance.report.lines import case_line
from conformance.runner.session import Rules, Session
from conformance.targets import TargetOptions, make

if TYPE_CHECKING:
    from conformance.model.verdict import CaseResult

LEAK, BREAK = {CellVerdict.LEAK}, {CellVerdict.BREAK}


@pytest.mark.parametrize(
    ("defect", "case", "verdicts", "policies"),
    [
        pytest.param("ignores-except", "ELDU-ingress-any-one", LEAK, {"x/all-but-one"}, id="a rule too many"),
        pytest.param("first-rule-only", "J9ZD", BREAK, {"x/two-rules"}, id="a rule missing"),
        pytest.param("range-past-its-end", "R4EA-ingress-tcp-exact", LEAK, {"x/range"}, id="a wrong range of ports"),
        pytest.param("keeps-rules", "IK5Y", LEAK, {"x/web"}, id="what an edit took away"),
        pytest.param("ignores-edits-of-selectors", "EH57", LEAK | BREAK, {"x/deny"}, id="pods that an edit selects"),
    ],
)
def test_the_cells_that_differ_name_the_rule_that_is_not_kept(
    defect: str, case: str, verdicts: set[CellVerdict], policies: set[str]
) -> None:
    (chosen,) = choose(load_cases(list(find([cases()]))), [case])
    target = make(TargetOptions(target=f"netns:{defect}"))
    try:
        session = Session(target, Rules(timeouts={"settle": 0.2}))
        result = session.run(chosen)
        session.close()
    finally:
        target.close()
    findings = [cell for step in result.steps for cell in step.findings]
    assert (result.verdict, {cell.verdict for cell in findings}) == (Verdict.FAIL, verdicts)
    assert set(deciding(each for step in case_line(result)["steps"] for each in step["findings"])) == policies


def run(name: str, case: str) -> CaseResult:
    (chosen,) = choose(load_cases(list(find([cases()]))), [case])
    target = make(TargetOptions(target=name))
    try:
        return Session(target, Rules(timeouts={"settle": 1.0, "behind": 1.0})).run(chosen)
    finally:
        target.close()


def test_a_delay_shows_as_a_delay() -> None:
    """It counts from the change, and a latency from when the suite goes on after it, which a busy machine puts off."""
    result = run("netns:slow-0.4s", "EC4V")
    assert result.verdict is Verdict.PASS
    assert all(latency >= 0.2 for step in result.steps for latency in step.latencies)
    assert any(step.latencies for step in result.steps)


def test_what_comes_late_and_wrong_is_seen_too() -> None:
    """Nothing must change in the last step, and something does, a fifth of a second later."""
    assert run("netns:slow-0.2s+delete-opens", "EC4V").verdict is Verdict.FAIL


def test_what_never_comes_in_time_fails() -> None:
    assert run("netns:slow-3s", "EC4V").verdict is Verdict.FAIL


@pytest.mark.parametrize(
    "name", ["slow-deletes-2s", "slow-2s+stateless", "nope", "stateless", "ignores-except@egress", "perfect"]
)
def test_not_every_defect_is_one_that_rules_can_have(name: str) -> None:
    with pytest.raises(UsageError, match="netns cannot have a defect called"):
        make(TargetOptions(target=f"netns:{name}"))
