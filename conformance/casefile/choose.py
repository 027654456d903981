"""Cases, chosen by their ids."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from conformance.casefile.shape import meant
from conformance.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conformance.model.case import Case


def choose(cases: Sequence[Case], ids: Iterable[str]) -> tuple[Case, ...]:
    """Return the cases of some ids, in which `*` stands for any part, each case once; UsageError for an id that no case has.

    Capitals do not matter: ids are short enough to be typed.
    """
    found: dict[str, Case] = {}
    for wanted in ids:
        matching = {case.id: case for case in cases if fnmatchcase(case.id.casefold(), wanted.casefold())}
        if not matching:
            raise _unknown(wanted, [case.id for case in cases])
        found.update(matching)
    return tuple(found.values())


def _unknown(wanted: str, ids: Sequence[str]) -> UsageError:
    rows = [each for each in ids if each.casefold().startswith(f"{wanted.casefold()}-")]
    if rows:
        hint = f"{wanted} is a table of {len(rows)} cases: ask for '{wanted}-*', or for one of them, such as {rows[0]}"
        return UsageError(f"no case has the id {wanted}", hint=hint)
    return UsageError(
        f"no case has the id {wanted}{meant(wanted, ids)}",
        hint="netpol-conformance list shows all ids; a case file is given by its path",
    )
