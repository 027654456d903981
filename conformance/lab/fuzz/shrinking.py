"""Makes a random case that shows something as small as it can be, by leaving out whatever is not needed to show it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Raw = dict[str, Any]
    Path = tuple[str | int, ...]

#: Without these a document is no case, or a policy no policy.
_NEEDED = {
    "name",
    "namespace",
    "metadata",
    "apiVersion",
    "kind",
    "spec",
    "podSelector",
    "cidr",
    "key",
    "operator",
    "ipBlock",
}


def shrunk(raw: Raw, shows: Callable[[Raw], bool]) -> Raw:
    """Return the smallest case that was found to show the same; `shows` is asked of each that is tried."""
    smaller = True
    while smaller:
        smaller = False
        for path in _parts(raw):
            tried = _without(raw, path)
            if tried is not None and shows(tried):
                raw, smaller = tried, True
                break
    return raw


def _parts(raw: Raw) -> Iterator[Path]:
    """Yield what may be left out, the largest parts first: steps from the last, policies, rules, and what they are made of."""
    yield from sorted(
        _below(raw["steps"], ("steps",)),
        key=lambda path: (len(path), [-each for each in path if isinstance(each, int)]),
    )


def _below(value: Any, path: Path) -> Iterator[Path]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield (*path, index)
            yield from _below(item, (*path, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in _NEEDED:
                yield (*path, key)
            yield from _below(item, (*path, key))


def _without(raw: Raw, path: Path) -> Raw | None:
    copy = deepcopy(raw)
    owner: Any = copy
    for key in path[:-1]:
        owner = owner[key]
    del owner[path[-1]]
    return copy if copy["steps"] else None
