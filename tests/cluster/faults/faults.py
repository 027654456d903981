"""What can go wrong while the suite runs on a cluster, each made to happen, and put right again."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

from api_proxy import Trouble
from scene import RUN_LABEL, NothingThere

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scene import Scene

_STUCK = "netpol-conformance.test/stuck"


def streams_cut(scene: Scene) -> None:
    if not scene.proxy.cut_streams():
        raise NothingThere("no streams")


def _troubled(seconds: float, trouble: Trouble) -> Callable[[Scene], None]:
    return lambda scene: scene.proxy.trouble(seconds, trouble)


def pod_deleted(scene: Scene) -> None:
    namespace, name, _ = scene.a_pod()
    scene.kubectl("delete", "pod", "-n", namespace, name, "--wait=false")


def pod_evicted(scene: Scene) -> None:
    namespace, name, _ = scene.a_pod()
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": namespace}}
    path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
    scene.kubectl("create", "--raw", path, "-f", "-", text=json.dumps(eviction), check=False)


def agent_killed(scene: Scene) -> None:
    """As the kernel does where the memory of a container is used up."""
    namespace, name, node = scene.a_pod()
    scene.on(node, f"pkill -9 -f 'serve --identity [^ ]*{namespace.rpartition('-')[2]}/{name}'")


def disk_full(scene: Scene) -> None:
    if not scene.has_disk:
        raise NothingThere("the record is on no disk of its own")
    filler = scene.report / "filler"
    scene.later(scene.random.uniform(1, 20), lambda: filler.unlink(missing_ok=True))
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return


def clock_set(scene: Scene) -> None:
    """The clock of the machine that the suite runs on jumps by an hour, and back after a while."""
    scene.later(20, lambda: scene.set_clock(0))
    scene.set_clock(scene.random.choice((3600, -3600)))


def interrupted_twice(scene: Scene) -> None:
    scene.signal(signal.SIGINT)
    time.sleep(scene.random.uniform(0.1, 3.0))
    scene.signal(signal.SIGINT)


def kubelet_stopped(scene: Scene) -> None:
    node = scene.random.choice(scene.nodes(control_plane=False))
    scene.later(30, lambda: scene.on(node, "systemctl start kubelet"))
    scene.on(node, "systemctl stop kubelet")


def api_server_restarted(scene: Scene) -> None:
    (node, *_) = scene.nodes(control_plane=True)
    scene.on(node, "crictl stop --timeout 1 $(crictl ps -q --name kube-apiserver)")


def agent_restarted(scene: Scene) -> None:
    namespace, name = _implementation(scene)
    pods = [each for each in scene.items("pods", "-n", namespace) if _owner(each) == name]
    if not pods:
        raise NothingThere("its agents are gone already")
    scene.kubectl("delete", "pod", "-n", namespace, scene.random.choice(pods)["metadata"]["name"], "--wait=false")


def agent_gone(scene: Scene) -> None:
    """For as long as a case may take, and longer."""
    namespace, name = _implementation(scene)

    def select(value: str | None) -> None:
        patch = {"spec": {"template": {"spec": {"nodeSelector": {"netpol-conformance.test/nowhere": value}}}}}
        scene.kubectl("patch", "daemonset", "-n", namespace, name, "--type=merge", "-p", json.dumps(patch), check=False)

    def back() -> None:
        select(None)
        scene.kubectl("rollout", "status", "daemonset", "-n", namespace, name, "--timeout=180s", check=False)

    scene.later(60, back)
    select("yes")


def namespace_stuck(scene: Scene) -> None:
    """A namespace that goes on terminating, since somebody's finalizer holds it."""
    found = scene.items("namespaces", "-l", f"{RUN_LABEL}={scene.run}")
    if not found:
        raise NothingThere("no namespaces")
    name = scene.random.choice(found)["metadata"]["name"]
    held = [json.dumps({"metadata": {"finalizers": each}}) for each in ([_STUCK], None)]
    scene.later(60, lambda: scene.kubectl("patch", "namespace", name, "--type=merge", "-p", held[1], check=False))
    scene.kubectl("patch", "namespace", name, "--type=merge", "-p", held[0])
    scene.kubectl("delete", "namespace", name, "--wait=false")


def dns_down(scene: Scene) -> None:
    scale = ("scale", "deployment", "-n", "kube-system", "coredns")
    scene.later(60, lambda: scene.kubectl(*scale, "--replicas=2", check=False))
    scene.kubectl(*scale, "--replicas=0")


def _implementation(scene: Scene) -> tuple[str, str]:
    for each in scene.items("daemonsets", "-A"):
        if each["metadata"]["name"] in {"calico-node", "cilium"}:
            return each["metadata"]["namespace"], each["metadata"]["name"]
    raise NothingThere("no implementation")


def _owner(pod: Mapping[str, Any]) -> str:
    owners = pod["metadata"].get("ownerReferences") or [{}]
    return str(owners[0].get("name", ""))


#: What befalls the way to the API server, the probe pods, their nodes, the implementation, and the suite itself.
FAULTS: Mapping[str, Callable[[Scene], None]] = {
    "streams are cut": streams_cut,
    "the API server is away for 3 s": _troubled(3, Trouble(away=True)),
    "the API server throttles for 3 s": _troubled(3, Trouble(status=429)),
    "the API server fails for 2 s": _troubled(2, Trouble(status=500)),
    "the API server takes 2 s for each request": _troubled(10, Trouble(delay=2.0)),
    "the token is not accepted for 3 s": _troubled(3, Trouble(status=401)),
    "the API server is restarted": api_server_restarted,
    "a probe pod is deleted": pod_deleted,
    "a probe pod is evicted": pod_evicted,
    "a probe pod's agent is killed": agent_killed,
    "a kubelet is stopped": kubelet_stopped,
    "an agent of the implementation is restarted": agent_restarted,
    "the implementation's agents are gone": agent_gone,
    "a namespace is stuck in termination": namespace_stuck,
    "DNS is down": dns_down,
    "the disk of the record is full": disk_full,
    "the clock is set": clock_set,
    "Ctrl-C": lambda scene: scene.signal(signal.SIGINT),
    "Ctrl-C twice": interrupted_twice,
    "SIGTERM": lambda scene: scene.signal(signal.SIGTERM),
    "SIGKILL": lambda scene: scene.kill(),
}
