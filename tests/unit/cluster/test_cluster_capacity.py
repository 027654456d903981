"""How many arenas a cluster bears."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster.capacity import MOST, borne, quickest


def node(cpu: str, **spec: Any) -> dict[str, Any]:
    status = {"allocatable": {"cpu": cpu}, "conditions": [{"type": "Ready", "status": "True"}]}
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
        ([node("8")], 0.0, MOST),
    ],
)
def test_arenas_by_the_nodes_cpus_and_by_how_fast_the_api_server_answers(
    nodes: list[dict[str, Any]], answer: float, arenas: int
) -> None:
    assert borne(nodes, answer) == arenas


def test_one_late_answer_does_not_make_an_api_server_slow() -> None:
    moments = [0.0]
    late = iter([0.9, 0.3, 0.02, 0.3, 0.9])
    answer = quickest(lambda: moments.append(moments[-1] + next(late)), now=lambda: moments[-1])
    assert answer == pytest.approx(0.02)
