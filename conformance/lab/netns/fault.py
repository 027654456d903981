"""What can go wrong below an arena, and what a person can do about it."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.errors import ArenaFailed, TargetUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORBIDDEN = {errno.EPERM, errno.EACCES}
_TOO_MANY = {errno.ENOSPC, errno.EUSERS}
_NOT_THERE = {errno.ENOENT, errno.EOPNOTSUPP, errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT}
_NOT_LINUX = {errno.ENOSYS, errno.EINVAL}
_SECCOMP_FILTER = "2"

_APPARMOR = "kernel.apparmor_restrict_unprivileged_userns"
_DEBIAN_SWITCH = "kernel.unprivileged_userns_clone"
_MAX_USER, _MAX_NET = "user.max_user_namespaces", "user.max_net_namespaces"


class LabFault(Exception):
    """The keeper or the kernel did not do what it was told. `needs` names the kernel module that the order needed."""

    def __init__(self, what: str, number: int | None = None, needs: str = "") -> None:
        super().__init__(what)
        self.what, self.number, self.needs = what, number, needs


def hint(fault: LabFault, settings: Mapping[str, str]) -> str | None:
    """Return what would let the lab run on this machine; None where the machine is not to blame."""
    if fault.number in _FORBIDDEN:
        return _permission(settings)
    if fault.number in _TOO_MANY:
        return _raise(_MAX_NET if "network" in fault.what else _MAX_USER)
    if fault.number in _NOT_THERE and fault.needs:
        return f"the kernel has no {fault.needs}; load it on the machine itself: sudo modprobe {fault.needs}"
    if fault.number in _NOT_LINUX and not fault.needs:
        return "the lab needs Linux with user and network namespaces; elsewhere, use a Linux machine or container"
    return None


def unavailable(fault: LabFault, arena: str | None = None) -> TargetUnavailable:
    """Return the error for a lab that cannot open an arena, or cannot even start."""
    advice = hint(fault, machine_settings())
    if arena is None or advice:
        return TargetUnavailable("the netns lab cannot run on this machine", causes=[fault.what], hint=advice)
    return ArenaFailed(f"arena {arena} did not come up in the netns lab", causes=[fault.what])


def machine_settings() -> Mapping[str, str]:
    """Read what decides whether an ordinary user may have namespaces; what this kernel does not have is left out."""
    names = (_APPARMOR, _DEBIAN_SWITCH, _MAX_USER, _MAX_NET)
    found = {name: text.strip() for name in names if (text := _read(f"/proc/sys/{name.replace('.', '/')}")) is not None}
    for line in (_read("/proc/self/status") or "").splitlines():
        name, _, value = line.partition(":")
        if name == "Seccomp":
            found["seccomp"] = value.strip()
    return found


def _permission(settings: Mapping[str, str]) -> str:
    if settings.get("seccomp") == _SECCOMP_FILTER:
        return (
            "a seccomp filter forbids namespaces, as in a container with Docker's default profile; "
            "run it with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
        )
    if settings.get(_APPARMOR) == "1":
        return f"AppArmor forbids namespaces to ordinary users here; allow them: sudo sysctl -w {_APPARMOR}=0"
    if settings.get(_DEBIAN_SWITCH) == "0":
        return f"this kernel forbids namespaces to ordinary users; allow them: sudo sysctl -w {_DEBIAN_SWITCH}=1"
    if settings.get(_MAX_USER) == "0":
        return _raise(_MAX_USER)
    return "this machine forbids namespaces to ordinary users; allow them, or run as root"


def _raise(limit: str) -> str:
    return f"raise the limit, for example: sudo sysctl -w {limit}=15000"


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, ValueError):
        return None
