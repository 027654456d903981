"""The default world has what the cases count on; docs/writing-cases.md tells authors the same."""

from __future__ import annotations

from conformance.model.default_world import PORTS, default_world
from conformance.model.world import Protocol

WORLD = default_world()


def test_every_namespace_has_pods_on_both_workers() -> None:
    for name in WORLD.namespaces:
        assert {pod.node for pod in WORLD.pods.values() if pod.namespace == name} == {0, 1}


def test_every_worker_has_pods_of_the_same_and_of_other_namespaces() -> None:
    for node in (0, 1):
        here = [pod.namespace for pod in WORLD.pods.values() if pod.node == node]
        assert set(here) == set(WORLD.namespaces)
        assert len(here) > len(set(here))


def test_a_key_is_shared_by_pods_and_namespaces_and_absent_from_one_of_each() -> None:
    assert [name for name, each in WORLD.namespaces.items() if "team" not in each.labels] == ["z"]
    assert {pod.name for pod in WORLD.pods.values() if "team" not in pod.labels} == {"c"}
    assert {each.labels["team"] for each in WORLD.namespaces.values() if "team" in each.labels} == {
        pod.labels["team"] for pod in WORLD.pods.values() if "team" in pod.labels
    }


def test_pods_of_one_name_are_twins() -> None:
    for name in "abc":
        twins = [pod for pod in WORLD.pods.values() if pod.name == name]
        assert len(twins) == 3
        assert all(pod.labels == twins[0].labels and pod.servers == twins[0].servers for pod in twins)


def test_names_of_ports_mean_different_numbers() -> None:
    meaning = {
        pod.ref: {(each.name, each.protocol): each.port for each in pod.servers if each.name}
        for pod in WORLD.pods.values()
    }
    http = ("http", Protocol.TCP)
    assert (meaning["x/a"][http], meaning["x/b"][http], meaning["x/c"].get(http)) == (80, 81, None)


def test_everybody_serves_every_port() -> None:
    for owner in (*WORLD.pods.values(), *WORLD.endpoints.values()):
        served = {(each.port, each.protocol) for each in owner.servers}
        assert served >= {(port, protocol) for port in PORTS for protocol in (Protocol.TCP, Protocol.UDP)}
