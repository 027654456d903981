"""The lab as a plugin that is late: what a change does to the rules is in force some time after it was made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conformance.lab.netns.arena import NetnsArena

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.netns.compile import NodeRules
    from conformance.lab.netns.control import Keeper
    from conformance.model.case import Change
    from conformance.model.flow import Flow
    from conformance.model.matrix import Observation


class LateNetnsArena(NetnsArena):
    """Rules come into force with the first reading that begins `seconds` after the change. For a pod that is made they are in force at once, with all before."""

    def __init__(self, keeper: Keeper, name: str, hears: Hears, seconds: float) -> None:
        super().__init__(keeper, name, hears)
        self._seconds = seconds
        self._changing = False
        self._waiting: list[tuple[float, Mapping[int, NodeRules]]] = []

    def change(self, changes: Sequence[Change]) -> None:
        self._changing = True
        try:
            super().change(changes)
        finally:
            self._changing = False

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        now = time.monotonic()
        if due := [rules for moment, rules in self._waiting if moment <= now]:
            self._waiting = [each for each in self._waiting if each[0] > now]
            super()._put_in_force(due[-1])
        return super().probe(flows, timeout)

    def _put_in_force(self, rules: Mapping[int, NodeRules]) -> None:
        if self._changing:
            self._waiting.append((time.monotonic() + self._seconds, rules))
        else:
            self._waiting.clear()
            super()._put_in_force(rules)
