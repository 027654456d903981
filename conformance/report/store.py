"""The record on disk: `run.jsonl`, written line by line as a run goes on, so that one that was killed can still be read."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections import Counter
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any

from conformance import files
from conformance.errors import RecordError, WriteError
from conformance.model.record import CaseLine, Footer, Header, Record
from conformance.report.versions import READABLE, as_of_now
from conformance.report.wellformed import of_record, refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

FILE = "run.jsonl"
#: The most that a record may have, and a line of it: a case in a world of 500 pods has some MB.
MOST_BYTES, _MOST_LINE = 2**30, 64 * 2**20


def now() -> str:
    """Return the time of day as records write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Writer:
    """Appends lines to a new record, `run.jsonl` in a folder or a file of another name; WriteError where that cannot be written to.

    Nothing is kept in a buffer: what was written is in the file, and closing it cannot fail where its disk is full.
    """

    def __init__(self, folder: Path, header: Header, file: str = FILE) -> None:
        self.path = folder / file
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: IO[bytes] = self.path.open("wb", buffering=0)
        except OSError as error:
            raise WriteError(f"cannot write the record {self.path}", causes=[str(error)]) from error
        with contextlib.suppress(OSError):  # a file system may have no locks
            _hold(self._file)
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
            left = memoryview((json.dumps(line, ensure_ascii=False) + "\n").encode())
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise WriteError(f"cannot write the record {self.path}", causes=[str(error)]) from error


class Continuation(Writer):
    """Appends to a record that was cut off: of the `found` bytes of its file the first `size` are whole lines.

    Nothing in the file is changed before the first line is written, and then only what is no whole line is taken away, so that whenever a run
    ends there is no less in the record than before it.
    """

    def __init__(self, path: Path, *, size: int, found: int) -> None:
        self.path = path
        self._size: int | None = size
        try:
            self._file = path.open("rb+", buffering=0)
        except OSError as error:
            raise WriteError(f"cannot go on with the record {path}", causes=[str(error)]) from error
        try:
            self._see_that_nobody_else_writes(found)
        except RecordError:
            self.close()
            raise

    def _see_that_nobody_else_writes(self, found: int) -> None:
        try:
            _hold(self._file)
        except BlockingIOError:
            raise RecordError(
                f"{self.path} is still being written by another run", hint="wait until that has ended, or end it"
            ) from None
        except OSError:  # as where a record is begun
            pass
        if os.fstat(self._file.fileno()).st_size != found:
            raise RecordError(f"{self.path} has changed since it was read", hint="see that no other run writes it")

    def _write(self, line: Header | CaseLine | Footer) -> None:
        if self._size is not None:
            try:
                self._file.seek(self._size)
                self._file.truncate()
            except OSError as error:
                raise WriteError(f"cannot write the record {self.path}", causes=[str(error)]) from error
            self._size = None
        super()._write(line)


def _hold(file: IO[bytes]) -> None:
    """Keep others from going on with a record that is being written. The lock is the kernel's, and is gone with the process."""
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def put_aside(path: Path) -> Path:
    """Keep a file that is no record any more beside the one that takes its place; return where it is."""
    kept = path.with_suffix(f".damaged{path.suffix}")
    try:
        return path.replace(kept)
    except OSError as error:
        raise WriteError(f"cannot keep {path} as {kept}", causes=[str(error)]) from error


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
        raw = list(_whole_lines(path))
    except (OSError, ValueError) as error:  # a ValueError is of a name that no file can have
        raise RecordError(
            f"no record at {path}", causes=[str(error)], hint="give the folder of a run's --report"
        ) from error
    lines = [_parse(path, number, text) for number, text in enumerate(raw, 1)]
    if not lines or lines[0]["type"] != "header" or lines[0].get("format") not in READABLE:
        raise RecordError(
            f"{path} does not begin with the header of a record: {', '.join(READABLE[:-1])} or {READABLE[-1]}"
        )
    lines = [_fitting(path, number, as_of_now(line)) for number, line in enumerate(lines, 1)]
    header: Header = lines[0]
    last = lines.pop() if lines[-1]["type"] == "footer" else None
    for number, line in enumerate(lines[1:], 2):
        if line["type"] != "case":
            raise RecordError(f"{path}:{number}: a {line['type'][:20]} line among the cases")
    return Record(header, tuple(lines[1:]), last)


def _whole_lines(path: Path) -> Iterator[bytes]:
    files.refuse_fifo(path)
    size = 0
    with path.open("rb") as file:
        while (line := file.readline(_MOST_LINE)).endswith(b"\n"):
            size += len(line)
            if size > MOST_BYTES:
                raise OSError(f"larger than {MOST_BYTES >> 20} MiB")
            yield line
    if len(line) == _MOST_LINE:
        raise OSError(f"a line is longer than {_MOST_LINE >> 20} MiB")


def _fitting(path: Path, number: int, line: Any) -> Any:
    refuse(of_record(line), f"{path}:{number}", "record")
    return line


def _parse(path: Path, number: int, text: bytes) -> Any:
    try:
        line = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # the latter of lists within lists without end
        raise RecordError(f"{path}:{number}: not a line of a record", causes=[str(error)]) from error
    if not isinstance(line, dict) or not isinstance(line.get("type"), str):
        raise RecordError(f"{path}:{number}: not a line of a record", causes=["it is no object with a type"])
    return line
