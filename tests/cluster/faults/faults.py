"""What can go wrong on a cluster while the suite runs on it, each made to happen, and put right again."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from api_proxy import ApiProxy, Trouble

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

_RUN_LABEL = "netpol-conformance/run"
_STUCK = "netpol-conformance.test/stuck"


class NothingThere(Exception):
    """There is nothing yet, or no more, that this fault could befall."""


@dataclass
class Scene:
    """A run on a cluster, and the way to it."""

    context: str
    proxy: ApiProxy
    run: str
    random: random.Random
    #: What puts things right again, each with the moment from which on it does.
    undo: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["kubectl", "--context", self.context, "--request-timeout=20s", *arguments],
            text=True, capture_output=True, check=False,
        )  # fmt: skip
        if check and done.returncode:
            raise NothingThere(done.stderr)
        return done.stdout

    def items(self, *arguments: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", *arguments, "-o", "json"))["items"]
        return found

    def on(self, node: str, command: str) -> None:
        subprocess.run(["docker", "exec", node, "sh", "-c", command], capture_output=True, check=False)

    def a_pod(self) -> tuple[str, str, str]:
        """Return the namespace, the name and the node of some probe pod of the run."""
        pods = [
            each for each in self.items("pods", "-A", "-l", f"{_RUN_LABEL}={self.run}") if each["spec"].get("nodeName")
        ]
        if not pods:
            raise NothingThere("no probe pods")
        chosen = self.random.choice(pods)
        return chosen["metadata"]["namespace"], chosen["metadata"]["name"], chosen["spec"]["nodeName"]

    def a_worker(self) -> str:
        return self.random.choice(self.nodes(control_plane=False))

    def nodes(self, *, control_plane: bool) -> list[str]:
        role = "node-role.kubernetes.io/control-plane"
        return [
            each["metadata"]["name"]
            for each in self.items("nodes")
            if (role in each["metadata"]["labels"]) is control_plane
        ]

    def later(self, seconds: float, undo: Callable[[], object]) -> None:
        self.undo.append((time.monotonic() + seconds, undo))

    def put_right(self, *, everything: bool = False) -> None:
        """Put right whose time has come, or everything."""
        due = [each for each in self.undo if everything or each[0] <= time.monotonic()]
        for each in due:
            self.undo.remove(each)
            each[1]()


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
    subprocess.run(
        ["kubectl", "--context", scene.context, "create", "--raw", path, "-f", "-"],
        input=json.dumps(eviction), text=True, capture_output=True, check=False,
    )  # fmt: skip


def pod_killed(scene: Scene) -> None:
    """As the kernel does that has no memory left."""
    namespace, name, node = scene.a_pod()
    scene.on(node, f"pkill -9 -f 'serve --identity [^ ]*{namespace.rpartition('-')[2]}/{name}'")


def kubelet_stopped(scene: Scene) -> None:
    node = scene.a_worker()
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
    found = scene.items("namespaces", "-l", f"{_RUN_LABEL}={scene.run}")
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


#: What befalls the way to the API server, the probe pods, their nodes, and the implementation.
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
    "a probe pod's agent is killed": pod_killed,
    "a kubelet is stopped": kubelet_stopped,
    "an agent of the implementation is restarted": agent_restarted,
    "the implementation's agents are gone": agent_gone,
    "a namespace is stuck in termination": namespace_stuck,
    "DNS is down": dns_down,
}


@dataclass(frozen=True)
class Outcome:
    """What came of a run with faults. `false` are verdicts that differ from those of a run without, and are neither errors nor unsupported."""

    injected: tuple[str, ...]
    verdicts: Mapping[str, str]
    false: Mapping[str, str]
    reasons: tuple[str, ...]
    hung: bool
    left: tuple[str, ...]
    output: str


def leftovers(context: str, run: str) -> tuple[str, ...]:
    listing = subprocess.run(
        ["kubectl", "--context", context, "get", "namespaces", "-l", f"{_RUN_LABEL}={run}", "-o", "name"],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    return tuple(listing.stdout.split())


def wait_for(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True
