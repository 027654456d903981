"""Who reaches whom, as a grid of pods: what a step declares, by the rows of its case file alone, or what policies allow."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from conformance.model.world import Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conformance.model.case import Expectation
    from conformance.model.flow import Flow

    Ports = frozenset[tuple[int, Protocol]]

#: Of a line, at most.
WIDTH = 88
_PROTOCOLS = tuple(Protocol)
#: Begins with those that no pod of the default world is called.
_LETTERS = "pqrstuvwdefghijklmnoabcxyz"

#: For each pair of source and destination: what is tried, and what of that is declared to pass.
Grid = dict[tuple[str, str], "tuple[Ports, Ports]"]


def declared(flows: Iterable[Flow], expect: Expectation) -> Grid:
    """Work out the grid of a step from its rows."""
    return grid_of({flow: expect.allows(flow) for flow in flows})


def grid_of(allowed: Mapping[Flow, bool]) -> Grid:
    """Return the grid of flows of which it is known whether they pass."""
    tried: dict[tuple[str, str], set[tuple[int, Protocol]]] = defaultdict(set)
    passing: dict[tuple[str, str], set[tuple[int, Protocol]]] = defaultdict(set)
    for flow, passes in allowed.items():
        pair, port = (flow.source, flow.destination), (flow.port, flow.protocol)
        tried[pair].add(port)
        if passes:
            passing[pair].add(port)
    return {pair: (frozenset(ports), frozenset(passing[pair])) for pair, ports in tried.items()}


def grid_text(grid: Grid, before: Grid | None) -> Iterator[str]:
    """Yield the lines of a grid and of what its letters mean; cells that the grid before has too, but otherwise, carry a `*`."""
    sources = list(dict.fromkeys(source for source, _ in grid))
    destinations = list(dict.fromkeys(destination for _, destination in grid))
    # A source is no destination of itself: the order of sources is the one that lacks nobody.
    columns = [each for each in sources if each in destinations] + [
        each for each in destinations if each not in sources
    ]
    letters = _letters(grid)
    for number, part in enumerate(_parts(columns, max(map(len, sources)))):
        if number:
            yield ""
        yield from _part(grid, before, sources, part, letters)
    for ports, letter in letters.items():
        yield f"{letter} = {ports_text(ports)} only"
    if any(_changed(grid, before, pair) for pair in grid):
        yield "* = changed since the step before"


def ports_text(ports: Iterable[tuple[int, Protocol]]) -> str:
    """Write ports as a row would: `80-81/TCP, 80/UDP`."""
    numbers: dict[Protocol, list[int]] = defaultdict(list)
    for number, protocol in sorted(set(ports), key=lambda port: (_PROTOCOLS.index(port[1]), port[0])):
        numbers[protocol].append(number)
    return ", ".join(f"{span}/{protocol}" for protocol, found in numbers.items() for span in _spans(found))


def _spans(numbers: Sequence[int]) -> Iterator[str]:
    first = last = numbers[0]
    for number in (*numbers[1:], None):
        if number == last + 1:
            last = number
            continue
        yield str(first) if first == last else f"{first}-{last}"
        first = last = number or 0


def _letters(grid: Grid) -> Mapping[Ports, str]:
    """Give a letter to each set of ports that passes where others that are tried do not."""
    partial = dict.fromkeys(passing for tried, passing in grid.values() if passing and passing != tried)
    names = [*_LETTERS, *(f"{one}{other}" for one in _LETTERS for other in _LETTERS)]
    return dict(zip(partial, names, strict=False))


def _parts(columns: Sequence[str], label: int) -> Sequence[Sequence[str]]:
    """Split columns so that no line is wider than a terminal, and the parts are about as wide as each other."""
    widest = max(WIDTH - label - 2, 1)
    parts = _filled(columns, widest)
    # The narrowest that needs no more parts: a part with a single column would be hard to read beside the others.
    return next(narrower for width in range(1, widest + 1) if len(narrower := _filled(columns, width)) <= len(parts))


def _filled(columns: Sequence[str], width: int) -> Sequence[Sequence[str]]:
    parts: list[list[str]] = [[]]
    for column in columns:
        if parts[-1] and sum(_wide(each) for each in (*parts[-1], column)) > width:
            parts.append([])
        parts[-1].append(column)
    return parts


def _changed(grid: Grid, before: Grid | None, pair: tuple[str, str]) -> bool:
    return before is not None and pair in grid and pair in before and before[pair] != grid[pair]


def _wide(column: str) -> int:
    return max(len(column), 4) + 2


def _part(
    grid: Grid, before: Grid | None, sources: Sequence[str], columns: Sequence[str], letters: Mapping[Ports, str]
) -> Iterator[str]:
    label = max(len("from \\ to"), *map(len, sources)) + 2
    yield ("from \\ to".ljust(label) + "".join(each.ljust(_wide(each)) for each in columns)).rstrip()
    for source in sources:
        cells = []
        for column in columns:
            pair = (source, column)
            mark = "*" if _changed(grid, before, pair) else ""
            cells.append((_cell(grid.get(pair), letters) + mark).ljust(_wide(column)))
        yield (source.ljust(label) + "".join(cells)).rstrip()


def _cell(cell: tuple[Ports, Ports] | None, letters: Mapping[Ports, str]) -> str:
    if cell is None:
        return "."
    tried, passing = cell
    if passing == tried:
        return "all"
    return letters[passing] if passing else "-"
