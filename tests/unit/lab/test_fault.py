"""What a person is told where the lab cannot run."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from conformance.errors import ArenaFailed
from conformance.lab.netns.control import Keeper
from conformance.lab.netns.fault import LabFault, hint, unavailable
from conformance.lab.netns.netlink import Message

ROOT = Path(__file__).parents[3]

USER, NET = "unshare a user namespace", "unshare a network namespace"


@pytest.mark.parametrize(
    ("fault", "settings", "words"),
    [
        (LabFault(USER, errno.EPERM), {"seccomp": "2"}, "--security-opt seccomp=unconfined"),
        (
            LabFault("/proc/self/uid_map", errno.EPERM),
            {"kernel.apparmor_restrict_unprivileged_userns": "1"},
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            LabFault("the kernel refused to make the cable", errno.EPERM, "veth"),
            {"kernel.apparmor_restrict_unprivileged_userns": "1", "seccomp": "0"},
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        (
            LabFault(USER, errno.EPERM),
            {"kernel.unprivileged_userns_clone": "0"},
            "sudo sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (LabFault(USER, errno.EPERM), {"user.max_user_namespaces": "0"}, "user.max_user_namespaces=15000"),
        (LabFault(USER, errno.EPERM), {}, "or run as root"),
        (LabFault(USER, errno.ENOSPC), {}, "user.max_user_namespaces=15000"),
        (LabFault(NET, errno.ENOSPC), {}, "user.max_net_namespaces=15000"),
        (LabFault("the kernel refused to make the cable", errno.EOPNOTSUPP, "veth"), {}, "sudo modprobe veth"),
        (LabFault("the kernel refused to add a rule", errno.ENOENT, "nft_ct"), {}, "sudo modprobe nft_ct"),
        (LabFault("Protocol not supported", errno.EPROTONOSUPPORT, "nf_tables"), {}, "sudo modprobe nf_tables"),
        (LabFault("this is Darwin", errno.ENOSYS), {}, "needs Linux"),
    ],
)
def test_hints(fault: LabFault, settings: dict[str, str], words: str) -> None:
    assert words in (hint(fault, settings) or "")


def test_what_is_no_fault_of_the_machine_has_no_hint() -> None:
    fault = LabFault("the kernel refused to remove interface 7: No such device", errno.ENODEV)
    assert hint(fault, {}) is None
    assert isinstance(unavailable(fault, "main-1"), ArenaFailed)
    assert not isinstance(unavailable(LabFault(USER, errno.EPERM), "main-1"), ArenaFailed)


FORBIDDEN = """
    import ctypes, os, pathlib, sys
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None)
    assert libc.unshare(0x10000000) == 0
    for name, text in (("setgroups", "deny"), ("uid_map", f"{sys.argv[2]} {uid} 1"), ("gid_map", f"0 {gid} 1")):
        pathlib.Path(f"/proc/self/{name}").write_text(text)
    try:
        pathlib.Path(f"/proc/sys/user/{sys.argv[1]}").write_text("0")
    except OSError:
        sys.exit("cannot set a limit here")
    if sys.argv[2] != "0":  # an ordinary user has no rights once another program runs
        os.execv(sys.executable, [sys.executable, "-c", sys.argv[3]])
    exec(sys.argv[3])
"""
OPEN = """
from conformance.errors import ConformanceError
from conformance.lab.netns.target import NetnsTarget
from conformance.model.world import World
target = NetnsTarget()
try:
    target.open_arena(World(), "w")
    print("opened")
except ConformanceError as error:
    print(type(error).__name__, error)
target.close()
"""


@pytest.mark.parametrize(
    ("limit", "uid", "expected"),
    [
        ("max_user_namespaces", "1000", ["TargetUnavailable", "user.max_user_namespaces=15000"]),
        ("max_net_namespaces", "0", ["TargetUnavailable", "user.max_net_namespaces=15000"]),
        ("max_user_namespaces", "0", ["opened"]),  # root needs no user namespace
    ],
)
def test_a_machine_that_allows_no_namespaces(limit: str, uid: str, expected: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(FORBIDDEN), limit, uid, OPEN],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode and ("cannot set a limit" in done.stderr or "unshare" in done.stderr):
        pytest.skip("this machine lets nobody set a limit")
    assert done.returncode == 0, done.stderr
    assert all(words in done.stdout for words in expected), done.stdout


@pytest.fixture
def keeper() -> Keeper:
    try:
        return Keeper()
    except LabFault as fault:
        pytest.skip(fault.what)


def test_the_kernels_refusal_names_what_was_asked(keeper: Keeper) -> None:
    keeper.space("s")
    with pytest.raises(LabFault, match="the kernel refused to do nonsense: ") as caught:
        keeper.route("s", [Message("do nonsense", "", 17, 0, bytes(16))])
    assert caught.value.number
    assert keeper.alive
    keeper.close()
    keeper.close()
    assert not keeper.alive
    with pytest.raises(LabFault, match="closed"):
        keeper.leave("s")


def test_a_keeper_that_died_says_its_last_words(keeper: Keeper) -> None:
    with pytest.raises(LabFault, match="keeper is gone: KeyError"):
        keeper.leave("a namespace that is not there")
    assert not keeper.alive
    keeper.close()
