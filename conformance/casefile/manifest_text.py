"""A policy as the text of its manifest, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from conformance.casefile.source import OTHERWISE_ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Mapping

_WIDTH = 88


class _Dumper(yaml.SafeDumper):
    """Writes what is there twice twice: an anchor would have to be looked up. What other readers of YAML take for something else is quoted."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, '"' if OTHERWISE_ELSEWHERE.match(text) else None)


_Dumper.add_representer(str, _text)


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """Return a manifest as YAML that can be pasted, in the order of its file, with short mappings and lists on one line."""
    return yaml.dump(
        dict(manifest), Dumper=_Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=_WIDTH
    )
