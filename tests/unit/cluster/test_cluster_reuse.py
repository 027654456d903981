"""A new pod with the address of one that has ended: more of them are made until the range comes round."""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

from conformance.cluster.pods import Placed
from conformance.cluster.reuse import EndedPods
from conformance.errors import CannotShow
from conformance.model.world import Phase, Pod

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JOB = Pod("w", "job", {"role": "job"}, phase=Phase.SUCCEEDED, addresses=("10.0.0.1",))
OTHER = Pod("w", "other", {"role": "other"}, address_of="w/job")


class Ring:
    """Pods whose addresses come from a range, one after the other, and from the start again."""

    def __init__(self, size: int) -> None:
        self.numbers = itertools.cycle([*range(2, size + 1), 1])
        self.placed: dict[str, Placed] = {}
        self.deleted: list[str] = []
        self.tries: dict[str, set[tuple[str, ...]]] = defaultdict(set)

    def create(self, pod: Pod, _: Any, from_start: Sequence[str] = ()) -> None:
        self.tries[pod.ref].add(tuple(from_start))
        self.placed[pod.ref] = Placed((f"10.0.0.{next(self.numbers)}",), "node")

    def wait(self, pods: Sequence[Pod], _: Any) -> Mapping[str, Placed]:
        return {pod.ref: self.placed[pod.ref] for pod in pods}

    def delete(self, pod: Pod, _: Any) -> None:
        self.deleted.append(pod.ref)


def test_the_address_is_one_of_pods_like_it_that_have_ended() -> None:
    ring = Ring(size=30)
    ended = EndedPods(ring)  # type: ignore[arg-type]
    placed = ended.address_of(JOB, OTHER)
    alike = {each.addresses for ref, each in ring.placed.items() if ref != OTHER.ref}
    assert placed.addresses in alike | {JOB.addresses}
    ring.deleted.clear()
    ended.forget(JOB.ref)
    assert set(ring.deleted) == set(ring.placed) - {OTHER.ref}
    ended.forget(JOB.ref)
    assert len(ring.deleted) == len(ring.placed) - 1


@pytest.mark.parametrize("size", range(16, 81))
def test_it_comes_round_in_a_range_of_any_size(size: int) -> None:
    """In rounds of always the same size the new pod got none but its own addresses again, with as many free as a multiple of that and one."""
    EndedPods(Ring(size)).address_of(JOB, OTHER)  # type: ignore[arg-type]


def test_a_pod_that_is_made_anew_for_its_address_tries_flows_from_its_start_all_the_same() -> None:
    ring = Ring(size=30)
    EndedPods(ring).address_of(JOB, OTHER, ["10.0.0.9:80/TCP"])  # type: ignore[arg-type]
    assert ring.tries.pop(OTHER.ref) == {("10.0.0.9:80/TCP",)}
    assert set.union(*ring.tries.values()) == {()}


def test_a_range_that_is_too_large_is_not_gone_through() -> None:
    with pytest.raises(CannotShow, match="pods that have ended on one node"):
        EndedPods(Ring(size=100_000)).address_of(JOB, OTHER)  # type: ignore[arg-type]
