"""Finding and reading many files: everything that is wrong with all of them, at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.load import find, load_cases, load_file
from conformance.casefile.packaged import cases
from conformance.errors import CaseFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    Whole = Callable[..., str]


def write(folder: Path, files: dict[str, str]) -> list[Path]:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def test_files_are_found_in_order_wherever_they_are(tmp_path: Path) -> None:
    write(
        tmp_path,
        dict.fromkeys(
            ["b/z.yaml", "b/a.yml", "a.yaml", "_schema/x.yaml", "b/_draft.yaml", ".hidden/x.yaml", "b/.x.yaml", "c.json", "README.md"],
            "",
        ),
    )  # fmt: skip
    assert [str(each.relative_to(tmp_path)) for each in find([tmp_path])] == ["a.yaml", "b/a.yml", "b/z.yaml"]
    assert list(find([tmp_path / "_schema"])) == [tmp_path / "_schema" / "x.yaml"]
    assert list(find([tmp_path / "b/_draft.yaml"])) == [tmp_path / "b/_draft.yaml"]
    assert list(find([])) == []


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path, whole: Whole) -> None:
    write(tmp_path, {"a/one.yaml": whole()})
    found = list(find([tmp_path, tmp_path / "a", tmp_path / "a" / "one.yaml", tmp_path / "a" / ".." / "a"]))
    assert found == [tmp_path / "a" / "one.yaml"]
    assert len(load_cases(found)) == 1


def test_a_path_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file or folder: .*nothing") as caught:
        list(find([tmp_path / "nothing"]))
    assert caught.value.hint
    assert caught.value.exit_status == 64


def test_all_problems_of_all_files(tmp_path: Path, whole: Whole) -> None:
    good = whole()
    files = write(
        tmp_path,
        {
            "a.yaml": good.replace("core", "kore").replace("K7QD", "k"),
            "b.yaml": good,
            "c.yaml": "a: [",
            "d.yaml": good.replace("x/a", "x/q").replace("{default: allow}", "{default: allow, deny: [x/q -> *]}"),
            "e.yaml": good,
            "f.yaml": good.replace("K7QD", "AAAA"),
        },
    )
    with pytest.raises(CaseFileError) as caught:
        load_cases(files)
    found = [each.removeprefix(f"{tmp_path}/") for each in caught.value.problems]
    assert [each.split(": ")[0] for each in found] == [
        "a.yaml:3:5",
        "a.yaml:6:7",
        "c.yaml:2:1",
        "d.yaml:10:37",
        "e.yaml:3:5",
    ]
    assert found[-1] == f"e.yaml:3:5: id: K7QD is already the id of {tmp_path}/b.yaml"
    assert str(caught.value).splitlines() == list(caught.value.problems)
    assert caught.value.exit_status == 65


def test_an_id_that_three_files_have(tmp_path: Path, whole: Whole) -> None:
    files = write(tmp_path, dict.fromkeys(["a.yaml", "b.yaml", "c.yaml"], whole()))
    with pytest.raises(CaseFileError) as caught:
        load_cases(files)
    assert len(caught.value.problems) == 2


def test_problems_are_told_in_the_order_of_the_file_and_once(tmp_path: Path, whole: Whole) -> None:
    (file,) = write(tmp_path, {"a.yaml": whole("steps: {}\nfoo: 1\ncovers: [5]\nfoo: 2\n").replace("K7QD", "k")})
    with pytest.raises(CaseFileError) as caught:
        load_file(file, "a.yaml")
    assert [each.split(": ")[0] for each in caught.value.problems] == [
        "a.yaml:3:5",
        "a.yaml:8:8",
        "a.yaml:9:1",
        "a.yaml:10:10",
        "a.yaml:11:1",
    ]


def test_a_file_is_shown_as_it_was_named(tmp_path: Path, whole: Whole) -> None:
    (file,) = write(tmp_path, {"a.yaml": whole()})
    assert [case.location.file for case in load_file(file, "cases/a.yaml")] == ["cases/a.yaml"]  # type: ignore[union-attr]
    assert [case.location.file for case in load_file(file)] == [str(file)]  # type: ignore[union-attr]


def test_the_suites_own_cases_are_found() -> None:
    assert cases() == Path(__file__).resolve().parents[3] / "cases"
    assert any(find([cases()]))
