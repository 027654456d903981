"""The cases that come with the package, wherever it is installed; in a checkout, those of the checkout."""

from __future__ import annotations

from pathlib import Path

#: How the names of case files end.
SUFFIXES = (".yaml", ".yml")

_PACKAGE = Path(__file__).resolve().parent.parent


def cases() -> Path:
    """Return the folder of the suite's own cases."""
    packaged = _PACKAGE / "_packaged" / "cases"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "cases"


def shown(file: Path, root: Path | None = None) -> str:
    """Return how a case file is written in messages and records: `cases/…` for the suite's own, wherever it is installed."""
    resolved = file.resolve()
    for base in (cases().parent, root):
        if base is not None and resolved.is_relative_to(base.resolve()):
            return str(resolved.relative_to(base.resolve()))
    return str(file)
