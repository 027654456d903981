"""Why a pod or a namespace is not what it should be."""

from __future__ import annotations

from typing import Any

from conformance.cluster import diagnosis
from conformance.model.world import Phase


def pod(phase: str = "Pending", **status: Any) -> dict[str, Any]:
    return {"spec": {"nodeName": "worker"}, "status": {"phase": phase, **status}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return pod(containerStatuses=[{"state": {"waiting": {"reason": reason, "message": message}}}])


def test_a_pod_is_up_when_its_container_runs_and_it_has_an_address() -> None:
    running = pod("Running", podIPs=[{"ip": "10.0.0.1"}], containerStatuses=[{"state": {"running": {}}}])
    assert diagnosis.is_up(running, Phase.RUNNING)
    assert not diagnosis.is_up(pod("Running", podIPs=[{"ip": "10.0.0.1"}]), Phase.RUNNING)
    assert not diagnosis.is_up(pod("Running", containerStatuses=[{"state": {"running": {}}}]), Phase.RUNNING)
    assert not diagnosis.is_up({}, Phase.RUNNING)


def test_other_phases_are_reached_as_such() -> None:
    assert diagnosis.is_up(pod("Succeeded"), Phase.SUCCEEDED)
    assert not diagnosis.is_up(pod("Running"), Phase.SUCCEEDED)


def test_an_image_that_cannot_be_pulled_is_told_with_a_hint() -> None:
    stuck = waiting("ImagePullBackOff", 'Back-off pulling image "nowhere/none"')
    text = diagnosis.describe(stuck)
    assert text == 'Pending on worker; ImagePullBackOff: Back-off pulling image "nowhere/none"'
    assert diagnosis.lacks_image(stuck)
    assert not diagnosis.is_hopeless(stuck)
    assert "--netpol-image" in (diagnosis.hint([text]) or "")


def test_an_image_s_name_that_is_none_is_hopeless_at_once() -> None:
    assert diagnosis.is_hopeless(waiting("InvalidImageName"))


def test_a_pod_that_fits_nowhere_says_why() -> None:
    message = "0/3 nodes are available: 3 Insufficient cpu."
    unscheduled = pod(
        conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    )
    text = diagnosis.describe(unscheduled)
    assert f"Unschedulable: {message}" in text
    assert "CPU" in (diagnosis.hint([text]) or "")


def test_a_container_that_crashes_shows_how_it_ended() -> None:
    crashed = pod(
        "Running",
        containerStatuses=[
            {
                "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                "lastState": {"terminated": {"reason": "Error", "exitCode": 127}},
            }
        ],
    )
    assert diagnosis.describe(crashed) == "Running on worker; CrashLoopBackOff: back-off 10s; Error: exit code 127"


def test_a_container_that_is_started_again_and_again_is_crashing() -> None:
    assert not diagnosis.is_crashing(pod("Running", containerStatuses=[{"restartCount": 2}]))
    assert diagnosis.is_crashing(pod("Running", containerStatuses=[{"restartCount": 3}]))
    assert not diagnosis.is_crashing({})


def test_events_say_what_the_pod_does_not() -> None:
    events = [
        {"type": "Normal", "reason": "Scheduled", "message": "ok"},
        {"type": "Warning", "reason": "FailedCreatePodSandBox", "message": "plugin type=x failed\n (add)"},
    ]
    text = diagnosis.describe(waiting("ContainerCreating"), events)
    assert text.endswith("FailedCreatePodSandBox: plugin type=x failed (add)")
    assert "network plugin" in (diagnosis.hint([text]) or "")


def test_a_namespace_that_does_not_go_says_what_keeps_it() -> None:
    conditions = [
        {"type": "NamespaceContentRemaining", "status": "True", "message": "pods. has 1 resource instances"},
        {"type": "NamespaceDeletionDiscoveryFailure", "status": "False", "message": "all good"},
    ]
    assert diagnosis.remaining({"status": {"conditions": conditions}}) == "pods. has 1 resource instances"
    assert diagnosis.remaining({}) == "it is still being deleted"
