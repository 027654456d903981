"""A file of waivers: known deviations of an implementation, each with its reason.

waivers:
  - {case: K7QD, reason: "ipBlock does not match pod addresses", link: "https://..."}
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.casefile.shape import found, items, mapping, unknown_fields
from conformance.casefile.source import read
from conformance.errors import CaseFileError
from conformance.model.waiver import Waiver

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def load_waivers(file: Path) -> Mapping[str, Waiver]:
    """Read waivers, keyed by case id; CaseFileError with every problem of the file."""
    source = read(file, str(file))
    fields = mapping(source, (), source.data)
    unknown_fields(source, (), fields, ("waivers",))
    waivers: dict[str, Waiver] = {}
    for index, raw in items(source, ("waivers",), fields.get("waivers")):
        path = ("waivers", index)
        item = mapping(source, path, raw)
        if not (raw is None or isinstance(raw, dict)):
            continue
        unknown_fields(source, path, item, ("case", "reason", "link"))
        for name in ("case", "reason"):
            value = item.get(name)
            if value is None or (isinstance(value, str) and not value.strip()):
                source.complain((*path, name), "missing: a waiver names a case and says why")
            elif not isinstance(value, str):
                source.complain((*path, name), f"expected text, found {found(value)}; quote it")
        if not isinstance(item.get("link", ""), str):
            source.complain((*path, "link"), f"expected a link, as text, found {found(item['link'])}")
        case = str(item.get("case"))
        if case in waivers:
            source.complain((*path, "case"), f"{case} is waived already")
        waivers[case] = Waiver(case, str(item.get("reason")), str(item.get("link") or ""))
    if source.problems:
        raise CaseFileError([str(problem) for problem in sorted(set(source.problems))])
    return waivers
