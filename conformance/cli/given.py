"""The cases that a verb was given, or else the suite's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model.case import Case


def paths(given: list[Path] | None) -> list[Path]:
    from conformance.casefile.packaged import cases  # noqa: PLC0415 -- verbs import what they need

    return given or [cases()]


def load(given: list[Path]) -> tuple[Case, ...]:
    from conformance.casefile.load import find, load_cases  # noqa: PLC0415 -- verbs import what they need

    files = list(find(given))
    if not files:
        raise UsageError(f"no case files under {', '.join(map(str, given))}")
    return load_cases(files)
