"""What disturbs a run without being a rule that is kept or broken: a plugin that flaps, an exec that fails, a server that dies.

A plugin that flaps is unstable. What cannot be measured is the suite's or the cluster's affair: it must never be held against the plugin.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.lab.miniatures.defect import Defect
from conformance.model.matrix import Observation, Observed

if TYPE_CHECKING:
    from conformance.model.flow import Flow

_SILENT = Observation(Observed.DROPPED, 0.3)
_ANSWERED = Observation(Observed.ALLOWED, 0.001, waited=0.001)
_EXEC_FAILED = Observation(Observed.FAILED, 0.0, detail="exec: the stream broke")
_NOT_ALIVE = Observation(
    Observed.FAILED, 0.0, detail="server z/c:80/TCP is not proven alive: its loopback says dropped"
)
_NOW_AND_THEN, _UNTIL_IT_DIES = 3, 4


def _flaps(flow: Flow, seen: Observation, reading: int) -> Observation:
    if flow.destination != "x/a" or reading % 2:
        return seen
    return _SILENT if seen.observed is Observed.ALLOWED else _ANSWERED


def _fails_now_and_then(flow: Flow, seen: Observation, reading: int) -> Observation:
    return _EXEC_FAILED if flow.source == "x/b" and reading % _NOW_AND_THEN == 0 else seen


def _fails_always(flow: Flow, seen: Observation, _: int) -> Observation:
    return _EXEC_FAILED if flow.source == "x/b" else seen


def _dies(flow: Flow, seen: Observation, reading: int) -> Observation:
    return _NOT_ALIVE if flow.destination == "z/c" and reading > _UNTIL_IT_DIES else seen


DISTURBANCES = (
    Defect("flaps", "", "lets x/a receive in every second reading what it must not, and nothing else", sees=_flaps),
    Defect("failing-exec", "", "cannot be asked from x/b in every third reading", sees=_fails_now_and_then),
    Defect("no-exec", "", "cannot be asked from x/b", sees=_fails_always),
    Defect("dying-server", "", "loses the server of z/c after some readings", sees=_dies),
)
