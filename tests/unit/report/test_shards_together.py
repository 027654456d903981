"""The records of a run's shards, put together: what an unsharded run would have left, or everything that speaks against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_lines import case, header

from conformance.errors import RecordError
from conformance.model.record import Footer, Record
from conformance.report.shards import put_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model.record import CaseLine

CASES = tuple(
    case(id=name, path=f"cases/{name}.yaml", verdict=verdict)
    for name, verdict in (("AAAA", "pass"), ("BBBB", "fail"), ("CCCC", "pass"), ("DDDD", "error"))
)


def end(lines: Sequence[CaseLine], seconds: float = 60.0, ended: str = "2026-11-23T19:01:00+00:00") -> Footer:
    verdicts = [line["verdict"] for line in lines]
    counts = {verdict: verdicts.count(verdict) for verdict in sorted(set(verdicts))}
    return Footer(type="footer", verdicts=counts, seconds=seconds, ended=ended)


def shard(number: int, lines: Sequence[CaseLine], *, count: int = 2, total: int = len(CASES), **changes: Any) -> Record:
    head = header(cases=total, shard={"number": number, "count": count, "cases": len(lines)}, **changes)
    return Record(head, tuple(lines), end(lines))


def two(**changes: Any) -> dict[str, Record]:
    """Return two shards that make a run, but for what is changed in the second."""
    return {"one": shard(1, CASES[::2]), "two": shard(2, CASES[1::2], **changes)}


def refused(records: dict[str, Record], *, partial: bool = False) -> list[str]:
    with pytest.raises(RecordError, match="do not make one run") as told:
        put_together(records, partial=partial)
    return list(told.value.causes)


def test_together_they_are_the_record_of_an_unsharded_run() -> None:
    assert put_together(two()) == Record(header(cases=4), CASES, end(CASES))


@given(st.permutations(CASES), st.integers(1, 6))
def test_however_the_cases_were_split_the_record_is_the_same(cases: list[CaseLine], count: int) -> None:
    parts = [shard(number, cases[number - 1 :: count], count=count) for number in range(1, count + 1)]
    records = {str(number): each for number, each in enumerate(parts) if each.cases}  # an empty shard leaves none
    assert put_together(records) == Record(header(cases=4), CASES, end(CASES))


def test_it_began_with_the_first_and_ended_with_the_last() -> None:
    records = two(started="2026-11-23T18:59:00+00:00")
    late = Record(records["one"].header, records["one"].cases, end(CASES[::2], ended="2026-11-23T20:05:00+01:00"))
    whole = put_together({**records, "one": late})
    assert whole.footer is not None
    assert whole.header["started"] == "2026-11-23T18:59:00+00:00"
    assert (whole.footer["ended"], whole.footer["seconds"]) == ("2026-11-23T20:05:00+01:00", 360.0)


def test_options_that_only_say_where_it_ran_may_differ() -> None:
    here = {"target": "kubernetes", "context": "here", "report": "report", "shard": "1/2"}
    there = {"target": "kubernetes", "context": "in-cluster", "run": "abc", "report": "report", "shard": "job/2"}
    whole = put_together(
        {"one": shard(1, CASES[::2], options=here), "two": shard(2, CASES[1::2], options=there)},
    )
    assert whole.header["options"] == {"target": "kubernetes", "report": "report"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"suite_version": "1.2.4"}, "suite version: 1.2.3 in one, 1.2.4 in two"),
        ({"case_set": "f" * 16}, f"case set: 0123456789abcdef in one, {'f' * 16} in two"),
        ({"target": "netns"}, "target: kind in one, netns in two"),
        ({"implementation": "cilium"}, "implementation: calico in one, cilium in two"),
        ({"implementation_version": ""}, "implementation version: v3.32.0 in one, none in two"),
        ({"environment": {"kubernetes": "v1.35.0"}}, "environment, kubernetes: v1.36.0 in one, v1.35.0 in two"),
        ({"environment": {}}, "environment, kubernetes: v1.36.0 in one, none in two"),
        ({"unsupported": {}}, "unsupported features: sctp in one, none in two"),
        ({"options": {"waivers": "known.yaml"}}, "option waivers: none in one, known.yaml in two"),
        ({"count": 3}, "number of shards: 2 in one, 3 in two"),
    ],
)
def test_what_is_of_another_run_is_refused(changes: dict[str, Any], told: str) -> None:
    assert refused(two(**changes)) == [told]
    assert refused(two(**changes), partial=True) == [told]


def test_why_a_feature_is_not_supported_may_be_told_in_other_words() -> None:
    assert put_together(two(unsupported={"sctp": "node b has none"})).header["unsupported"] == {
        "sctp": "the kernel has none"
    }


def test_everything_that_differs_is_told_at_once() -> None:
    assert len(refused(two(suite_version="2.0.0", target="netns", environment={}))) == 3


def test_the_record_of_a_whole_run_is_refused() -> None:
    whole = Record(header(cases=4), CASES, end(CASES))
    assert refused({**two(), "three": whole}) == ["three is of a whole run, and not of a shard"]
    assert refused({"three": whole}) == ["three is of a whole run, and not of a shard"]


def test_a_shard_that_is_there_twice_is_refused() -> None:
    assert refused({**two(), "again": two()["two"]}, partial=True) == ["shard 2/2 is there 2 times: two, again"]


def test_a_case_in_two_shards_is_refused() -> None:
    records = {"one": shard(1, CASES[:2]), "two": shard(2, CASES[1:3])}
    assert refused(records, partial=True) == ["case BBBB is there 2 times: one, two"]


def test_a_missing_shard_is_refused_unless_a_part_is_asked_for() -> None:
    records = {"two": two()["two"]}
    assert refused(records) == ["the shards have 2 of 4 cases; those that are not there: 1/2"]
    part = put_together(records, partial=True)
    assert part == Record(header(cases=4), CASES[1::2], None)


def test_a_shard_that_was_cut_off_is_refused_unless_a_part_is_asked_for() -> None:
    records = two()
    records["one"] = Record(records["one"].header, CASES[:1], None)
    assert refused(records) == ["one was cut off: 1 of 2 cases, and no footer"]
    assert put_together(records, partial=True) == Record(header(cases=4), (CASES[0], CASES[1], CASES[3]), None)


def test_without_its_footer_a_shard_is_not_whole() -> None:
    records = two()
    records["one"] = Record(records["one"].header, records["one"].cases, None)
    assert put_together(records, partial=True) == Record(header(cases=4), CASES, None)


def test_a_part_that_is_whole_is_whole() -> None:
    assert put_together(two(), partial=True) == put_together(two())
