"""The list of a nightly run's legs: which implementation on which version of Kubernetes.

legs:
  - {implementation: calico/nftables, kubernetes: v1.34.0, pull-request: true}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from conformance.casefile.shape import found, items, mapping, meant, unknown_fields
from conformance.casefile.source import read

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from conformance.casefile.source import Path as SourcePath
    from conformance.casefile.source import Source

_FIELDS = ("implementation", "kubernetes", "pull-request")
_VERSION = re.compile(r"v1\.[0-9]+\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Leg:
    """One run of a night. `implementation` is a folder of ci/implementations; `pull_request` says that it is run for those too."""

    implementation: str
    kubernetes: str
    pull_request: bool = False


def load_legs(file: Path, known: Collection[str]) -> tuple[Leg, ...]:
    """Read the list; CaseFileError with every problem of the file. `known` are the implementations that there are."""
    source = read(file, str(file))
    fields = mapping(source, (), source.data)
    unknown_fields(source, (), fields, ("legs",))
    legs: list[Leg] = []
    for index, raw in items(source, ("legs",), fields.get("legs")):
        leg = _leg(source, ("legs", index), raw, known)
        if any((each.implementation, each.kubernetes) == (leg.implementation, leg.kubernetes) for each in legs):
            source.complain(("legs", index), "this leg is there already")
        legs.append(leg)
    source.refuse_problems()
    return tuple(legs)


def _leg(source: Source, path: SourcePath, raw: Any, known: Collection[str]) -> Leg:
    item = mapping(source, path, raw)
    unknown_fields(source, path, item, _FIELDS)
    implementation, kubernetes = item.get("implementation"), item.get("kubernetes")
    if implementation not in known:
        there = f"expected one of {', '.join(sorted(known))}{meant(implementation, known)}"
        source.complain((*path, "implementation"), f"{there}, found {found(implementation)}")
    if not (isinstance(kubernetes, str) and _VERSION.fullmatch(kubernetes)):
        source.complain((*path, "kubernetes"), f"expected a version such as v1.34.0, found {found(kubernetes)}")
    pull_request = item.get("pull-request", False)
    if not isinstance(pull_request, bool):
        source.complain((*path, "pull-request"), f"expected true or false, found {found(pull_request)}")
    return Leg(str(implementation), str(kubernetes), bool(pull_request))
