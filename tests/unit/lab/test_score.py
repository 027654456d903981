"""How good cases are: each on miniatures with a defect, and what a real run says of the same."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.choose import choose
from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases as packaged
from conformance.lab.miniatures.defect import Defect
from conformance.lab.miniatures.registry import DEFECTS, make
from conformance.lab.score.replay import RecordingTarget
from conformance.lab.score.run import score
from conformance.model.score import Mutant, Score, ScoredCase
from conformance.model.verdict import Verdict
from conformance.report.score_text import score_json, score_markdown, score_text
from conformance.runner.session import Rules, Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model.case import Case

AT_ONCE = Rules(timeouts={"settle": 0.0, "labels": 0.0})


@pytest.fixture(scope="module")
def catalogue() -> Sequence[Case]:
    return load_cases(list(find([packaged()])))


def test_what_is_seen_in_a_replay_is_what_a_run_says(catalogue: Sequence[Case]) -> None:
    """For any case and any defect, also for those that it does not find."""
    chance = random.Random(7)
    verdicts = []
    for case in chance.sample(catalogue, 40):
        target = RecordingTarget()
        if Session(target, AT_ONCE).run(case).verdict is not Verdict.PASS:
            continue
        for name in chance.sample(sorted(DEFECTS), 6):
            result = Session(make(name), AT_ONCE).run(case)
            seen = target.recording.differing(DEFECTS[name])
            found = {cell.flow for step in result.steps for cell in step.findings}
            assert (result.verdict is Verdict.FAIL) is bool(seen), (case.id, name)
            assert seen <= found, (case.id, name)
            verdicts.append(result.verdict)
    assert {Verdict.FAIL, Verdict.PASS} == set(verdicts)


def test_a_case_kills_what_it_is_about(catalogue: Sequence[Case]) -> None:
    names = [
        "ignores-except",
        "keeps-labels-of-the-one-before",
        "opens-after-restart",
        "open-at-start",
        "service-address-decides",
    ]
    found = score(
        choose(catalogue, ["KE3A", "S542-ingress", "NFEV", "SW4P", "M2QZ"]), [DEFECTS[name] for name in names], processes=1
    )  # fmt: skip
    assert {name: ids for name, ids in found.killers.items() if not ids} == {}
    assert found.killers["keeps-labels-of-the-one-before"] == ["S542-ingress"]
    assert (found.imperfect, found.doubted, found.survivors) == ((), (), ())


def test_whoever_makes_no_mistake_survives(catalogue: Sequence[Case]) -> None:
    found = score(choose(catalogue, ["KE3A"]), [Defect("none", "M00", "does nothing wrong")], processes=1)
    assert [each.name for each in found.survivors] == ["none"]
    assert [each.id for each in found.idle] == ["KE3A"]


SCORE = Score(
    (Mutant("leaves-open", "M18", "leaves everything open"), Mutant("shuts", "M18", "shuts everything")),
    (
        ScoredCase("AAA2", "core", "a.yaml", ("leaves-open",)),
        ScoredCase("BBB2", "extended", "b.yaml", ()),
        ScoredCase("CCC2", "core", "c.yaml", (), shown=False),
    ),
    imperfect=("DDD2",),
    doubted=(("AAA2", "leaves-open"),),
    seconds=1.25,
)


def test_a_score_says_what_survives_and_what_kills_nothing() -> None:
    text = score_text(SCORE)
    assert "1 of 2 mutants killed by 2 cases" in text
    assert "survives: shuts (M18), which shuts everything" in text
    assert "kill nothing: BBB2 (extended)" in text
    assert "do not pass without a defect: DDD2" in text
    assert "a run of AAA2 on leaves-open does not say what is seen" in text
    page = score_markdown(SCORE)
    assert "| M18 | shuts | shuts everything | survives | 0 |" in page
    data = score_json(SCORE)
    assert data["mutants"][0]["killedBy"] == ["AAA2"]
    assert data["cases"][2]["shown"] is False
