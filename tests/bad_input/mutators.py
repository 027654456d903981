"""What makes bad input of good: damage to bytes, as disks and editors do it, and wrong values at any place of data that still parses."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from random import Random

Path = tuple[str | int, ...]

#: What parsers and regular expressions stumble over, as pieces of a file.
TOKENS = (
    b"\x00", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\x1b[2J", b"\xe2\x80\xa8", b"\r", b"\t", b"\n", b"\n---\n", b"\n...\n",
    b"&a ", b"*a", b"<<: *a\n", b"&a [*a, *a]", b"!!python/object/apply:os.system [ls]", b"!!binary x", b"!<tag:x> ", b"%TAG ! x\n", b"? ", b"- ",
    b": ", b"{", b"}", b"[", b"]", b"'", b'"', b"|\n", b">-\n", b"#", b",", b"\\", b'"\\ud800"', b"\\u0000", b"~", b"null", b"yes", b"010", b"1_000",
    b"22:22", b".inf", b".nan", b"NaN", b"Infinity", b"1e999", b"-1", b"0", b"65536", b"9223372036854775808", b"9" * 400, b"9" * 5000,
    b"[" * 40, b"[" * 1100, b"{a: " * 60, b'{"a":' * 1100, b"- " * 60, b"a" * 20_000, b"${a.b}", b"${", b"$(x/a)", b"0-99999999999",
    b"1-99999/TCP", b"2027-03-31", b"=", b"%", b"['", b"/", b"::", b"->",
)  # fmt: skip

#: What stands where something else was expected, in data.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 65536, 2**31, 2**63, 10**17, 10**30, 10**400, 0.5, -1.5, 1e308, float("inf"), float("nan"), "", " ", "x", "\x00", "\ud800",
    "é\u2028", "\x1b[2J", "*", "!", "a" * 300, "a" * 20_000, "9" * 5000, "->", "x/a -> y/b:80/TCP", "x/a -> y/b:٣/TCP", "x/a -> y/b:80-99999999/TCP",
    "x/* -> y/b:0-99999,1-99999/TCP", "80/TCP", "80-99999/TCP", "99999/SCTP", "٣/TCP", "x/a", "x", "y/b", "web.x.svc", "${a}", "${a.b}", "$(x/a)",
    "$(x/a over IPv6)/128", "$(x/a)/" + "9" * 5000, "10.0.0.0/8", "1.2.3.4/٣", "::/0", "fe80::1%eth0/64", "['a']", "['" + "[" * 300, "['\\d']", "{{ 7 * 7 }}",
    "<script>", "2027-03-31", "2027-13-31", "2026-11-28T07:31:14+00:00", "2026-11-28", "NaN", "https://", "javascript:x", "fail", "error", "core",
    "NetworkPolicy", "NetworkPolicyList", "List", "CaseTable", "Case", "Pod", "Service", "Deployment", "CronJob", "allow", "In", "Exists", "IPv6", "TCP",
    [], {}, [[]], [None], [0], [""], ["x"], [{}], {"": None}, {"x": "x"}, {"x": 0}, {"a.b": ["c"]}, {"x": {"x": {"x": []}}},
)  # fmt: skip


def nested(depth: int) -> Any:
    """Return lists and mappings within each other."""
    made: Any = None
    for level in range(depth):
        made = [made] if level % 2 else {"a": made}
    return made


def damaged(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Damage bytes in one to four ways."""
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        data = random.choice(_DAMAGES)(random, data, others)
    return data


def _place(random: Random, data: bytes) -> tuple[int, int]:
    """Return where a short piece of bytes begins and ends."""
    start = random.randrange(len(data) + 1)
    return start, min(len(data), start + random.choice((1, 1, 2, 4, 8, 16, 64, 256)))


def _flip(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:  # noqa: ARG001 -- one of many with these arguments
    at = random.randrange(len(data) or 1)
    return data[:at] + bytes(byte ^ (1 << random.randrange(8)) for byte in data[at : at + 1]) + data[at + 1 :]


def _cut(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:  # noqa: ARG001 -- as above
    start, end = _place(random, data)
    return data[:start] + data[end:]


def _end(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:  # noqa: ARG001 -- as above
    return data[: random.randrange(len(data) + 1)]


def _insert(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:  # noqa: ARG001 -- as above
    start, end = _place(random, data)
    return data[:start] + random.choice(TOKENS) + data[random.choice((start, end)) :]


def _word(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:  # noqa: ARG001 -- as above
    """Put something else in the place of a word or a number."""
    words = list(re.finditer(rb"[A-Za-z0-9./*_-]+", data))
    if not words:
        return random.choice(TOKENS)
    word = random.choice(words)
    return data[: word.start()] + random.choice((*TOKENS, random.choice(words)[0])) + data[word.end() :]


def _repeat(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:  # noqa: ARG001 -- as above
    start, end = _place(random, data)
    return data[:end] + data[start:end] * random.choice((1, 2, 10, 100)) + data[end:]


def _splice(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    start, _ = _place(random, data)
    other = random.choice(others)
    return data[:start] + other[random.randrange(len(other) + 1) :]


def _lines(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:  # noqa: ARG001 -- as above
    """Remove a line, double it, indent it, or put it elsewhere."""
    lines = data.split(b"\n")
    at, to = random.randrange(len(lines)), random.randrange(len(lines))
    line = lines[at]
    match random.randrange(4):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, line)
        case 2:
            lines[at] = random.choice((b"  ", b" ", b"\t", b"- ")) + line
        case _:
            lines[at], lines[to] = lines[to], line
    return b"\n".join(lines)


_DAMAGES: tuple[Callable[[Random, bytes, Sequence[bytes]], bytes], ...] = (
    _flip, _cut, _end, _insert, _insert, _word, _word, _word, _repeat, _splice, _lines,
)  # fmt: skip


def wrong(random: Random, data: Any) -> Any:
    """Return a copy of data with wrong values at one to three places."""
    made = copy.deepcopy(data)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        places = list(_places(made))
        path = random.choice(places)
        if not path:
            return random.choice(VALUES)
        within = _at(made, path[:-1])
        match random.randrange(8):
            case 0:
                del within[path[-1]]
            case 1 if isinstance(within, dict):
                within[random.choice(("", "x", "a.b", "kind", "spec", "id", "\x00", "9" * 40))] = within.pop(path[-1])
            case 1 | 2:
                within[path[-1]] = copy.deepcopy(_at(made, random.choice(places)))
            case 3 if isinstance(within, list):
                within += [copy.deepcopy(within[path[-1]])] * random.choice((1, 3, 60))
            case 3 | 4:
                within[path[-1]] = random.choice(([within[path[-1]]], {"x": within[path[-1]]}))
            case 5:
                within[path[-1]] = nested(random.choice((3, 30, 60, 300)))
            case _:
                within[path[-1]] = copy.deepcopy(random.choice(VALUES))
    return made


def as_json(data: Any) -> bytes:
    """Write data, which may hold what no JSON may: NaN, half a surrogate, endless numbers."""
    return json.dumps(data).encode()


def _places(data: Any, here: Path = ()) -> Iterator[Path]:
    yield here
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    if len(here) < 30:  # deep enough to meet everything, and far from where Python ends
        for key, value in items:
            yield from _places(value, (*here, key))


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data[part]
    return data
