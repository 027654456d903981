"""Every time that a run waits for something: by name, with its default, and the most that it may be set to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol, Self

from conformance.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds.

    - `settle`: how long a change may take until every cell agrees; longer is a failure, shorter is only reported
    - `labels`: the same for a change of labels: some plugins spread the work that it makes over half a minute on purpose
    - `behind`: how long an implementation may take that is behind: whose canaries, changed after the step, do not show yet
    - `connect`: how long a world without policies may take until everything connects
    - `hold`: how long an agreeing matrix is left alone before it is read again in full
    - `quiet`: the same for a step after which nothing must have changed, where no canary shows that it was heard of; it
      is longer where a change was seen to take longer
    - `restart`: how long the implementation may take until it is ready again after a restart
    - `watch`: how long the matrix is read over and over after that
    - `probe_floor`, `probe_ceiling`: the least and the most that a silent flow is given; in between it is four times the
      longest silence before an answer in the last reading in which everything passed
    """

    settle: float = 30.0
    labels: float = 60.0
    behind: float = 120.0
    connect: float = 60.0
    hold: float = 0.5
    quiet: float = 1.5
    restart: float = 180.0
    watch: float = 5.0
    probe_floor: float = 0.3
    probe_ceiling: float = 3.0

    def updated(self, changes: Mapping[str, float]) -> Self:
        """Return these with some changed; UsageError for a name that is not one, or for a value beyond its ceiling."""
        check(changes)
        return replace(self, **changes)


def check(changes: Mapping[str, float]) -> None:
    """Raise a UsageError for a name that is no timeout, or for a value beyond its ceiling."""
    for name, value in changes.items():
        if name not in CEILINGS:
            raise UsageError(f"no timeout is called {name!r}", hint=f"the timeouts are {', '.join(sorted(CEILINGS))}")
        if not 0 <= value <= CEILINGS[name]:
            raise UsageError(
                f"timeout {name}={value:g} is out of range", hint=f"it may be 0 to {CEILINGS[name]:g} seconds"
            )


#: The most that each may be set to: beyond it a verdict would speak of patience and not of the implementation.
CEILINGS = {
    "settle": 300.0,
    "labels": 300.0,
    "behind": 600.0,
    "connect": 600.0,
    "hold": 60.0,
    "quiet": 60.0,
    "restart": 600.0,
    "watch": 60.0,
    "probe_floor": 10.0,
    "probe_ceiling": 10.0,
}


class Clock(Protocol):
    """Time, so that tests and miniatures can bring their own."""

    def now(self) -> float:
        """Return seconds from some fixed moment."""

    def sleep(self, seconds: float) -> None: ...
