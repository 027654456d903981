"""How pages are made of templates."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from conformance.plain import plain

#: Before each word, so that no verdict is told by its colour alone.
MARKS = {
    "pass": "✓",
    "fail": "✗",
    "error": "!",
    "waived": "~",
    "unsupported": "n/a",
    "skipped": "-",
    "notrun": "-",
    "no data": "·",
}
_PACKAGE = "conformance.report.html"


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(values)


def script_data(data: Any) -> Markup:
    """Return data as a script element holds it: nothing in it can end the element."""
    text = json.dumps(_made_plain(data), ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))  # noqa: S704 -- escaped for where it stands


def _made_plain(data: Any) -> Any:
    """Return data whose texts are plain. What is markup already was made so by the environment below."""
    if isinstance(data, dict):
        return {key: _made_plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_made_plain(each) for each in data]
    return plain(data) if isinstance(data, str) and not isinstance(data, Markup) else data


@cache
def _environment() -> Environment:
    loader = PackageLoader(_PACKAGE)
    environment = Environment(
        loader=loader,
        autoescape=True,
        finalize=_made_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["verbatim"] = lambda name: Markup(loader.get_source(environment, name)[0])  # noqa: S704 -- a file of ours
    environment.globals["MARKS"] = MARKS
    return environment
