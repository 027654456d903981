"""The cases that come with the package, wherever it is installed; in a checkout, those of the checkout."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def cases() -> Path:
    """Return the folder of the suite's own cases."""
    packaged = _PACKAGE / "_packaged" / "cases"
    return packaged if packaged.is_dir() else _PACKAGE.parent / "cases"
