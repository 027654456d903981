"""A new case file is well formed as it stands, whatever the requirement says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.template import new_case, new_id
from conformance.errors import UsageError
from conformance.model.declared import declared_steps
from conformance.runner.rehearsal import rehearse

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model.case import Case

    Load = Callable[[str], Case]


@pytest.mark.parametrize(
    "requirement",
    [
        "A pod that ... MUST ...",
        "A pod MUST: never.",
        "A pod MUST NOT # ever.",
        "'A pod' MUST.",
        '"A pod" MUST',
        "{A pod} MUST",
        "[MUST]",
        "* MUST",
        "&a MUST",
        "!a MUST",
        "- A pod MUST",
        "? MUST",
        "A pod MUST say ü and \\.",
        "80 pods MUST",
        "%MUST",
        "@MUST",
        "MUST ",
        "yes MUST",
        "{id} MUST",
    ],
)
def test_any_requirement(requirement: str, load: Load) -> None:
    case = load(new_case((), requirement))
    assert case.requirement == " ".join(requirement.split())
    assert list(rehearse(declared_steps(case))) == []


def test_a_requirement_of_several_lines_becomes_one(load: Load) -> None:
    assert load(new_case((), "A pod\nMUST\n\n  NOT.\n")).requirement == "A pod MUST NOT."


@pytest.mark.parametrize("requirement", ["", "A pod must not.", "A MUSTARD"])
def test_what_is_no_requirement(requirement: str) -> None:
    with pytest.raises(UsageError, match="is no requirement") as caught:
        new_case((), requirement)
    assert caught.value.hint


def test_an_id_that_is_free() -> None:
    class All:
        """Has every id but those that begin with Z."""

        def __contains__(self, each: object) -> bool:
            return not str(each).startswith("Z")

    for _ in range(20):
        found = new_id(All())
        assert re.fullmatch(r"Z[A-Z2-9]{3}", found)
        assert not set(found) & set("IO01")


def test_ids_are_never_read_as_numbers() -> None:
    """Text to YAML, whatever follows: an id begins with a letter."""
    for _ in range(100):
        assert new_id(())[0].isalpha()
