"""A file of waivers: known deviations of an implementation, each with its reason.

waivers:
  - {cases: [K7QD, T4BX-*-block], reason: ipBlock does not match pod addresses, link: "https://..."}
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conformance.casefile.shape import found, items, mapping, strings, unknown_fields
from conformance.casefile.source import read
from conformance.model.waiver import Waiver

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.casefile.source import Path as SourcePath
    from conformance.casefile.source import Source


def load_waivers(file: Path) -> tuple[Waiver, ...]:
    """Read waivers; CaseFileError with every problem of the file."""
    source = read(file, str(file))
    fields = mapping(source, (), source.data)
    unknown_fields(source, (), fields, ("waivers",))
    waivers = tuple(
        _waiver(source, ("waivers", index), raw) for index, raw in items(source, ("waivers",), fields.get("waivers"))
    )
    for index, waiver in enumerate(waivers):
        earlier = {case for each in waivers[:index] for case in each.cases}
        for number, case in enumerate(waiver.cases):
            if case in earlier:
                source.complain(("waivers", index, "cases", number), f"{case} is waived already")
    source.refuse_problems()
    return waivers


def _waiver(source: Source, path: SourcePath, raw: Any) -> Waiver:
    item = mapping(source, path, raw)
    unknown_fields(source, path, item, ("cases", "reason", "link"))
    cases = strings(source, (*path, "cases"), item.get("cases"))
    if isinstance(raw, dict) and not item.get("cases"):
        source.complain((*path, "cases"), "missing: a waiver names cases")
    reason, link = item.get("reason"), item.get("link", "")
    if isinstance(raw, dict) and (reason is None or (isinstance(reason, str) and not reason.strip())):
        source.complain((*path, "reason"), "missing: a waiver says why")
    elif reason is not None and not isinstance(reason, str):
        source.complain((*path, "reason"), f"expected text, found {found(reason)}; quote it")
    if not isinstance(link, str):
        source.complain((*path, "link"), f"expected a link, as text, found {found(link)}")
    return Waiver(cases, str(reason), str(link))
