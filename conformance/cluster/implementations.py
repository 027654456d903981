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
_WAIVERS = "waivers.yaml"


@dataclass(frozen=True, slots=True)
class Rollout:
    """Something that an implementation consists of and that must be up: `resource` as kubectl names it, `daemonset/calico-node`."""

    namespace: str
    resource: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A Helm chart, of which `helm template` makes the manifest; `values` are `key=value`, as its `--set` takes them."""

    name: str
    repository: str
    namespace: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """One version of an implementation, and how it gets onto a kind cluster.

    `manifest` is a URL or a file; it is empty where there is a `chart`, or where kind itself brings the implementation. `nodes` are
    commands that are run on every node first, and `then` words for kubectl at the end. `config` is the kind configuration that it needs, and
    `waivers` the file of its known deviations, if it has one. `mode` is how it is operated, where there is more than one way; `ip_family` what
    addresses pods have; `host` what it needs of the machine that the nodes run on, for people. `timeouts` are other than the
    usual ones, as `settle=5`: only a negative control has any.
    """

    name: str
    version: str
    manifest: str
    rollouts: tuple[Rollout, ...]
    config: Path
    chart: Chart | None = None
    nodes: tuple[tuple[str, ...], ...] = ()
    then: tuple[tuple[str, ...], ...] = ()
    waivers: Path | None = None
    unsupported: tuple[str, ...] = ()
    mode: str = ""
    ip_family: str = "IPv4"
    host: str = ""
    timeouts: tuple[str, ...] = ()


def names() -> tuple[str, ...]:
    """Return the implementations that can be installed: `calico`, and `calico/nftables` for another way of operating it."""
    folder = _folder()
    return tuple(sorted(path.parent.relative_to(folder).as_posix() for path in folder.rglob(_DESCRIPTION)))


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


def in_the_project(path: Path) -> str:
    """Return where a file of an implementation is in a checkout, for commands that are run in one."""
    return f"ci/implementations/{path.relative_to(_folder()).as_posix()}"


def kind_config() -> Path:
    """Return the configuration of a kind cluster without a network plugin: a control plane and two workers."""
    return _own(KIND_CONFIG, KIND_CONFIG)


def _read(folder: Path, table: Mapping[str, Any]) -> Pinned:
    manifest = table.get("manifest", "")
    chart = table.get("chart")
    return Pinned(
        name=table["name"],
        version=table["version"],
        manifest=str(folder / manifest) if manifest and "://" not in manifest else manifest,
        rollouts=tuple(Rollout(each["namespace"], each["resource"]) for each in table.get("rollouts", ())),
        config=_nearest(folder, KIND_CONFIG) or kind_config(),
        chart=Chart(chart["name"], chart["repository"], chart["namespace"], tuple(chart.get("values", ())))
        if chart
        else None,
        nodes=tuple(tuple(words) for words in table.get("nodes", ())),
        then=tuple(tuple(words) for words in table.get("then", ())),
        waivers=_nearest(folder, _WAIVERS),
        unsupported=tuple(table.get("unsupported", ())),
        mode=table.get("mode", ""),
        ip_family=table.get("ip-family", "IPv4"),
        host=table.get("host", ""),
        timeouts=tuple(table.get("timeouts", ())),
    )


def _nearest(folder: Path, name: str) -> Path | None:
    """Return a file of an implementation's folder, or else of the folder that it is another mode of."""
    return next((each / name for each in (folder, folder.parent) if (each / name).is_file()), None)


def _folder() -> Path:
    return _own("implementations", "ci/implementations")


def _own(packaged: str, source: str) -> Path:
    """Return a file that travels inside the wheel; in a source tree it is still where people edit it."""
    inside = _PACKAGE / "_packaged" / packaged
    return inside if inside.exists() else _PACKAGE.parent / source
