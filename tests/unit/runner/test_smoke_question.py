"""The smallest question about a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from runner_fakes import ALLOWED, DROPPED, FAILED, Late, always, under_policies

from conformance.errors import ActionFailed, ArenaFailed, ProbeFailed
from conformance.runner.smoke import smoke

if TYPE_CHECKING:
    from runner_fakes import Script, ScriptedTarget


def test_a_target_that_connects_and_enforces(target: ScriptedTarget, script: Script) -> None:
    found = smoke(target)
    assert (found.connects, found.enforces) == (True, True)
    assert found.connects_detail == "20 flows between x/a and x/b pass"
    assert script.arenas[0].closed == 1


def test_a_target_that_enforces_nothing(target: ScriptedTarget, script: Script) -> None:
    script.lenses = [always(lambda _: True, ALLOWED)]
    found = smoke(target)
    assert (found.connects, found.enforces) == (True, False)
    assert found.enforces_detail == "20 of 20 flows still pass 10 s after a policy denied all"
    assert script.arenas[0].closed == 1


@pytest.mark.parametrize("seen", [DROPPED, FAILED])
def test_a_target_whose_pods_do_not_connect(target: ScriptedTarget, script: Script, seen: object) -> None:
    script.lenses = [always(lambda flow: flow.port == 79, seen)]  # type: ignore[arg-type]
    found = smoke(target)
    assert (found.connects, found.enforces) == (False, False)
    assert found.connects_detail == "4 of 20 flows between x/a and x/b do not pass, without any policy"
    assert script.calls("apply_policy") == 0
    assert script.arenas[0].closed == 1


def test_flows_that_cannot_be_measured_do_not_mean_that_nothing_is_enforced(
    target: ScriptedTarget, script: Script
) -> None:
    script.lenses = [under_policies(lambda _: True, FAILED)]
    with pytest.raises(ProbeFailed, match="20 of 20 flows could not be measured after a policy denied all"):
        smoke(target)
    assert script.arenas[0].closed == 1


def test_a_target_that_takes_some_seconds(target: ScriptedTarget, script: Script) -> None:
    script.lenses = [Late(4.0)]
    assert smoke(target).enforces_detail.startswith("a policy that denies all took effect within 4.")


def test_a_target_in_trouble_is_left_clean(target: ScriptedTarget, script: Script) -> None:
    script.errors["apply_policy"] = [ActionFailed("no")]
    with pytest.raises(ActionFailed):
        smoke(target)
    assert script.arenas[0].closed == 1
    script.errors["open_arena"] = [ArenaFailed("no pods")]
    with pytest.raises(ArenaFailed):
        smoke(target)
