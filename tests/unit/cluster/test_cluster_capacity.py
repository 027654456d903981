"""How many arenas a cluster bears."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster.capacity import MOST, borne, borne_in_kind, quickest

PODS = 9


def node(cpu: str, memory: str = "64Gi", pods: str = "110", **spec: Any) -> dict[str, Any]:
    status = {
        "allocatable": {"cpu": cpu, "memory": memory, "pods": pods},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    return {"metadata": {"labels": {"kubernetes.io/hostname": "n"}}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("nodes", "answer", "arenas"),
    [
        ([node("1"), node("2")], 0.01, 6),
        ([node("930m"), node("1930m")], 0.01, 5),
        ([node("500m")], 0.01, 1),
        ([], 0.01, 1),
        ([node("64"), node("64")], 0.01, MOST),
        ([node("2"), node("2", unschedulable=True), node("2", taints=[{"effect": "NoSchedule"}])], 0.01, 4),
        ([node("8")], 0.2, 2),
        ([node("8")], 3.0, 1),
        ([node("8"), node("8")], 0.0, MOST),
    ],
)
def test_arenas_by_the_nodes_cpus_and_by_how_fast_the_api_server_answers(
    nodes: list[dict[str, Any]], answer: float, arenas: int
) -> None:
    assert borne(nodes, answer, PODS) == arenas


@pytest.mark.parametrize(
    ("memory", "pods", "size", "arenas"),
    [
        ("64Gi", "17", PODS, 1),
        ("64Gi", "58", PODS, 4),
        ("3388504Ki", "110", PODS, 3),
        ("4000000000", "110", PODS, 4),
        ("64Gi", "110", 30, 3),
        ("64Gi", "110", 90, 1),
    ],
)
def test_arenas_take_half_of_the_room_for_pods_at_most(memory: str, pods: str, size: int, arenas: int) -> None:
    assert borne([node("64", memory, pods)] * 2, 0.01, size) == arenas


def test_nodes_on_one_machine_have_its_cpus_and_memory_only_once() -> None:
    """Nodes of kind are containers, and each of them says that it has all that the machine has."""
    nodes = [node("2", memory="4Gi"), node("2", memory="4Gi")]
    for each in nodes:
        each["status"]["nodeInfo"] = {"bootID": "of the one kernel"}
    assert borne(nodes, 0.01, PODS) == 2
    for number, each in enumerate(nodes):
        each["status"]["nodeInfo"] = {"bootID": f"of kernel {number}"}
    assert borne(nodes, 0.01, PODS) == 4


def test_arenas_in_a_cluster_that_kind_is_yet_to_make() -> None:
    assert borne_in_kind(2, PODS) == 4
    assert borne_in_kind(64, PODS) == MOST
    assert borne_in_kind(64, 90) == 1


def test_one_late_answer_does_not_make_an_api_server_slow() -> None:
    moments = [0.0]
    late = iter([0.9, 0.3, 0.02, 0.3, 0.9])
    answer = quickest(lambda: moments.append(moments[-1] + next(late)), now=lambda: moments[-1])
    assert answer == pytest.approx(0.02)
