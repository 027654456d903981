"""The miniatures by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.errors import UsageError
from conformance.lab.miniatures.defect import NONE, rightly
from conformance.lab.miniatures.defects import (
    ip_blocks,
    limits,
    memory,
    named_ports,
    paths,
    ports,
    selectors,
    whole_policies,
)
from conformance.lab.miniatures.disturbances import DISTURBANCES
from conformance.lab.miniatures.late_plane import Late, Slowness
from conformance.lab.miniatures.perfect import PerfectTarget
from conformance.lab.miniatures.slow import SlowTarget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conformance.lab.miniatures.defect import Defect, Hears

_MODULES = (ip_blocks, ports, named_ports, whole_policies, selectors, memory, paths, limits)
#: Every defect by its name, sorted by class.
DEFECTS: Mapping[str, Defect] = {
    each.name: each for each in sorted((one for module in _MODULES for one in module.DEFECTS), key=lambda one: one.of)
}

#: What is disturbed is waited for as a cluster is.
_HARDLY_SLOW = Slowness(0.1)


def make(name: str) -> PerfectTarget:
    """Return a miniature: `perfect`, one that is late, one that has a defect, or both with a `+` between them.

    UsageError for a name that none has.
    """
    known = {NONE.name: NONE, **DEFECTS}
    disturbed = {each.name: each for each in DISTURBANCES}
    first, plus, rest = name.partition("+")
    if slowness := Slowness.named(first):
        if not plus or rest in DEFECTS:
            return SlowTarget(name, slowness, DEFECTS[rest] if plus else NONE)
    elif name in known:
        return PerfectTarget(name, known[name])
    elif name in disturbed:
        return SlowTarget(name, _HARDLY_SLOW, disturbed[name])
    late = "slow-2s (or another number of seconds), slow-deletes-2s, slow-node-2s, slow-pods-2s, slow-labels-2s"
    raise UsageError(
        f"no miniature is called {name!r}",
        hint=f"there are perfect; {late}; {', '.join(disturbed)}; {len(DEFECTS)} defects, such as {min(DEFECTS)}, which `score --list` names; and slow-2s+{min(DEFECTS)}",
    )


def in_a_kernel(name: str) -> tuple[Hears, float]:
    """Return what a lab with real packets can be made to do wrong: what its rules are made of, and by how many seconds they are late.

    UsageError for a name of anything else.
    """
    first, plus, rest = name.partition("+")
    slowness = Slowness.named(first)
    if slowness is not None and slowness.late is Late.CHANGES:
        return (in_a_kernel(rest)[0] if plus else rightly), slowness.seconds
    found = DEFECTS.get(name)
    if found is None or not found.shows_in_tables or found.where is not None:
        able = [each.name for each in DEFECTS.values() if each.shows_in_tables and each.where is None]
        raise UsageError(
            f"netns cannot have a defect called {name!r}",
            hint=f"it can have {len(able)} of those that `score --list` names, such as {min(able)}, and be late, as slow-2s or slow-2s+{min(able)}",
        )
    return found.hears, 0.0
