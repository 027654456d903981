"""A YAML file as plain data that remembers where each part was written.

Narrower than YAML 1.1, since a case must mean the same to a reader, to this suite and to the API server: duplicate keys, keys that
are not text, anchors, tags, and plain scalars that YAML 1.1 reads as something else (`yes`, `22:22`, `010`) are problems.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from conformance import files
from conformance.errors import CaseFileError
from conformance.model.source import Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path as FilePath

Path = tuple[str | int, ...]

#: libyaml's parser where PyYAML was built with it: the same nodes, ten times as fast.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_BOOL, _INT, _FLOAT, _NULL = (f"tag:yaml.org,2002:{name}" for name in ("bool", "int", "float", "null"))
_TEXT = "tag:yaml.org,2002:str"
_PLAIN_INT = re.compile(r"^-?(0|[1-9][0-9]*)$")
_PLAIN_FLOAT = re.compile(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$")
#: Text to YAML 1.1, and a number to YAML 1.2 and to kubectl.
OTHERWISE_ELSEWHERE = re.compile(r"^[-+]?(0o[0-7]+|(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?)$|[yYnN]$")
_MOST_DIGITS, _MOST_DEPTH = 18, 50
#: Of files that others wrote, such as all objects of a cluster: bytes, values, values that aliases repeat, and depth.
_MOST_BYTES, _MOST_VALUES, _MOST_REPEATED, _MOST_DEPTH_OF_OTHERS = 16 * 2**20, 500_000, 20_000, 100
#: For each, libyaml looks at all others.
_MOST_DIRECTIVES = 100
_DIRECTIVE = re.compile(r"^%", re.MULTILINE)
#: A problem is told in at most so many characters: what is quoted may be a whole file.
_MOST_TEXT = 500


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a file; `path` is where in the data, such as `steps[0].apply[0].spec`."""

    location: Location
    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.location}: {_cut(self.path) + ': ' if self.path else ''}{_cut(self.text)}"


def _cut(text: str) -> str:
    half = _MOST_TEXT // 2
    return text if len(text) <= _MOST_TEXT else f"{text[:half]} [...] {text[-half:]}"


class _Refused(Exception):
    """A file of which no data is made: nobody can read it, or it would take too long or more memory than there is."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(slots=True)
class Source:
    """A parsed file: its data, where each path of it stands, and what is wrong with it so far."""

    file: str
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    value_places: dict[Path, Location] = field(default_factory=dict)
    key_places: dict[Path, Location] = field(default_factory=dict)

    def at(self, path: Path, *, key: bool = False) -> Location:
        """Return where a value (or its key) stands; the nearest enclosing place for one that is not there."""
        if key and path in self.key_places:
            return self.key_places[path]
        while path and path not in self.value_places:
            path = path[:-1]
        return self.value_places.get(path, Location(self.file, 1))

    def complain(self, path: Path, text: str, *, key: bool = False) -> None:
        self.problems.append(Problem(self.at(path, key=key), dotted(path), text))

    def refuse_problems(self) -> None:
        """Raise CaseFileError with everything that is wrong with the file, if anything is."""
        if self.problems:
            raise CaseFileError([str(problem) for problem in sorted(set(self.problems))])


def read(file: FilePath, shown_as: str) -> Source:
    """Parse a file; never raises for what is in it: that is in `problems`."""
    try:
        text = _text(file, shown_as)
    except _Refused as error:
        return Source(shown_as, problems=[error.problem])
    return parse(text, shown_as)


def _text(file: FilePath, shown_as: str, most: int = files.MOST_BYTES) -> str:
    try:
        return files.read(file, most).decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        location = Location(shown_as, before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise _Refused(Problem(location, "", f"cannot be read: not UTF-8: {error.reason}")) from None
    except OSError as error:
        raise _Refused(Problem(Location(shown_as, 1), "", f"cannot be read: {error}")) from None


def parse(text: str, shown_as: str) -> Source:
    """Parse text as one YAML document."""
    source = Source(shown_as)
    try:
        source.problems.extend(_not_plain(text, shown_as))
        if source.problems:
            return source
        node = yaml.compose(text, _LOADER)
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        source.problems.append(_not_yaml(error, text, shown_as))
        return source
    source.data = _value(source, node, ()) if node is not None else None
    return source


def documents(file: FilePath, shown_as: str) -> Iterator[Source]:
    """Yield each document of a file that others wrote, which may have several; CaseFileError where it is no YAML at all."""
    text = ""
    try:
        text = _text(file, shown_as, _MOST_BYTES)
        _refuse_much(text, shown_as)
        nodes = list(yaml.compose_all(text, _LOADER))
        for node in nodes:
            source = Source(shown_as)
            source.data = _value(source, node, ())
            yield source
    except _Refused as error:
        raise CaseFileError([str(error.problem)]) from error
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        raise CaseFileError([str(_not_yaml(error, text, shown_as))]) from error


def refuse_unusual(file: FilePath, shown_as: str) -> None:
    """Raise CaseFileError for a YAML file that somebody else's parser is to read, and that would be too much for it."""
    for _ in documents(file, shown_as):
        pass


def _refuse_much(text: str, shown_as: str) -> None:
    """See that nodes can be made of a text: of events there is only one at a time."""
    if len(_DIRECTIVE.findall(text)) > _MOST_DIRECTIVES:
        raise _Refused(Problem(Location(shown_as, 1), "", f"more than {_MOST_DIRECTIVES} lines begin with %"))
    sizes: dict[str | None, int] = {}  # of what has an anchor: in values, with those that aliases in it repeat
    inside: list[tuple[str | None, int]] = []  # which collections: their anchors, and how many values came before them
    values = repeated = 0
    for event in yaml.parse(text, _LOADER):
        match event:
            case yaml.DocumentStartEvent():
                sizes.clear()
            case yaml.CollectionEndEvent():
                anchor, before = inside.pop()
                sizes[anchor] = values + repeated - before
            case yaml.AliasEvent(anchor=anchor):
                if any(anchor == each for each, _ in inside):
                    raise _Refused(Problem(_location(shown_as, event.start_mark), "", f"*{anchor} is within &{anchor}"))
                repeated += sizes.get(anchor, 0)
            case yaml.CollectionStartEvent(anchor=anchor):
                inside.append((anchor, values + repeated))
                values += 1
            case yaml.ScalarEvent(anchor=anchor):
                sizes[anchor] = 1
                values += 1
        if much := _much(values, repeated, len(inside)):
            raise _Refused(Problem(_location(shown_as, event.start_mark), "", much))


def _much(values: int, repeated: int, depth: int) -> str:
    if depth > _MOST_DEPTH_OF_OTHERS:
        return f"nested more than {_MOST_DEPTH_OF_OTHERS} deep"
    if values > _MOST_VALUES:
        return f"more than {_MOST_VALUES} values"
    return f"aliases repeat more than {_MOST_REPEATED} values" if repeated > _MOST_REPEATED else ""


def _not_yaml(error: yaml.MarkedYAMLError | yaml.reader.ReaderError, text: str, shown_as: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.encode()[: error.position].count(b"\n") + 1
        return Problem(Location(shown_as, line), "", f"not YAML: {error.reason}")
    mark = error.problem_mark or error.context_mark
    location = _location(shown_as, mark) if mark else Location(shown_as, 1)
    return Problem(location, "", f"not YAML: {error.problem or error.context}")


def _not_plain(text: str, shown_as: str) -> Iterator[Problem]:
    """Yield what case files do without, although it is YAML: anchors, tags, several documents, and depths without end."""
    if len(_DIRECTIVE.findall(text)) > _MOST_DIRECTIVES:
        yield Problem(Location(shown_as, 1), "", f"more than {_MOST_DIRECTIVES} lines begin with %")
        return
    documents = depth = 0
    for event in yaml.parse(text, _LOADER):
        problem = ""
        if getattr(event, "anchor", None):
            problem = "anchors and aliases are not used in case files"
        elif tag := getattr(event, "tag", None):
            problem = f"tags such as {_short(tag)} are not used in case files"
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if documents > 1:
            problem = "a second document begins here: a file holds one"
        elif depth > _MOST_DEPTH:
            problem = f"nested more than {_MOST_DEPTH} deep"
        if problem:
            yield Problem(_location(shown_as, event.start_mark), "", problem)
        if documents > 1 or depth > _MOST_DEPTH:
            return


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def dotted(path: Iterable[str | int]) -> str:
    """Write a path as the API server does: `steps[0].apply[0].spec`; a key with dots in it is bracketed."""
    text = ""
    for part in path:
        if isinstance(part, int) or "." in part:
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


def _location(file: str, mark: Any) -> Location:
    return Location(file, mark.line + 1, mark.column + 1)


def _value(source: Source, node: yaml.Node, path: Path) -> Any:
    source.value_places[path] = _location(source.file, node.start_mark)
    if len(path) > _MOST_DEPTH_OF_OTHERS:
        raise _Refused(Problem(source.value_places[path], "", "aliases within aliases go too deep"))
    if isinstance(node, yaml.MappingNode):
        return dict(_items(source, node, path))
    if isinstance(node, yaml.SequenceNode):
        return [_value(source, item, (*path, index)) for index, item in enumerate(node.value)]
    return _scalar(source, node, path)


def _items(source: Source, node: yaml.MappingNode, path: Path) -> Iterator[tuple[str, Any]]:
    first: dict[str, Location] = {}
    for key, value in node.value:
        location = _location(source.file, key.start_mark)
        if not isinstance(key, yaml.ScalarNode):
            source.problems.append(Problem(location, dotted(path), "a key must be text, and not a list or a mapping"))
            continue
        if key.tag != _TEXT or (not key.style and OTHERWISE_ELSEWHERE.match(key.value)):
            source.problems.append(Problem(location, dotted(path), f"a key must be text: quote {key.value!r}"))
            continue
        name = str(key.value)
        here = (*path, name)
        if name in first:
            text = f"duplicate key; the first is on line {first[name].line}"
            source.problems.append(Problem(location, dotted(here), text))
            continue
        first[name] = location
        source.key_places[here] = location
        yield name, _value(source, value, here)


def _scalar(source: Source, node: yaml.Node, path: Path) -> Any:
    text = str(node.value)
    if getattr(node, "style", None) or (node.tag == _TEXT and not OTHERWISE_ELSEWHERE.match(text)):
        return text
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL and text in {"true", "false"}:
        return text == "true"
    if node.tag == _INT and len(text) > _MOST_DIGITS:
        source.complain(path, f"a number of {len(text)} digits: quote it if it is text")
        return text
    if node.tag == _INT and _PLAIN_INT.match(text):
        return int(text)
    if node.tag in {_FLOAT, _INT} and _PLAIN_FLOAT.match(text):
        return float(text)
    source.complain(path, f"{text!r} means different things to different YAML readers: quote it, or write it plainly")
    return text
