"""A record of which every text that its schema leaves free holds something that a page, a terminal, a log or Markdown would obey."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sample_record import sample

from conformance.errors import RecordError
from conformance.report.store import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conformance.model.record import Record

HOSTILE = (
    """<img src=x onerror="window.broken=1"></script><script>window.broken=1</script>"><svg onload=window.broken=1> """
    """' onmouseover='window.broken=1 [x](javascript:window.broken=1) ![x](http://127.0.0.1:9/x) http://evil.example """
    """www.evil.example `x` ``` ~~~ | a | <!-- ]]> --- &lt; {{7*7}} ${window.broken=1} \n\n# title\n\n<b>bold</b>\n"""
    """::error::broken\n```\n[y](http://evil.example)\n \r\x1b[31mred\x1b]8;;http://evil.example\x07link\x9b2J\u202eback\u2066\x7f\x08\0"""
)
WITHOUT_SPACES = "".join(HOSTILE.split())


def hostile(folder: Path) -> Record:
    """Write the record into a folder and return it as it is read."""
    text = json.dumps([sample().header, *sample().cases, sample().footer])
    lines: list[Any] = json.loads(text.replace("outside-1", json.dumps(WITHOUT_SPACES)[1:-1]))
    file = folder / "run.jsonl"

    def is_accepted() -> bool:
        file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        try:
            read(file)
        except RecordError:
            return False
        return True

    for holder, key, text in list(_texts(lines)):
        for tried in (text + HOSTILE, text + WITHOUT_SPACES, WITHOUT_SPACES + text, text):
            holder[key] = tried
            if is_accepted():
                break
    assert is_accepted()
    return read(file)


def _texts(value: Any) -> Iterator[tuple[Any, Any, str]]:
    """Yield where each text is, and the text."""
    if isinstance(value, (dict, list)):
        for key, each in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if isinstance(each, str):
                yield value, key, each
            else:
                yield from _texts(each)
