"""The record on disk: `run.jsonl`, written line by line as a run goes on, so that one that was killed can still be read."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from conformance.errors import RecordError
from conformance.model.record import CaseLine, Footer, Header, Record
from conformance.report.versions import READABLE, as_of_now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

FILE = "run.jsonl"


def now() -> str:
    """Return the time of day as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Writer:
    """Appends lines to a new record, `run.jsonl` in a folder or a file of another name; RecordError where that cannot be written to."""

    def __init__(self, folder: Path, header: Header, file: str = FILE) -> None:
        self.path = folder / file
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise RecordError(f"cannot write the record {self.path}", causes=[str(error)]) from error
        self._write(header)

    def case(self, line: CaseLine) -> None:
        self._write(line)

    def finish(self, footer: Footer) -> None:
        self._write(footer)
        self.close()

    def close(self) -> None:
        self._file.close()

    @property
    def where(self) -> str:
        return str(self.path)

    def _write(self, line: Header | CaseLine | Footer) -> None:
        try:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
            self._file.flush()
        except OSError as error:
            raise RecordError(f"cannot write the record {self.path}", causes=[str(error)]) from error


class LogWriter:
    """Says the lines of a record among other text, such as the log of a container that nothing else is left of.

    Each is a line of its own, pure ASCII, and begins with what no other line of a run begins with: `grep` finds the record again.
    """

    BEGINNING = '{"type": '

    def __init__(self, say: Callable[[str], None], header: Header) -> None:
        self._say = say
        self._write(header)

    def case(self, line: CaseLine) -> None:
        self._write(line)

    def finish(self, footer: Footer) -> None:
        self._write(footer)

    def close(self) -> None:
        """Nothing is to be closed."""

    @property
    def where(self) -> str:
        return f"the lines of this output that begin with {self.BEGINNING}"

    def _write(self, line: Header | CaseLine | Footer) -> None:
        self._say(json.dumps(line))


def write(path: Path, record: Record) -> Path:
    """Write a whole record to a file, or as `run.jsonl` to a folder that is there; return the file."""
    folder, file = (path, FILE) if path.is_dir() else (path.parent, path.name)
    writer = Writer(folder, record.header, file)
    for line in record.cases:
        writer.case(line)
    if record.footer is not None:
        writer.finish(record.footer)
    writer.close()
    return writer.path


def footer(cases: Iterable[CaseLine], seconds: float) -> Footer:
    verdicts = Counter(line["verdict"] for line in cases)
    return Footer(type="footer", verdicts=dict(sorted(verdicts.items())), seconds=round(seconds, 3), ended=now())


def read(folder: Path) -> Record:
    """Read a record back, also one that an earlier version wrote.

    A last line that was cut off is left out; anything else that is no record is a RecordError.
    """
    path = folder / FILE if folder.is_dir() else folder
    try:
        raw = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RecordError(
            f"no record at {path}", causes=[str(error)], hint="give the folder of a run's --report"
        ) from error
    lines = [_parse(path, number, text) for number, text in enumerate(raw[:-1], 1)]
    if not lines or lines[0]["type"] != "header" or lines[0].get("format") not in READABLE:
        raise RecordError(
            f"{path} does not begin with the header of a record: {', '.join(READABLE[:-1])} or {READABLE[-1]}"
        )
    lines = [as_of_now(line) for line in lines]
    header: Header = lines[0]
    last = lines.pop() if lines[-1]["type"] == "footer" else None
    for number, line in enumerate(lines[1:], 2):
        if line["type"] != "case":
            raise RecordError(f"{path}:{number}: a {line['type']} line among the cases")
    return Record(header, tuple(lines[1:]), last)


def _parse(path: Path, number: int, text: bytes) -> Any:
    try:
        line = json.loads(text.decode("utf-8"))
    except ValueError as error:
        raise RecordError(f"{path}:{number}: not a line of a record", causes=[str(error)]) from error
    if not isinstance(line, dict) or not isinstance(line.get("type"), str):
        raise RecordError(f"{path}:{number}: not a line of a record", causes=["it is no object with a type"])
    return line
