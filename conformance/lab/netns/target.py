"""The target `netns`: a small cluster of network namespaces, for anybody, in seconds."""

from __future__ import annotations

import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from conformance import __version__
from conformance.errors import ActionFailed, ArenaFailed, ProbeFailed
from conformance.lab.miniatures.defect import rightly
from conformance.lab.netns.fault import LabFault, unavailable
from conformance.runner.clock import SystemClock
from conformance.runner.target import Description
from conformance.runner.timeouts import Timeouts

if TYPE_CHECKING:
    from conformance.lab.miniatures.defect import Hears
    from conformance.lab.netns.arena import NetnsArena
    from conformance.lab.netns.control import Keeper
    from conformance.model.world import World
    from conformance.runner.timeouts import Clock


#: Rules are in force when a change returns, so holds are short. What may take long is a packet, where others keep the machine busy.
_AT_ONCE = Timeouts(
    settle=20.0, labels=20.0, connect=30.0, hold=0.0, quiet=0.0, watch=0.5, probe_floor=0.05, probe_ceiling=1.0
)
_LATE = replace(_AT_ONCE, hold=Timeouts().hold, quiet=Timeouts().quiet)


class NetnsTarget:
    """A target as `runner.target.Target` describes it. Nothing is started before the first arena is opened.

    With `hears` it has a defect, called `name`: rules are made of what that makes of each event, and not of what is so. With `late` they are in force
    only so many seconds after a change.
    """

    clock: ClassVar[Clock] = SystemClock()

    def __init__(self, name: str = "", hears: Hears = rightly, late: float = 0.0) -> None:
        self._name = name
        self._hears = hears
        self._late = late
        self.at_once = not late
        self.timeouts = _LATE if late else _AT_ONCE
        self._keeper: Keeper | None = None
        self._arenas: dict[str, NetnsArena] = {}

    def describe(self) -> Description:
        return Description(
            target=f"netns:{self._name}" if self._name else "netns",
            implementation=f"netns-lab-{self._name}" if self._name else "netns-lab",
            version=__version__,
            environment={
                "kernel": platform.release(),
                "machine": platform.machine(),
                "python": platform.python_version(),
                "user": "root" if os.geteuid() == 0 else "ordinary",
                "ip families": _families(),
            },
        )

    def open_arena(self, world: World, name: str) -> NetnsArena:
        from conformance.lab.netns.control import Keeper  # noqa: PLC0415 -- pyroute2 takes long to import

        self._arenas = {each: arena for each, arena in self._arenas.items() if not arena.closed}
        if name in self._arenas:
            raise ArenaFailed(f"there is an arena called {name} already", hint="give each arena a name of its own")
        try:
            if self._keeper is None or not self._keeper.alive:
                self._stop_keeper()
                self._keeper = Keeper()
            arena = self._arenas[name] = self._made(self._keeper, name)
        except LabFault as fault:
            raise unavailable(fault) from fault
        try:
            arena.open(world)
        except LabFault as fault:
            arena.close()
            raise unavailable(fault, name) from fault
        except (ActionFailed, ProbeFailed) as error:
            arena.close()
            causes = [error.message, *error.causes]
            raise ArenaFailed(f"arena {name} did not come up in the netns lab", causes=causes) from error
        except BaseException:  # such as Ctrl-C
            arena.close()
            raise
        return arena

    def close(self) -> None:
        for arena in self._arenas.values():
            arena.close()
        self._stop_keeper()

    def _made(self, keeper: Keeper, name: str) -> NetnsArena:
        from conformance.lab.netns.arena import NetnsArena  # noqa: PLC0415 -- pyroute2 takes long to import
        from conformance.lab.netns.late import LateNetnsArena  # noqa: PLC0415 -- as above

        return (
            LateNetnsArena(keeper, name, self._hears, self._late)
            if self._late
            else NetnsArena(keeper, name, self._hears)
        )

    def _stop_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None


def _families() -> str:
    """Return the families that pods will have addresses of; the arena itself finds out for certain, and says why not."""
    return "IPv4 and IPv6" if Path("/proc/net/if_inet6").exists() else "IPv4"
