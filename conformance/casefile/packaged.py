"""The cases that come with the package, wherever it is installed; in a checkout, those of the checkout."""

from __future__ import annotations

import os
from pathlib import Path

from conformance import files

#: How the names of case files end.
SUFFIXES = (".yaml", ".yml")

_PACKAGE = Path(__file__).resolve().parent.parent


def cases() -> Path:
    """Return the folder of the suite's own cases."""
    packaged = _PACKAGE / "_packaged" / "cases"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "cases"


def shown(file: Path, root: Path | None = None) -> str:
    """Return how a case file is written in messages and records: `cases/…` for the suite's own, wherever it is installed."""
    resolved = Path(os.path.realpath(file))  # which also has an answer for a link to itself
    for base in (cases().parent, root):
        if base is not None and resolved.is_relative_to(base.resolve()):
            return files.as_text(str(resolved.relative_to(base.resolve())))
    return files.as_text(str(file))
