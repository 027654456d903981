"""Which cases are whose, by laws: each is somebody's and nobody else's, and nobody has much more than others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from conformance.model.case import Case, Step, Tier
from conformance.model.shard import Shard, cost

if TYPE_CHECKING:
    from hypothesis.strategies import DataObject


def case(name: str, steps: int = 1, hold: float = 0.0) -> Case:
    return Case(
        name, "A pod MUST.", "https://example.org", Tier.CORE, tuple(Step("s", hold=hold) for _ in range(steps))
    )


CASES = st.lists(
    st.builds(case, st.from_regex(r"[A-Z0-9]{4}(-[a-z]{1,3})?", fullmatch=True), st.integers(1, 6), st.floats(0, 10)),
    unique_by=lambda each: each.id,
    max_size=40,
)
COUNTS = st.integers(1, 9)


def dealt(cases: list[Case], count: int) -> list[frozenset[str]]:
    return [Shard(number, count).of(cases) for number in range(1, count + 1)]


@given(CASES, COUNTS)
def test_each_case_is_in_exactly_one_shard(cases: list[Case], count: int) -> None:
    assert sorted(name for shard in dealt(cases, count) for name in shard) == sorted(each.id for each in cases)


@given(CASES, COUNTS, st.data())
def test_what_was_collected_first_makes_no_difference(cases: list[Case], count: int, data: DataObject) -> None:
    assert dealt(data.draw(st.permutations(cases)), count) == dealt(cases, count)


@given(CASES, COUNTS)
def test_no_shard_costs_more_than_another_by_more_than_one_case(cases: list[Case], count: int) -> None:
    costs = {each.id: cost(each) for each in cases}
    sums = [sum(costs[name] for name in shard) for shard in dealt(cases, count)]
    assert max(sums) - min(sums) <= max(costs.values(), default=0) + 1e-9


def test_rows_of_one_table_are_split() -> None:
    rows = [case(f"XG22-row{number}") for number in range(4)]
    assert dealt(rows, 2) == [{"XG22-row0", "XG22-row2"}, {"XG22-row1", "XG22-row3"}]


def test_what_holds_long_is_alone() -> None:
    assert dealt([case("AAAA"), case("BBBB"), case("CCCC", hold=5)], 2) == [{"CCCC"}, {"AAAA", "BBBB"}]
