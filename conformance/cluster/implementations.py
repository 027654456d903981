"""Where the suite's own files about kind clusters are, and what is pinned for each implementation that it can install."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = Path(__file__).resolve().parents[1]
_DESCRIPTION = "implementation.toml"
KIND_CONFIG = "kind-config.yaml"


@dataclass(frozen=True, slots=True)
class Rollout:
    """Something that an implementation consists of and that must be up: `resource` as kubectl names it, `daemonset/calico-node`."""

    namespace: str
    resource: str


@dataclass(frozen=True, slots=True)
class Pinned:
    """One version of an implementation, and how it gets onto a kind cluster.

    `manifest` is a URL or a file; it is empty where kind itself brings the implementation. `config` is the kind configuration that it needs.
    """

    name: str
    version: str
    manifest: str
    rollouts: tuple[Rollout, ...]
    config: Path


def names() -> tuple[str, ...]:
    """Return the implementations that can be installed."""
    return tuple(sorted(path.parent.name for path in _folder().glob(f"*/{_DESCRIPTION}")))


def pinned(name: str) -> Pinned:
    """Read what is pinned for one implementation; UsageError for one that is not there."""
    if name not in names():
        raise UsageError(
            f"no implementation is called {name!r}",
            hint=f"there are {', '.join(names()) or 'none'}; another one installs with a manifest of its own: see ci/implementations",
        )
    folder = _folder() / name
    try:
        return _read(folder, tomllib.loads((folder / _DESCRIPTION).read_text(encoding="utf-8")))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{folder / _DESCRIPTION} cannot be used: {error!r}") from error


def kind_config() -> Path:
    """Return the configuration of a kind cluster without a network plugin: a control plane and two workers."""
    return _own(KIND_CONFIG, KIND_CONFIG)


def _read(folder: Path, table: Mapping[str, Any]) -> Pinned:
    manifest = table.get("manifest", "")
    own_config = folder / KIND_CONFIG
    return Pinned(
        table["name"],
        table["version"],
        str(folder / manifest) if manifest and "://" not in manifest else manifest,
        tuple(Rollout(each["namespace"], each["resource"]) for each in table.get("rollouts", ())),
        own_config if own_config.is_file() else kind_config(),
    )


def _folder() -> Path:
    return _own("implementations", "ci/implementations")


def _own(packaged: str, source: str) -> Path:
    """Return a file that travels inside the wheel; in a source tree it is still where people edit it."""
    inside = _PACKAGE / "_packaged" / packaged
    return inside if inside.exists() else _PACKAGE.parent / source
