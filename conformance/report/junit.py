"""A record as JUnit XML, one test case for each case, for the viewers that CI systems have."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from conformance.plain import plain
from conformance.report import totals
from conformance.report.findings import in_short
from conformance.report.terminal import case_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conformance.model.record import CaseLine, Record

#: What XML 1.0 has no way to write.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: The element that says what became of a case. A waived failure is none that a build should end on.
_ELEMENTS = {"fail": "failure", "error": "error"}


def junit(record: Record) -> str:
    """Return the XML: a suite for each folder of case files, and properties of the run and of each case."""
    root = ET.Element("testsuites", name=f"NetworkPolicy conformance of {_xml(totals.title(record.header))}")
    _count(root, record.cases)
    by_area: dict[str, list[CaseLine]] = defaultdict(list)
    for line in record.cases:
        by_area[str(PurePosixPath(line["path"]).parent)].append(line)
    for area, lines in sorted(by_area.items()):
        suite = ET.SubElement(root, "testsuite", name=_xml(area), timestamp=record.header["started"])
        _count(suite, lines)
        header = record.header
        facts = {"target": header["target"], "suite version": header["suite_version"], **header["environment"]}
        _properties(suite, facts.items())
        for line in lines:
            _case(suite, area, line)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _count(element: ET.Element, lines: Iterable[CaseLine]) -> None:
    verdicts = [line["verdict"] for line in lines]
    element.set("tests", str(len(verdicts)))
    element.set("failures", str(verdicts.count("fail")))
    element.set("errors", str(verdicts.count("error")))
    element.set("skipped", str(sum(each not in {"pass", *_ELEMENTS} for each in verdicts)))
    element.set("time", f"{sum(line['seconds'] for line in lines):.3f}")


def _properties(element: ET.Element, named: Iterable[tuple[str, str]]) -> None:
    properties = ET.SubElement(element, "properties")
    for name, value in named:
        ET.SubElement(properties, "property", name=_xml(name), value=_xml(value))


def _case(suite: ET.Element, area: str, line: CaseLine) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_xml(area.replace("/", ".")),
        name=_xml(f"{line['id']}: {line['requirement']}"),
        file=_xml(line["path"]),
        time=f"{line['seconds']:.3f}",
    )
    named = [(name, str(line[name])) for name in ("id", "tier", "verdict", "spec")]
    _properties(case, [*named, ("features", ", ".join(line["features"]))])
    if line["verdict"] in _ELEMENTS:
        told = ET.SubElement(case, _ELEMENTS[line["verdict"]], message=_xml(in_short(line)), type=line["verdict"])
        told.text = _xml(case_text(line))
    elif line["verdict"] != "pass":
        ET.SubElement(case, "skipped", message=_xml(f"{line['verdict']}: {in_short(line)}"))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", plain(text))
