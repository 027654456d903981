"""How good a set of cases is, for a terminal, as Markdown, and as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from conformance.report.markdown import table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model.score import Mutant, Score, ScoredCase

#: How many of a mutant's killers are named.
_NAMED = 3


def score_text(score: Score) -> str:
    return "\n".join(_text(score))


def _text(score: Score) -> Iterator[str]:
    killers = score.killers
    for mutant in score.mutants:
        yield f"{mutant.of:4} {mutant.name:36} {_killed(killers[mutant.name])}"
    yield ""
    yield from _sums(score)
    for mutant in score.survivors:
        yield f"  survives: {mutant.name} ({mutant.of}), which {mutant.what}"
    if score.idle:
        yield f"  kill nothing: {', '.join(f'{each.id} ({each.tier})' for each in score.idle)}"
    if score.imperfect:
        yield f"  do not pass without a defect: {', '.join(score.imperfect)}"
    for case, name in score.doubted:
        yield f"  a run of {case} on {name} does not say what is seen"


def _killed(ids: Sequence[str]) -> str:
    if not ids:
        return "SURVIVES"
    named = ", ".join(ids[:_NAMED])
    return f"{len(ids):4} cases: {named}{', ...' if len(ids) > _NAMED else ''}"


def _sums(score: Score) -> Iterator[str]:
    killed = len(score.mutants) - len(score.survivors)
    shown = [case for case in score.cases if case.shown]
    yield f"{killed} of {len(score.mutants)} mutants killed by {len(shown)} cases, {score.seconds:.0f} s"
    if hidden := len(score.cases) - len(shown):
        yield f"{hidden} cases cannot be shown in memory"


def score_markdown(score: Score) -> str:
    """Return the table by class, every mutant, and what kills nothing."""
    return "\n".join(_markdown(score)).rstrip() + "\n"


def _markdown(score: Score) -> Iterator[str]:
    killers = score.killers
    yield from _sums_of_classes(score, killers)
    yield ""
    rows = [
        (mutant.of, mutant.name, mutant.what, ", ".join(killers[mutant.name][:_NAMED]) or "survives", str(len(killers[mutant.name])))
        for mutant in score.mutants
    ]  # fmt: skip
    yield from table(("class", "miniature", "what the plugin does", "killed by", "cases"), rows, numbers=1)
    if score.idle:
        yield ""
        yield "Cases that kill nothing:"
        yield ""
        yield from table(("case", "tier", "file"), [(each.id, each.tier, each.path) for each in score.idle])


def _sums_of_classes(score: Score, killers: Mapping[str, Sequence[str]]) -> Iterator[str]:
    by_class: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in score.mutants:
        by_class[mutant.of].append(mutant)
    rows = [
        (of, str(len(them)), str(sum(bool(killers[each.name]) for each in them)), str(min(len(killers[each.name]) for each in them)))
        for of, them in sorted(by_class.items())
    ]  # fmt: skip
    yield from table(("class", "mutants", "killed", "fewest cases on one"), rows, numbers=3)


def score_json(score: Score) -> dict[str, Any]:
    killers = score.killers
    return {
        "seconds": round(score.seconds, 1),
        "mutants": [
            {"name": each.name, "class": each.of, "what": each.what, "killedBy": list(killers[each.name])}
            for each in score.mutants
        ],
        "cases": [_row(each) for each in score.cases],
        "tiers": dict(Counter(each.tier for each in score.cases if each.shown)),
        "imperfect": list(score.imperfect),
        "doubted": [list(each) for each in score.doubted],
    }


def _row(case: ScoredCase) -> Mapping[str, Any]:
    return {"id": case.id, "tier": case.tier, "path": case.path, "shown": case.shown, "kills": list(case.kills)}
