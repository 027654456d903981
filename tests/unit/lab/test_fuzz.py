"""Random policies on miniatures: what is right passes, what is wrong is found and made small."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.load import load_text
from conformance.lab.fuzz.drawing import draw
from conformance.lab.fuzz.expecting import with_expectations
from conformance.lab.fuzz.run import fuzz
from conformance.lab.fuzz.shrinking import shrunk
from conformance.lab.miniatures.registry import make
from conformance.model.verdict import Verdict
from conformance.runner.session import Rules, Session

if TYPE_CHECKING:
    from conformance.lab.fuzz.run import Finding

_MOST = 120
AT_ONCE = Rules(timeouts={"settle": 0.0, "labels": 0.0})


def found(name: str, seed: int = 3) -> Finding:
    samples = fuzz([Session(make(name), AT_ONCE)], name, seed=seed, goes_on=lambda done: done < _MOST)
    return next(sample.finding for sample in samples if sample.finding is not None)


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    samples = list(fuzz([Session(make("perfect"), AT_ONCE)], "perfect", seed=5, goes_on=lambda done: done < 40))
    assert {sample.verdict for sample in samples} == {Verdict.PASS}
    assert len(samples) > 30


def test_sessions_share_the_samples() -> None:
    sessions = [Session(make("perfect"), AT_ONCE) for _ in range(3)]
    samples = list(fuzz(sessions, "perfect", seed=5, goes_on=lambda begun: begun < 30))
    alone = list(fuzz(sessions[:1], "perfect", seed=5, goes_on=lambda begun: begun < 30))
    assert sorted(sample.number for sample in samples) == [sample.number for sample in alone]


def test_who_stops_listening_ends_it() -> None:
    samples = fuzz([Session(make("perfect"), AT_ONCE)], "perfect", seed=5, goes_on=lambda _: True)
    assert next(samples).number == 1
    samples.close()


@pytest.mark.parametrize(
    "name",
    ["keeps-rules", "ignores-except", "isolates-both", "either-selector", "in-first-value", "name-is-one-number"],
)
def test_a_defect_is_found_and_made_small(name: str) -> None:
    finding = found(name)
    assert finding.policies <= 2
    assert finding.rules <= 3
    (case,) = load_text(finding.text, "found.yaml")
    assert Session(make(name), AT_ONCE).run(case).verdict is Verdict.FAIL
    assert Session(make("perfect"), AT_ONCE).run(case).verdict is Verdict.PASS
    assert finding.text.startswith(f"# Found by fuzzing {name} with seed 3, sample ")
    assert f": {finding.flow} must be {finding.expected}" in finding.text


def test_a_sample_is_drawn_again_by_its_seed_and_its_number() -> None:
    first, again = (
        [sample.number for sample in fuzz([Session(make("perfect"), AT_ONCE)], "perfect", seed=9, start=7, goes_on=lambda done: done < 4)]
        for _ in range(2)
    )  # fmt: skip
    assert first == again
    assert draw(Random("9:8")) == draw(Random("9:8")) != draw(Random("9:9"))


def test_what_is_left_out_is_what_is_not_needed() -> None:
    raw = with_expectations(draw(Random("3:1")))
    small = shrunk(raw, lambda tried: bool(tried["steps"][0].get("apply")))
    assert [list(step) for step in small["steps"]] == [["name", "apply"]]
    assert len(small["steps"][0]["apply"]) == 1
    assert small["steps"][0]["apply"][0]["spec"] == {"podSelector": {}}
