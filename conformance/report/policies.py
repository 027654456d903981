"""The policies of a case that decide what a step found, as they were applied last."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

from conformance.report.findings import deciding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.model.record import CaseLine

#: What writes a manifest: a format is a matter of who shows it.
AsText = Callable[[Mapping[str, Any]], str]
_DEFAULT = "default"


def deciding_manifests(line: CaseLine, step: int) -> Sequence[Mapping[str, Any]]:
    """Return the manifests of those policies that decide the findings of a case's step, given by its number from 0."""
    applied = chain(line["setup"], *(each["changes"] for each in line["steps"][: step + 1]))
    manifests = {_ref(each["policy"]): each["policy"] for each in applied if each["policy"] is not None}
    return [manifests[ref] for ref in deciding(line["steps"][step]["findings"]) if ref in manifests]


def _ref(manifest: Mapping[str, Any]) -> str:
    metadata = manifest.get("metadata")
    fields = metadata if isinstance(metadata, dict) else {}
    return f"{fields.get('namespace', _DEFAULT)}/{fields.get('name', '')}"
