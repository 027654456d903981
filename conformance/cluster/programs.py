"""Running the programs of others: `kind`, `kubectl` and the local engine, from the PATH."""

from __future__ import annotations

import shutil
import subprocess

from conformance.errors import TargetUnavailable

KIND, KUBECTL, ENGINE, HELM = "kind", "kubectl", "docker", "helm"

_WHERE = {
    KIND: "https://kind.sigs.k8s.io/docs/user/quick-start/#installation",
    KUBECTL: "https://kubernetes.io/docs/tasks/tools/",
    HELM: "https://helm.sh/docs/intro/install/",
    ENGINE: "https://docs.docker.com/engine/install/",
}
_TAIL_LINES = 12


def require(*programs: str) -> None:
    """Refuse to go on without programs that are needed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise TargetUnavailable(
            f"{' and '.join(missing)} {'are' if len(missing) > 1 else 'is'} not on the PATH",
            hint="; ".join(f"{program}: {_WHERE[program]}" for program in missing),
        )


def run(doing: str, *command: str, timeout: float, hint: str | None = None) -> str:
    """Run a program and return what it printed; TargetUnavailable with the end of what it complained about."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise TargetUnavailable(f"{doing} took longer than {timeout:g} s", causes=(" ".join(command),)) from error
    except OSError as error:
        raise TargetUnavailable(f"{doing} failed", causes=(f"{command[0]}: {error.strerror}",)) from error
    if done.returncode:
        lines = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise TargetUnavailable(f"{doing} failed", causes=[f"`{' '.join(command)}`:", *lines[-_TAIL_LINES:]], hint=hint)
    return done.stdout


def succeeds(*command: str, timeout: float) -> bool:
    """Run a program of which only the answer yes or no is wanted."""
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=timeout).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
