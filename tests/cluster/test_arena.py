"""An arena on a real cluster: what a case may ask of it, and what happens when something breaks."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster.cleanup import cleanup
from conformance.cluster.client import Api, namespace_path
from conformance.cluster.naming import CONTEXT_LABEL, MANAGED_BY, MANAGED_BY_LABEL, RUN_LABEL, Names
from conformance.cluster.options import new_run
from conformance.cluster.streams import open_exec
from conformance.cluster.target import DEFAULT_IMAGE, ClusterTimeouts, KubernetesOptions, KubernetesTarget
from conformance.cluster.waiting import until_none_left
from conformance.errors import ActionFailed, ArenaFailed, ProbeFailed
from conformance.model.case import ApplyPolicy, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.default_world import default_world, servers
from conformance.model.flow import DEFAULT_PROBE, Flow, flows
from conformance.model.matrix import Observed
from conformance.model.policy import Direction, LabelSelector, NetworkPolicy
from conformance.model.world import Namespace, Phase, Pod, Protocol, Server, Service, ServicePort, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from conformance.cluster.arena import KubernetesArena

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("enforcing")]

CONTEXT = os.environ.get("NETPOL_TEST_CONTEXT", "")
IMAGE = os.environ.get("NETPOL_TEST_IMAGE") or DEFAULT_IMAGE
EXTERNAL = tuple(shlex.split(os.environ.get("NETPOL_TEST_EXTERNAL", "")))
RUN = new_run()
SETTLE = 30.0
#: Ends the agent's client in the same pod, as a node's trouble might.
KILL_PROBE = """
import os, signal
for number in filter(str.isdigit, os.listdir('/proc')):
    if open(f'/proc/{number}/cmdline').read().split(chr(0))[3:4] == ['probe']:
        os.kill(int(number), signal.SIGKILL)
"""
#: Brings an arena up and ends as suddenly as a process can.
KILLED_RUN = """
import os, signal, sys
from dataclasses import replace
from conformance.cluster.target import KubernetesOptions, KubernetesTarget
from conformance.model.default_world import default_world
context, image, run, *external = sys.argv[1:]
target = KubernetesTarget(KubernetesOptions(context, image=image, run=run, external_command=tuple(external)))
world = default_world()
target.open_arena(replace(world, pods={"x/a": world.pods["x/a"]}), "killed")
os.kill(os.getpid(), signal.SIGKILL)
"""
STOP_SERVER = "import os, signal; os.kill(1, signal.SIGTERM)"


def options(**changes: Any) -> KubernetesOptions:
    if not CONTEXT:
        pytest.skip("NETPOL_TEST_CONTEXT names no cluster to test on")
    return replace(KubernetesOptions(CONTEXT, image=IMAGE, run=RUN, external_command=EXTERNAL), **changes)


@pytest.fixture(scope="module")
def target() -> Iterator[KubernetesTarget]:
    made = KubernetesTarget(options())
    yield made
    made.close()


@pytest.fixture(scope="module")
def arena(target: KubernetesTarget) -> Iterator[KubernetesArena]:
    opened = target.open_arena(default_world(), "arena")
    yield opened
    opened.close()
    opened.close()


@pytest.fixture
def api() -> Iterator[Api]:
    connected = Api(options().context)
    yield connected
    connected.close()


def policy(spec: dict[str, Any], name: str = "p", namespace: str = "x") -> NetworkPolicy:
    manifest = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"podSelector": {}, **spec},
    }
    return NetworkPolicy(namespace, name, LabelSelector(), frozenset(Direction), manifest=manifest)


def unlike(arena: KubernetesArena, tried: Sequence[Flow], wanted: set[Observed]) -> list[str]:
    """Read until all flows are as wanted; return those that are not."""

    def look() -> list[str]:
        seen = arena.probe(tried, 1.0)
        return [f"{flow}: {each}" for flow, each in seen.items() if each.observed not in wanted]

    return until_none_left(look, SETTLE)


OPEN, CLOSED = {Observed.ALLOWED}, {Observed.DROPPED, Observed.REJECTED}


def into(arena: KubernetesArena, ref: str) -> list[Flow]:
    return [flow for flow in flows(arena.world, DEFAULT_PROBE, external=False) if flow.destination == ref]


def real(short: str) -> str:
    return Names(RUN, "arena").namespace(short)


def execute(api: Api, pod: str, program: str) -> None:
    """Run a program in a pod and wait until it has ended."""
    stream = open_exec(api, real("x"), pod, timeout=20.0, command=("python3", "-c", program))
    with pytest.raises(ProbeFailed):
        stream.receive(20.0)


def test_a_cluster_says_what_it_is(target: KubernetesTarget) -> None:
    described = target.describe()
    assert described.target == "kubernetes"
    assert described.implementation
    assert described.environment["kubernetes"].startswith("v")
    assert int(described.environment["nodes"]) >= 1
    assert described.environment["ip family"].startswith("IPv")


def test_without_policies_everything_connects(arena: KubernetesArena) -> None:
    tried = flows(arena.world, DEFAULT_PROBE, external=False)
    assert len(tried) == 288
    assert unlike(arena, tried, OPEN) == []


def test_every_address_is_known(arena: KubernetesArena) -> None:
    addresses = [pod.addresses[0] for pod in arena.world.pods.values()]
    assert len(set(addresses)) == 9


def test_a_policy_takes_effect_and_ceases_to(arena: KubernetesArena) -> None:
    arena.change([ApplyPolicy(policy({"policyTypes": ["Ingress"]}))])
    try:
        assert unlike(arena, into(arena, "x/a"), CLOSED) == []
        assert unlike(arena, into(arena, "y/a"), OPEN) == []
    finally:
        arena.change([DeletePolicy("x/p")])
    assert unlike(arena, into(arena, "x/a"), OPEN) == []
    arena.change([DeletePolicy("x/p")])


def test_a_policy_is_replaced_in_place_and_what_it_no_longer_says_is_gone(arena: KubernetesArena, api: Api) -> None:
    path = f"/apis/networking.k8s.io/v1/namespaces/{real('x')}/networkpolicies/p"
    arena.change([ApplyPolicy(policy({"ingress": [{}], "egress": [{}], "policyTypes": ["Ingress", "Egress"]}))])
    try:
        first = api.get(path)
        assert unlike(arena, into(arena, "x/a"), OPEN) == []
        arena.change([ApplyPolicy(policy({"policyTypes": ["Ingress"]}))])
        second = api.get(path)
        assert second["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
        assert second["metadata"]["uid"] == first["metadata"]["uid"]
        assert unlike(arena, into(arena, "x/a"), CLOSED) == []
    finally:
        arena.change([DeletePolicy("x/p")])
    assert unlike(arena, into(arena, "x/a"), OPEN) == []


def test_a_policy_that_somebody_else_made_or_removed_is_applied_all_the_same(arena: KubernetesArena, api: Api) -> None:
    collection = f"/apis/networking.k8s.io/v1/namespaces/{real('x')}/networkpolicies"
    api.create(collection, {**policy({}).manifest, "metadata": {"name": "p"}})
    arena.change([ApplyPolicy(policy({"policyTypes": ["Egress"], "egress": [{}]}))])
    assert api.get(f"{collection}/p")["spec"]["policyTypes"] == ["Egress"]
    api.delete(f"{collection}/p")
    arena.change([ApplyPolicy(policy({"policyTypes": ["Egress"], "egress": [{}]}))])
    assert api.exists(f"{collection}/p")
    arena.change([DeletePolicy("x/p")])


def test_a_namespace_is_found_by_the_name_that_the_case_gives_it(arena: KubernetesArena) -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "y"}}}
    arena.change([ApplyPolicy(policy({"policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]}))])
    try:
        tried = into(arena, "x/a")
        assert unlike(arena, [flow for flow in tried if flow.source.startswith("y/")], OPEN) == []
        assert unlike(arena, [flow for flow in tried if flow.source.startswith("z/")], CLOSED) == []
    finally:
        arena.change([DeletePolicy("x/p")])
    assert unlike(arena, into(arena, "x/a"), OPEN) == []


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"policyTypes": ["Sideways"]}, "Unsupported value"),
        ({"ingress": [{"ports": [{"port": 80, "endPort": 79}]}]}, "endPort"),
        ({"inbound": []}, 'unknown field "spec.inbound"'),
    ],
)
def test_a_policy_that_is_not_accepted(arena: KubernetesArena, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ActionFailed, match="policy x/p was not accepted") as caught:
        arena.change([ApplyPolicy(policy(spec))])
    assert words in str(caught.value)


def test_labels_of_a_pod_are_set_and_removed(arena: KubernetesArena, api: Api) -> None:
    before = dict(arena.world.pods["x/a"].labels)
    arena.change([LabelPod("x/a", {"new": "one", "team": None})])
    labels = api.get(namespace_path(real("x"), "pods", "a"))["metadata"]["labels"]
    wanted = {key: value for key, value in before.items() if key != "team"} | {"new": "one"}
    assert labels == {**wanted, RUN_LABEL: RUN}
    assert arena.world.pods["x/a"].labels == wanted
    arena.change([LabelPod("x/a", {"new": None, "team": before["team"]})])
    assert arena.world.pods["x/a"].labels == before


def test_labels_of_a_namespace_are_set_and_removed(arena: KubernetesArena, api: Api) -> None:
    arena.change([LabelNamespace("z", {"team": "red"})])
    assert api.get(namespace_path(real("z")))["metadata"]["labels"]["team"] == "red"
    assert arena.world.namespaces["z"].labels["team"] == "red"
    arena.change([LabelNamespace("z", {"team": None})])
    assert "team" not in api.get(namespace_path(real("z")))["metadata"]["labels"]


def test_what_is_not_there_cannot_be_labelled(arena: KubernetesArena) -> None:
    with pytest.raises(ActionFailed, match="not relabelled"):
        arena.change([LabelNamespace("nowhere", {"a": "b"})])


def test_a_pod_is_replaced_under_the_same_name(arena: KubernetesArena) -> None:
    pod = arena.world.pods["x/b"]
    arena.delete_pod("x/b")
    assert "x/b" not in arena.world.pods
    arena.create_pod(replace(pod, generation=pod.generation + 1, addresses=()))
    assert arena.world.pods["x/b"].addresses
    assert unlike(arena, into(arena, "x/b"), OPEN) == []
    assert (
        unlike(
            arena, [flow for flow in flows(arena.world, DEFAULT_PROBE, external=False) if flow.source == "x/b"], OPEN
        )
        == []
    )


def test_a_namespace_comes_and_goes_with_its_pods(arena: KubernetesArena, api: Api) -> None:
    arena.create_namespace(Namespace("w", {"team": "red"}))
    arena.create_pod(Pod("w", "a", {"pod": "a"}, servers()))
    assert unlike(arena, into(arena, "w/a"), OPEN) == []
    arena.delete_namespace("w")
    assert "w" not in arena.world.namespaces
    assert "w/a" not in arena.world.pods
    assert not api.exists(namespace_path(real("w")))
    arena.create_namespace(Namespace("w"))
    arena.delete_namespace("w")


def test_pods_that_do_not_run_are_made_too(arena: KubernetesArena) -> None:
    phases = (Phase.PENDING, Phase.SUCCEEDED, Phase.FAILED)
    for phase in phases:
        arena.create_pod(Pod("x", phase.lower(), {"phase": phase.lower()}, phase=phase))
    assert [pod.phase for pod in arena.world.pods.values() if pod.phase is not Phase.RUNNING] == list(phases)
    assert len(arena.world.running) == 9
    for phase in phases:
        arena.delete_pod(f"x/{phase.lower()}")


def test_a_service_forwards_to_another_port(arena: KubernetesArena) -> None:
    ports = (ServicePort(8080, 80), ServicePort(8081, "dns", Protocol.UDP))
    arena.create_service(Service("x", "web", {"pod": "a"}, ports))
    tried = [
        Flow("y/b", "web.x.svc", 8080, Protocol.TCP),
        Flow("x/c", "web.x.svc", 8081, Protocol.UDP),
    ]
    assert unlike(arena, tried, OPEN) == []
    arena.delete_service("web.x.svc")
    assert arena.world.services == {}


def test_features_that_are_missing_have_reasons(arena: KubernetesArena) -> None:
    assert all(arena.unsupported.values())
    if not EXTERNAL:
        assert "--netpol-external" in arena.unsupported["external-client"]
        assert "--netpol-external" in arena.unsupported["external-server"]


def test_a_machine_outside_the_cluster_connects_both_ways(arena: KubernetesArena) -> None:
    if not EXTERNAL:
        pytest.skip("NETPOL_TEST_EXTERNAL runs nothing outside the cluster")
    assert not {"external-client", "external-server"} & arena.unsupported.keys()
    tried = [
        flow for flow in flows(arena.world, DEFAULT_PROBE, external=True) if "ext" in {flow.source, flow.destination}
    ]
    assert len(tried) == 72
    assert unlike(arena, tried, OPEN) == []


def test_a_stream_that_breaks_is_opened_again(arena: KubernetesArena, api: Api) -> None:
    assert unlike(arena, into(arena, "x/b"), OPEN) == []
    execute(api, "a", KILL_PROBE)
    seen = arena.probe(
        [flow for flow in flows(arena.world, DEFAULT_PROBE, external=False) if flow.source == "x/a"], 1.0
    )
    assert {each.observed for each in seen.values()} == OPEN


def test_a_server_that_is_not_there_says_nothing_about_the_network(arena: KubernetesArena) -> None:
    pod = arena.world.pods["x/a"]
    arena._world = arena.world.with_pod(replace(pod, servers=(*pod.servers, Server(99, Protocol.TCP))))
    try:
        seen = arena.probe([Flow("y/a", "x/a", 99, Protocol.TCP), Flow("y/a", "x/a", 80, Protocol.TCP)], 1.0)
    finally:
        arena._world = arena.world.with_pod(pod)
    assert [each.observed for each in seen.values()] == [Observed.FAILED, Observed.ALLOWED]
    assert "not proven alive" in next(iter(seen.values())).detail


def test_a_pod_that_crashes_is_failed_until_it_is_back(arena: KubernetesArena, api: Api) -> None:
    tried = [Flow("y/a", "x/c", 80, Protocol.TCP), Flow("x/c", "y/a", 80, Protocol.TCP)]
    allowed = {Observed.ALLOWED, Observed.FAILED}
    for _ in range(2):  # the second time in a row it stays down for ten seconds
        execute(api, "c", STOP_SERVER)
        assert {each.observed for each in arena.probe(tried, 1.0).values()} <= allowed
        assert unlike(arena, tried, OPEN) == []


def test_commands_that_reproduce_a_flow_work_when_they_are_typed(arena: KubernetesArena) -> None:
    deny = policy({"policyTypes": ["Ingress"]}, name="by-hand")
    tried = [Flow("y/a", "x/a", port, protocol) for port, protocol in DEFAULT_PROBE]
    if EXTERNAL:
        tried.append(Flow("x/a", "ext", 80, Protocol.TCP))
    for flow in tried:
        for line in arena.commands(flow, []):
            assert line.count("\n") == 0
            shown = subprocess.run(line, shell=True, capture_output=True, text=True, check=True).stdout
            assert f"{RUN}-arena/{flow.destination}#1 hello" in shown, line
    apply, connect, alive = arena.commands(tried[0], [deny])
    subprocess.run(apply, shell=True, check=True, capture_output=True)
    try:
        assert unlike(arena, tried[:1], CLOSED) == []
        denied = subprocess.run(connect, shell=True, capture_output=True, text=True, check=False)
        assert denied.returncode != 0
        assert "timed out" in denied.stderr or "refused" in denied.stderr
        subprocess.run(alive, shell=True, capture_output=True, check=True)
    finally:
        arena.change([DeletePolicy("x/by-hand")])
    assert unlike(arena, tried[:1], OPEN) == []


def test_a_name_that_is_taken_is_refused_and_left_alone(target: KubernetesTarget, arena: KubernetesArena) -> None:
    with pytest.raises(ArenaFailed, match="already exists"):
        target.open_arena(default_world(), "arena")
    assert unlike(arena, into(arena, "x/a"), OPEN) == []


def small_world() -> World:
    world = default_world()
    return replace(
        world, namespaces={"x": world.namespaces["x"]}, pods={ref: world.pods[ref] for ref in ("x/a", "x/b")}
    )


def test_an_image_that_cannot_be_pulled_is_told_with_a_hint_and_nothing_is_left(api: Api) -> None:
    run = new_run()
    broken = KubernetesTarget(
        options(image="nowhere.invalid/none:v1", run=run, timeouts=ClusterTimeouts(image_pull=1.0))
    )
    with pytest.raises(ArenaFailed) as caught:
        broken.open_arena(small_world(), "broken")
    assert caught.value.message.endswith("did not come up")
    assert ": Pending on " in caught.value.causes[0]
    assert "Image" in caught.value.causes[0]
    assert "--netpol-image" in (caught.value.hint or "")
    assert api.items("/api/v1/namespaces", {"labelSelector": f"{RUN_LABEL}={run}"}) == []


def test_cleanup_removes_what_one_killed_run_left_and_nothing_else(arena: KubernetesArena, api: Api) -> None:
    run = new_run()
    killed = subprocess.run([sys.executable, "-c", KILLED_RUN, CONTEXT, IMAGE, run, *EXTERNAL], check=False)
    assert killed.returncode == -signal.SIGKILL
    removed = cleanup(CONTEXT, run=run)
    assert f"namespace netpol-{run}-killed-x" in removed
    assert api.items("/api/v1/namespaces", {"labelSelector": f"{RUN_LABEL}={run}"}) == []
    if EXTERNAL[:2] == ("docker", "run"):
        listing = ["docker", "ps", "--all", "--quiet", "--filter", f"label={RUN_LABEL}={run}"]
        assert subprocess.run(listing, capture_output=True, check=True).stdout == b""
    assert cleanup(CONTEXT, run=run) == ()
    assert unlike(arena, into(arena, "x/a"), OPEN) == []


def test_a_container_that_a_killed_run_left_is_removed_by_its_labels(api: Api) -> None:
    if EXTERNAL[:2] != ("docker", "run"):
        pytest.skip("the machine outside is no container of this one")
    run = new_run()
    labels = [f"{MANAGED_BY_LABEL}={MANAGED_BY}", f"{RUN_LABEL}={run}", f"{CONTEXT_LABEL}={api.context}"]
    words = [word for label in labels for word in ("--label", label)]
    start = ["docker", "run", "--detach", "--name", f"netpol-{run}-ext", *words, IMAGE, "sleep", "600"]
    subprocess.run(start, check=True, capture_output=True)
    assert cleanup(CONTEXT, run=run) == (f"container netpol-{run}-ext",)


def test_closing_an_arena_leaves_nothing(target: KubernetesTarget, api: Api) -> None:
    opened = target.open_arena(small_world(), "short")
    opened.close()
    prefix = f"netpol-{RUN}-short-"
    names = [each["metadata"]["name"] for each in api.items("/api/v1/namespaces")]
    assert not [name for name in names if name.startswith(prefix)]
