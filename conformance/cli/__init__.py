"""The command line. Each verb says in words what another room does; `run` is pytest with the plugin's options."""

from __future__ import annotations

import sys

from conformance.cli import cases, clusters, explain, fuzz, matrix, records, run, score
from conformance.cli.app import app, err
from conformance.errors import ConformanceError

__all__ = ["cases", "clusters", "explain", "fuzz", "main", "matrix", "records", "run", "score"]


def main() -> None:
    """Run the command line; a failure that a user can see is words on stderr and an exit status, never a traceback."""
    try:
        app()
    except ConformanceError as error:
        err.print(str(error), markup=False)
        sys.exit(error.exit_status)
