"""The miniatures by name."""

from __future__ import annotations

from conformance.errors import UsageError
from conformance.lab.miniatures.late_plane import Slowness
from conformance.lab.miniatures.mistakes import MISTAKES, rightly
from conformance.lab.miniatures.perfect import PerfectTarget
from conformance.lab.miniatures.slow import SlowTarget


def make(name: str) -> PerfectTarget:
    """Return a miniature: `perfect`, one that is late, one that makes a mistake, or both with a `+` between them.

    UsageError for a name that none has.
    """
    first, plus, rest = name.partition("+")
    if slowness := Slowness.named(first):
        if not plus or rest in MISTAKES:
            return SlowTarget(name, slowness, MISTAKES[rest] if plus else rightly)
    elif not plus and (name == "perfect" or name in MISTAKES):
        return PerfectTarget(name, MISTAKES.get(name, rightly))
    late = "slow-2s (or another number of seconds), slow-deletes-2s, slow-node-2s, slow-pods-2s"
    raise UsageError(
        f"no miniature is called {name!r}",
        hint=f"the miniatures are {', '.join(('perfect', *sorted(MISTAKES)))}; {late}; slow-2s+{min(MISTAKES)}",
    )
