"""Case files as pytest sees them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.load import load_file
from conformance.errors import CaseFileError
from conformance.report.store import read

if TYPE_CHECKING:
    from plugin_project import Project

ALL = ["sub/z.yaml::ZZZZ", "x.yaml::XXXX", "y.yaml::YYYY"]


def collected(project: Project, *arguments: str) -> list[str]:
    result = project.run("--collect-only", "-q", *arguments)
    return sorted(line for line in result.outlines if "::" in line)


def test_a_case_file_is_one_item_named_by_path_and_id(project: Project) -> None:
    assert collected(project) == ALL
    assert collected(project, "sub") == ALL[:1]
    assert collected(project, "y.yaml::YYYY") == ALL[2:]


def test_other_yaml_files_are_not_the_plugins_business(project: Project) -> None:
    text = (project.path / "x.yaml").read_text(encoding="utf-8")
    project.write("values.yaml", "a: 1\n")
    project.write("broken.yaml", "{{ .Values }}\n  - :\n")
    project.write("binary.yml", "\x00\udc80".encode("utf-8", "surrogateescape").decode("latin-1"))
    project.write("_schema/case.yaml", "{}")
    for name in ("_draft.yaml", ".hidden.yaml", "notes.txt", "case.json"):
        project.write(name, text)
    assert collected(project) == ALL


def test_a_link_out_of_the_folder_that_was_named_is_refused_and_one_within_is_not(project: Project) -> None:
    (project.path / "link.yaml").symlink_to(project.path / "x.yaml")
    (project.path / "sub" / "out.yaml").symlink_to(project.path / "y.yaml")
    result = project.run("--collect-only", "-q", "sub")
    result.stdout.fnmatch_lines(["*out.yaml:1:1: cannot be read: a link out of the folder that was named*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert collected(project, "sub/out.yaml") == ["sub/out.yaml::YYYY"]
    assert collected(project, "sub/z.yaml", "link.yaml") == ["link.yaml::XXXX", "sub/z.yaml::ZZZZ"]


def test_what_is_no_file_is_not_waited_for(project: Project) -> None:
    os.mkfifo(project.path / "fifo.yaml")
    (project.path / "loop.yaml").symlink_to(project.path / "loop.yaml")
    (project.path / "folder.yaml").mkdir()
    assert collected(project) == ALL


def test_names_that_are_not_utf8_are_written_into_the_record(project: Project) -> None:
    name = os.fsdecode(b"\xff.yaml")
    (project.path / "x.yaml").rename(project.path / name)
    project.run("--netpol-report=report", f"--netpol-mode={name}", name)
    record = read(project.path / "report")
    assert ([line["path"] for line in record.cases], record.header["mode"]) == (["\\udcff.yaml"], "\\udcff.yaml")


def test_what_a_vendor_publishes_is_no_case(project: Project) -> None:
    project.write(
        "public/conformance.yaml", "apiVersion: netpol-conformance/v1\ncaseSet: {}\nkind: ConformanceReport\n"
    )
    assert "conformance.yaml" not in project.run("--collect-only", "-q").stdout.str()


def test_plain_tests_live_beside_cases(project: Project) -> None:
    project.write("test_plain.py", "def test_it(): pass\n")
    assert collected(project) == sorted([*ALL, "test_plain.py::test_it"])
    project.run().assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("keyword", "found"),
    [
        ("XXXX", ALL[1:2]),
        ("sub", ALL[:1]),
        ("extended", ALL[:1]),
        ("named_port", ALL[2:]),
        ("core and not named_port", ALL[1:2]),
        ("not core", ALL[:1]),
    ],
)
def test_keywords_are_paths_ids_tiers_and_features(project: Project, keyword: str, found: list[str]) -> None:
    assert collected(project, "-k", keyword) == found


@pytest.mark.parametrize(
    ("marker", "found"),
    [("core", ALL[1:]), ("extended", ALL[:1]), ("named_port", ALL[2:]), ("ingress and not core", ALL[:1])],
)
def test_tiers_and_features_are_markers(project: Project, marker: str, found: list[str]) -> None:
    assert collected(project, "--strict-markers", "-m", marker) == found


def test_markers_are_described(project: Project) -> None:
    project.run("--markers").stdout.fnmatch_lines([
        "@pytest.mark.core: cases that every implementation must pass",
        "@pytest.mark.extended: cases that must pass where its features are supported",
        "@pytest.mark.observed: reported, never judged",
    ])  # fmt: skip


def test_collecting_touches_no_target(project: Project) -> None:
    project.target('trace("imported")')
    assert collected(project) == ALL
    assert project.trace() == ["imported"]
    project.pytester.makeini("[pytest]\nnetpol_target = kubernetes\nnetpol_context = nowhere\n")
    assert collected(project) == ALL


def test_a_bad_case_file_is_told_by_its_lines_and_nothing_else(project: Project) -> None:
    text = (project.path / "x.yaml").read_text(encoding="utf-8")
    project.write(
        "x.yaml", text.replace("tier: core", "teir: core").replace("id: XXXX", "id: no").replace("-> x/a", "-> ")
    )
    with pytest.raises(CaseFileError) as problems:
        load_file(project.path / "x.yaml", "x.yaml")
    assert len(problems.value.problems) >= 3
    result = project.run()
    start = next(number for number, line in enumerate(result.outlines) if "ERROR collecting x.yaml" in line)
    told = result.outlines[start + 1 : start + 1 + len(problems.value.problems)]
    assert tuple(told) == problems.value.problems
    assert result.outlines[start + 1 + len(told)].startswith("=====")
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.INTERRUPTED


def test_two_bad_files_are_told_together(project: Project) -> None:
    for name in ("x.yaml", "y.yaml"):
        project.write(name, "apiVersion: netpol-conformance/v1\n")
    result = project.run()
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["x.yaml:1:1: *", "y.yaml:1:1: *"])


def test_a_doubled_id_is_refused(project: Project) -> None:
    project.case("sub/again.yaml", "XXXX")
    result = project.run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    output = result.stdout.str() + result.stderr.str()
    assert "x.yaml::XXXX: XXXX is already the id of sub/again.yaml::XXXX" in output
    assert "Traceback" not in output
    assert project.trace() == []


def test_a_file_that_is_named_twice_is_one_case(project: Project) -> None:
    assert collected(project, "x.yaml", "x.yaml", str(project.path)) == ALL


def test_fixtures_of_a_case_are_shown(project: Project) -> None:
    project.run("--fixtures").stdout.fnmatch_lines(["netpol_world*", "netpol_rules*", "netpol_target*"])
    project.run("--setup-plan", "x.yaml").stdout.fnmatch_lines(["*SETUP*netpol_session*"])
