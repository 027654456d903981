"""Why a pod or a namespace is not what it should be, in one line each. Pure functions of objects that were read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.model.world import Phase

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Reasons for which a container is not started and will not be, however long one waits.
_HOPELESS = frozenset({"InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError", "CreateContainerError"})
#: Reasons that may pass, such as a registry's hiccup, but seldom do.
_IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "RegistryUnavailable", "ImageInspectError"})
_RESTARTS = 3
_MIRROR = "name an image that the nodes can pull, such as a mirror of it, with --netpol-image"
_HINTS = {
    **dict.fromkeys((*_IMAGE, "InvalidImageName", "ErrImageNeverPull"), _MIRROR),
    "Unschedulable": "the pods need a Linux node without taints on which 10m of CPU and 32Mi of memory are free",
    "CrashLoopBackOff": "the image needs a python3 (3.8 or later) on its PATH; name another one with --netpol-image",
    "RunContainerError": "the image needs a python3 (3.8 or later) on its PATH; name another one with --netpol-image",
    "CreateContainerError": "the node's container runtime says why; its own log says more",
    "FailedCreatePodSandBox": "the network plugin did not connect the pod; its agent's log on that node says why",
    "SysctlForbidden": "the kubelets must allow the safe sysctl net.ipv4.ip_unprivileged_port_start",
}


def is_up(pod: Mapping[str, Any], wanted: Phase) -> bool:
    """Whether a pod is in the phase that it is meant for; a running one also needs its container and its address."""
    status = pod.get("status", {})
    if wanted is not Phase.RUNNING:
        return bool(status.get("phase") == wanted)
    return (
        status.get("phase") == Phase.RUNNING
        and bool(status.get("podIPs"))
        and all("running" in each.get("state", {}) for each in status.get("containerStatuses") or [{}])
    )


def reasons(pod: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the reasons, in Kubernetes' own words, for which a pod is not up."""
    return tuple(reason for reason, _ in _problems(pod))


def is_hopeless(pod: Mapping[str, Any]) -> bool:
    return bool(_HOPELESS.intersection(reasons(pod)))


def is_crashing(pod: Mapping[str, Any]) -> bool:
    """Whether a container that is meant to stay up was started again and again."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return any(each.get("restartCount", 0) >= _RESTARTS for each in statuses)


def lacks_image(pod: Mapping[str, Any]) -> bool:
    return bool(_IMAGE.intersection(reasons(pod)))


def describe(pod: Mapping[str, Any], events: Iterable[Mapping[str, Any]] = ()) -> str:
    """Say where a pod stands and why it does not go on; `events` are those about it."""
    status = pod.get("status", {})
    node = pod.get("spec", {}).get("nodeName")
    parts = [str(status.get("phase", "unknown")) + (f" on {node}" if node else "")]
    parts += [f"{reason}: {message}" if message else reason for reason, message in _problems(pod)]
    warnings = {event["reason"]: event.get("message", "") for event in events if event.get("type") == "Warning"}
    known = set(reasons(pod))
    parts += [f"{reason}: {message}" for reason, message in warnings.items() if reason not in known]
    return "; ".join(" ".join(part.split()) for part in parts)


def hint(causes: Sequence[str]) -> str | None:
    """Return what to do about the first of these descriptions that something is known about."""
    return next((text for cause in causes for reason, text in _HINTS.items() if reason in cause), None)


def remaining(namespace: Mapping[str, Any]) -> str:
    """Say what keeps a namespace that is being deleted from being gone."""
    conditions = namespace.get("status", {}).get("conditions") or ()
    messages = [each.get("message", "") for each in conditions if each.get("status") == "True"]
    return "; ".join(message for message in messages if message) or "it is still being deleted"


def _problems(pod: Mapping[str, Any]) -> list[tuple[str, str]]:
    status = pod.get("status", {})
    found = [(status["reason"], status.get("message", ""))] if status.get("reason") else []
    found += [
        (each.get("reason", ""), each.get("message", ""))
        for each in status.get("conditions") or ()
        if each.get("type") == "PodScheduled" and each.get("status") == "False"
    ]
    for each in status.get("containerStatuses") or ():
        waiting, terminated = each.get("state", {}).get("waiting"), each.get("lastState", {}).get("terminated")
        terminated = each.get("state", {}).get("terminated") or terminated
        if waiting:
            found.append((waiting.get("reason", "Waiting"), waiting.get("message", "")))
        if terminated:
            exit_code = terminated.get("exitCode")
            found.append(
                (terminated.get("reason", "Terminated"), terminated.get("message") or f"exit code {exit_code}")
            )
    return [(reason, message) for reason, message in found if reason]
