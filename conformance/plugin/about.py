"""What a vendor says of the implementation: a TOML file, for reports that are published.

implementation = "my-plugin"      what is found on the cluster, where this is not said
version = "v1.2.3"                as above
organization = "Example"
project = "my-plugin"
url = "https://example.org/my-plugin"
contact = ["@example/network"]
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from conformance import files
from conformance.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FOUND_OTHERWISE = ("implementation", "version")
_ABOUT = ("organization", "project", "url", "contact")


@dataclass(frozen=True, slots=True)
class About:
    """Empty where nothing is said."""

    implementation: str = ""
    version: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def load_about(file: Path) -> About:
    """Read the file; UsageError with what is wrong with it."""
    try:
        table = tomllib.loads(files.read(file).decode())
    except RecursionError:
        raise UsageError(f"{file} cannot be read", causes=["it is nested too deep"]) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{file} cannot be read", causes=[str(error)]) from error
    known = (*_FOUND_OTHERWISE, *_ABOUT)
    if unknown := sorted(table.keys() - set(known)):
        raise UsageError(f"{file}: {', '.join(unknown)} is not known", hint=f"it may say {', '.join(known)}")
    said = {name: _text(file, name, value) for name, value in table.items()}
    return About(
        said.get("implementation", ""),
        said.get("version", ""),
        {name: said[name] for name in _ABOUT if name in said},
    )


def _text(file: Path, name: str, value: Any) -> str:
    parts = value if name == "contact" and isinstance(value, list) else [value]
    if not all(isinstance(each, str) and each.strip() for each in parts):
        raise UsageError(f"{file}: {name} must be text{', or a list of texts' if name == 'contact' else ''}")
    return " ".join(parts)
