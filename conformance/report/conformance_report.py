"""A record as a ConformanceReport, in the shape in which Gateway API implementations publish theirs, and the README beside it.

Everything is sorted, so that two reports differ only where their runs did.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from conformance.model.record import cases_to_come
from conformance.report import totals
from conformance.report.alignment import PLACES
from conformance.report.markdown import as_text, block, table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from conformance.model.record import CaseLine, Record

API_VERSION = "netpol-conformance/v1"
PROFILE = "NetworkPolicy"
#: Verdicts that are no statement about the implementation.
_UNJUDGED = {"error", "skipped", "notrun"}
_TIERS = ("core", "extended")


def conformance_report(record: Record) -> dict[str, Any]:
    """Return the report, ready to be written as YAML."""
    header = record.header
    about = header["about"]
    return {
        "apiVersion": API_VERSION,
        "caseSet": {"cases": header["cases"], "digest": header["case_set"]},
        "date": record.footer["ended"] if record.footer is not None else header["started"],
        "environment": dict(sorted({"target": header["target"], **header["environment"]}.items())),
        "implementation": {
            "contact": about.get("contact", "").split(),
            "name": header["implementation"],
            "organization": about.get("organization", ""),
            "project": about.get("project", "") or header["implementation"],
            "url": about.get("url", ""),
            "version": header["implementation_version"],
        },
        "kind": "ConformanceReport",
        "mode": header["mode"],
        "profiles": [_profile(record)],
        "suiteVersion": header["suite_version"],
    }


def _profile(record: Record) -> dict[str, Any]:
    tiers = dict(_lines(record))
    missing = totals.not_run(record.header, record.cases)
    profile: dict[str, Any] = {tier: _tier(lines, whole=_is_whole(record)) for tier, lines in tiers.items()}
    unsupported = record.header["unsupported"]
    if "extended" in profile:
        features = {feature for line in tiers["extended"] for feature in line["features"]}
        profile["extended"]["supportedFeatures"] = sorted(features - set(unsupported))
        profile["extended"]["unsupportedFeatures"] = sorted(features & set(unsupported))
    sentences = [f"{tier.capitalize()}: {_sentence(profile[tier])}" for tier in tiers]
    if own := record.header["own_cases"]:
        sentences.append(f"{own} of the cases are not the suite's.")
    if "k" in record.header["options"]:
        sentences.append("The cases were picked by hand.")
    if missing:
        sentences.append(f"The run was cut off: {missing} of {cases_to_come(record.header)} cases were not run.")
    return {"name": PROFILE, "summary": " ".join(sentences), **profile}


def _is_whole(record: Record) -> bool:
    return record.footer is not None and not totals.is_part(record.header)


def _tier(lines: Sequence[CaseLine], *, whole: bool) -> dict[str, Any]:
    def ids(*verdicts: str) -> list[str]:
        return sorted(line["id"] for line in lines if line["verdict"] in verdicts)

    failed, skipped = ids("fail", "waived"), ids(*_UNJUDGED)
    tier: dict[str, Any] = {
        "result": "failure"
        if ids("fail")
        else "success"
        if whole and ids("pass") and not failed and not skipped
        else "partial",
        "statistics": {"Failed": len(failed), "Passed": len(ids("pass")), "Skipped": len(skipped)},
    }
    if failed:
        tier["failedTests"] = failed
    if skipped:
        tier["skippedTests"] = skipped
    if deviations := [{"case": line["id"], "reason": line["waiver"]} for line in lines if line["verdict"] == "waived"]:
        tier["knownDeviations"] = sorted(deviations, key=lambda each: each["case"])
    return dict(sorted(tier.items()))


def _sentence(tier: Mapping[str, Any]) -> str:
    counts = tier["statistics"]
    said = [f"{counts['Passed']} pass"]
    if known := len(tier.get("knownDeviations", ())):
        said.append(f"{known} fail as is known")
    if failed := counts["Failed"] - known:
        said.append(f"{failed} fail")
    if counts["Skipped"]:
        said.append(f"{counts['Skipped']} were not judged")
    return f"{', '.join(said)}."


def readme(record: Record) -> str:
    """Return what stands beside a published report: what it is about, and how to get it again."""
    return "\n".join(_readme(record)) + "\n"


def _readme(record: Record) -> Iterator[str]:
    header = record.header
    yield f"# NetworkPolicy conformance of {as_text(totals.title(header))}"
    yield ""
    yield from table(
        ("tier", "result", "passed", "failed", "not judged"),
        [(tier, *_numbers(lines, whole=_is_whole(record))) for tier, lines in _lines(record)],
        numbers=3,
    )
    yield ""
    yield from table(("what", "value"), list(_facts(record)))
    yield ""
    yield "## Reproduce"
    yield ""
    yield from block(
        "",
        [
            f"pip install netpol-conformance=={header['suite_version']}",
            command(header["options"]),
            "netpol-conformance report RECORD --format yaml",
        ],
    )
    if own := header["own_cases"]:
        yield f"{own} of the {header['cases']} cases are not the suite's: name the folder that they are in too."
        yield ""
    yield "`conformance.yaml` is that output as it was written, and `run.jsonl` is the record that it was made of."


def _lines(record: Record) -> Iterator[tuple[str, Sequence[CaseLine]]]:
    for tier in _TIERS:
        if lines := [line for line in record.cases if line["tier"] == tier]:
            yield tier, lines


def _numbers(lines: Sequence[CaseLine], *, whole: bool) -> Sequence[str]:
    tier = _tier(lines, whole=whole)
    return (tier["result"], *(str(tier["statistics"][name]) for name in ("Passed", "Failed", "Skipped")))


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    header = record.header
    yield "suite version", header["suite_version"]
    yield "cases", f"{header['cases']}, digest {header['case_set']}"
    yield "started", header["started"]
    yield "target", header["target"]
    yield from header["environment"].items()
    yield from ((f"not supported: {name}", why) for name, why in sorted(header["unsupported"].items()))


def command(options: Mapping[str, str | list[str]]) -> str:
    """Return the command of a run: options that say where it was made stand as they must be filled in."""
    words = ["netpol-conformance", "run"]
    for name, value in options.items():
        if name in PLACES:
            continue
        words += _option(name, value)
    if options.get("context"):
        words += ["--context", "CONTEXT"]
    return " ".join(each if each == "CONTEXT" else shlex.quote(each) for each in [*words, "--report", "RECORD"])


def _option(name: str, value: str | list[str]) -> Iterator[str]:
    for each in [value] if isinstance(value, str) else value:
        yield f"-{name}" if len(name) == 1 else f"--{name}"
        if each != "True":
            yield each
