"""What a pod tries from its first instruction on, and whom it tells."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from agent_process import PATIENCE, Agent, free_port

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = "127.0.0.1"


def told(asked: Agent, until: Callable[[list[Any]], bool]) -> list[Any]:
    """Ask until the log is as it is wanted, and return it."""
    deadline = time.monotonic() + PATIENCE
    while True:
        asked.write(b'{"id": 1, "timeout": 1, "jobs": [], "early": true}\n')
        early: list[Any] = asked.line()["early"]
        if until(early):
            return early
        assert time.monotonic() < deadline, early


@pytest.mark.parametrize("own", [True, False], ids=["the process that tries", "another process of the pod"])
def test_it_says_when_the_right_server_first_answered(
    agent: Callable[..., Agent], serving: Callable[..., Any], own: bool
) -> None:
    _, (tcp, udp) = serving("y/a#1", "TCP", "UDP")
    targets = [f"--from-start={HERE}:{port}" for port in (f"{tcp}/TCP", f"{udp}/UDP", f"{free_port('TCP')}/TCP")]
    trying = agent("endpoint" if own else "serve", "--identity", "x/d#1", *targets)
    asked = trying if own else agent("probe")
    assert asked.line()["hello"] == 1

    first, second, third = told(
        asked, lambda log: log is not None and None not in (log[0][1], log[1][1]) and log[2][0] > 2
    )

    assert first[2] == second[2] == "y/a#1"
    assert 0 <= first[1] < PATIENCE
    assert (third[1], third[2]) == (None, "")


def test_where_nothing_is_tried_there_is_nothing_to_tell(prober: Agent) -> None:
    prober.write(b'{"id": 1, "timeout": 1, "jobs": [], "early": true}\n')
    assert prober.line()["early"] is None
