"""What must be the same in several records for what they say to be about one thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: What makes verdicts of several runs answers to the same question.
SAME_QUESTION = ("suite_version", "case_set", "cases")
#: Options that say where a run was made and what it leaves there, and nothing about what was tested.
PLACES = frozenset({"context", "kubeconfig", "kind-name", "run", "report", "keep", "junit"})


def differences(records: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Say what is not the same in a record as in the first. Each is given by its name as what is compared: a person's word, and the value."""
    (first, reference), *others = records.items()
    for name, found in others:
        for what in dict.fromkeys((*reference, *found)):
            here, there = reference.get(what), found.get(what)
            if here != there:
                yield f"{what}: {here or 'none'} in {first}, {there or 'none'} in {name}"
