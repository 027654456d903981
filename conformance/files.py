"""Files that others wrote, read so that none of them can hang a program or fill the memory."""

from __future__ import annotations

import os
from pathlib import Path

#: For files that people write by hand; the longest of the suite has 30 KB.
MOST_BYTES = 256 * 1024


def read(path: Path, most: int = MOST_BYTES) -> bytes:
    """Return what is in a file; OSError for one that is not there, too large, or a FIFO, which nobody may ever write to."""
    try:
        refuse_fifo(path)
        with path.open("rb") as file:
            data = file.read(most + 1)
    except ValueError as error:  # a name that no file can have
        raise OSError(f"{error}: {str(path)!r}") from None
    if len(data) > most:
        raise OSError(f"larger than {most // 1024} KiB")
    return data


def refuse_fifo(path: Path) -> None:
    """Raise an OSError for a FIFO. The pipes of a shell, such as /dev/stdin, have no place of their own and somebody who writes to them."""
    if Path(os.path.realpath(path)).is_fifo():
        raise OSError("a FIFO, and no file")


def leads_out(path: Path, folder: Path) -> bool:
    """Tell whether what was found in a folder is a link to somewhere else."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def as_text(name: str) -> str:
    """Return a name, or whatever else a system hands over, as text that can be written: what is not UTF-8 with escapes for its bytes."""
    return name.encode("utf-8", "backslashreplace").decode()
