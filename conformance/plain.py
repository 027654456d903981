"""Texts of others, made plain: what a terminal, a page or a log would obey is shown instead of obeyed."""

from __future__ import annotations

import re

#: Control characters, and those that turn the direction of writing: with either, a text can look like another one.
_OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return a text of which nothing is obeyed but ends of lines and tabs."""
    return _OBEYED.sub(lambda found: ascii(found[0])[1:-1], text)


def one_line(text: str) -> str:
    """Return a text as one line: an end of a line in it is shown too, so that nothing after it looks like a line of ours."""
    return plain(text).replace("\n", "\\n")
