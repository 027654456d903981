"""The miniatures by name."""

from __future__ import annotations

from conformance.errors import UsageError
from conformance.lab.miniatures.perfect import PerfectTarget

_MINIATURES = {"perfect": PerfectTarget}


def make(name: str) -> PerfectTarget:
    """Return a miniature; UsageError for a name that none has."""
    if name not in _MINIATURES:
        raise UsageError(
            f"no miniature is called {name!r}", hint=f"the miniatures are {', '.join(sorted(_MINIATURES))}"
        )
    return _MINIATURES[name]()
