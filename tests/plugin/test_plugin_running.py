"""Cases that run under pytest: verdicts, words, exit statuses, fixtures, the record."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest
from plugin_project import LEAKY, REFUSING

import conformance

if TYPE_CHECKING:
    from plugin_project import Project

PASS = {"XXXX": "pass", "YYYY": "pass", "ZZZZ": "pass"}


def test_a_run_in_which_all_is_well(project: Project) -> None:
    result = project.run()
    assert result.ret == 0
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines([
        "NetworkPolicy conformance of mini-perfect * on mini:perfect",
        "  core         2 cases: 2 pass",
        "  extended     1 cases: 1 pass",
    ])  # fmt: skip


def test_a_failure_is_told_in_words_and_without_a_traceback(project: Project) -> None:
    project.target(LEAKY)
    result = project.run("-v")
    assert result.ret == 1
    result.stdout.fnmatch_lines([
        "sub/z.yaml::ZZZZ PASS*",
        "x.yaml::XXXX FAIL*",
        "y.yaml::YYYY PASS*",
        "FAIL XXXX: 8 leak of 72 flows in step 'closed'",
        "case:          x.yaml",
        "step 'closed': 8 of 72 flows are not as they must be*",
        "  LEAK: must be blocked, but passed",
        "    x/b, x/c, y/a, y/b, y/c, z/a, z/b, z/c -> x/a:80/TCP",
        "    must be blocked because x/a is isolated for ingress by x/deny (x.yaml:14:9), and no ingress rule matches",
        "FAIL x.yaml::XXXX*",  # with the reason behind it from pytest 9 on
        "*1 failed, 2 passed*",
    ])  # fmt: skip
    for word in ("Traceback", "CaseFailed", "items.py"):
        assert word not in result.stdout.str()


def test_an_error_is_told_as_one_that_accuses_nobody(project: Project) -> None:
    project.target(REFUSING)
    result = project.run("-v")
    result.stdout.fnmatch_lines([
        "x.yaml::XXXX PASS*",
        "y.yaml::YYYY ERROR*",
        "ERROR YYYY: the API server said no",
        "hint:          ask it why",
        "note: * it says nothing about the implementation",
        "  core         2 cases: 1 pass, 1 error",
    ])  # fmt: skip


def test_a_bug_of_the_suite_is_an_error_with_the_traceback_in_the_log(project: Project) -> None:
    project.target("""
class Arena(Arena):
    def change(self, changes):
        raise KeyError(changes[0].policy.ref)

Target.Arena = Arena
""")
    result = project.run("x.yaml", "--netpol-report=report")
    assert result.ret == 70
    result.stdout.fnmatch_lines(
        ["ERROR XXXX: the suite is at fault: KeyError('x/deny')", "*Captured log call*", "Traceback*"]
    )
    assert project.record()[1]["verdict"] == "error"


# Exit statuses.


@pytest.mark.parametrize(
    ("wrong", "chosen", "status"),
    [
        ((), "x.yaml y.yaml", 0),
        ((LEAKY,), "x.yaml y.yaml", 1),
        ((REFUSING,), "x.yaml y.yaml", 70),
        ((LEAKY, REFUSING), "x.yaml y.yaml", 1),
        ((), "x.yaml --netpol-unsupported=ingress", 0),
        ((LEAKY,), "x.yaml -k nothing", 5),
        ((), "nowhere.yaml", 4),
    ],
)
def test_exit_statuses(project: Project, wrong: tuple[str, ...], chosen: str, status: int) -> None:
    project.target(*wrong)
    assert project.run(*chosen.split()).ret == status


def test_other_plugins_do_not_spoil_the_exit_status(project: Project) -> None:
    """Syrupy, for one, makes 71 of 70."""
    project.target(
        REFUSING,
        """
def pytest_sessionfinish(session, exitstatus):
    session.exitstatus |= exitstatus
""",
    )
    assert project.run().ret == 70


def test_a_case_that_could_not_even_begin_accuses_nobody(project: Project) -> None:
    project.target("""
@pytest.fixture(scope="session")
def netpol_rules():
    raise RuntimeError("no rules")
""")
    assert project.run().ret == 70


def test_a_plain_test_that_fails_is_not_taken_for_an_error_of_the_suite(project: Project) -> None:
    project.target()
    project.write("test_plain.py", "def test_it(): assert False\n")
    assert project.run().ret == 1


@pytest.mark.parametrize("error", ["TargetUnavailable", "ArenaFailed"])
def test_a_target_that_cannot_be_had_ends_the_run_with_words(project: Project, error: str) -> None:
    project.target(f"""
def open_arena(self, world, name):
    raise {error}("no nodes", causes=["the API server is away"], hint="start it")

Target.open_arena = open_arena
""")
    result = project.run("--netpol-report=report")
    assert result.ret == 69
    output = result.stdout.str() + result.stderr.str()
    for words in ("no nodes", "because: the API server is away", "hint: start it"):
        assert words in output
    assert "Traceback" not in output
    assert project.trace()[-1] == "target closed"
    assert not (project.path / "report" / "run.jsonl").exists()


def test_arenas_that_do_not_come_up_one_after_another_end_the_run(project: Project) -> None:
    project.target("""
class Broken(Target):
    def open_arena(self, world, name):
        if self.opened:
            raise ArenaFailed("no pods")
        return super().open_arena(world, name)

class Arena(Arena):
    def change(self, changes):
        raise ActionFailed("no")

Target = Broken
Target.Arena = Arena
""")
    result = project.run("--netpol-report=report")
    assert result.ret == 69
    assert [line.get("verdict") for line in project.record()] == [None, "error", "error"]


# Options.


def test_options_of_the_command_line_have_twins_in_ini_files(project: Project) -> None:
    project.pytester.makeini(
        """
        [pytest]
        netpol_target = mini:perfect
        netpol_report = out
        netpol_unsupported =
            named-port
            sctp
        netpol_timeout =
            settle=7
            hold=1
        """
    )
    assert project.run().ret == 0
    head, *cases, _ = project.record("out")
    assert head["options"] == {
        "target": "mini:perfect",
        "report": "out",
        "unsupported": ["named-port", "sctp"],
        "timeout": ["settle=7", "hold=1"],
    }
    assert {line["id"]: line["verdict"] for line in cases} == {**PASS, "YYYY": "unsupported"}
    assert head["unsupported"]["named-port"] == "declared as not supported"


def test_paths_in_an_ini_file_are_taken_from_where_it_is(project: Project) -> None:
    project.pytester.makeini("[pytest]\nnetpol_target = mini:perfect\nnetpol_report = out\nnetpol_about = about.toml\n")
    project.write("about.toml", 'organization = "Example"\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.path / "sub")
        assert project.run("--rootdir=..", "-c", "../tox.ini", ".").ret == 0
    assert project.record("out")[0]["about"] == {"organization": "Example"}


def test_the_command_line_goes_before_the_ini_file(project: Project) -> None:
    project.pytester.makeini(
        "[pytest]\nnetpol_target = kubernetes\nnetpol_report = out\nnetpol_unsupported = ingress\n"
    )
    result = project.run("--netpol-target=mini:perfect", "--netpol-report=other", "--netpol-unsupported=egress")
    result.assert_outcomes(passed=3)
    assert (project.path / "other").exists()
    assert not (project.path / "out").exists()


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--netpol-timeout=settle", "'settle' is no timeout"),
        ("--netpol-timeout=settle=soon", "'settle=soon' is no timeout"),
        ("--netpol-timeout=sleep=1", "no timeout is called 'sleep'"),
        ("--netpol-timeout=settle=1000", "timeout settle=1000 is out of range"),
        ("--netpol-timeout=settle=-1", "timeout settle=-1 is out of range"),
        ("--netpol-timeout=settle=nan", "timeout settle=nan is out of range"),
        ("--netpol-world-size=8", "a world has 9 to 500 pods, not 8"),
        ("--netpol-world-size=many", "a world has 9 to 500 pods, not many"),
        ("--netpol-run=Not a name", "a run's name is 1 to 12 of a-z0-9"),
        ("--netpol-unsupported=end-prot", "end-prot"),
        ("--netpol-waivers=waivers.yaml", "waivers.yaml:2:5: waivers[0].reason: missing"),
        ("--netpol-waivers=nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_an_option_that_makes_no_sense_is_a_usage_error(project: Project, option: str, words: str) -> None:
    project.write("waivers.yaml", "waivers:\n  - {cases: [XXXX]}\n")
    result = project.run(option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    output = result.stdout.str() + result.stderr.str()
    assert words in output
    assert "Traceback" not in output


@pytest.mark.parametrize(
    ("target", "status", "words"),
    [
        ("nonsense", pytest.ExitCode.USAGE_ERROR, "no target is called 'nonsense'"),
        ("mini:nonsense", pytest.ExitCode.USAGE_ERROR, "no miniature is called 'nonsense'"),
        ("kubernetes", 64, "no context is named"),
    ],
)
def test_a_target_that_does_not_exist_is_a_usage_error(project: Project, target: str, status: int, words: str) -> None:
    result = project.run(f"--netpol-target={target}")
    assert result.ret == status
    assert words in result.stdout.str() + result.stderr.str()


def test_help_lists_every_option_and_its_twin(project: Project) -> None:
    text = project.run("--help").stdout.str()
    for name in ("target", "context", "report", "waivers", "unsupported", "timeout"):
        assert f"--netpol-{name}=VALUE" in text
        assert f"netpol_{name}" in text


# Fixtures.


def test_a_conftest_may_bring_its_own_target(project: Project) -> None:
    project.target()
    assert project.verdicts() == PASS
    assert project.trace() == ["arena opened main-1", "arena closed", "target closed"]


def test_a_conftest_may_bring_its_own_world(project: Project) -> None:
    project.write(
        "conftest.py",
        """
        import pytest
        from conformance.model.default_world import default_world, servers
        from conformance.model.world import Pod

        @pytest.fixture(scope="session")
        def netpol_world():
            return default_world().with_pod(Pod("x", "d", {"pod": "d"}, servers()))
        """,
    )
    assert project.verdicts() == PASS
    assert {step["cells"] for line in project.record()[1:-1] for step in line["steps"]} == {10 * 9}


def test_a_conftest_may_bring_its_own_rules(project: Project) -> None:
    project.target(
        LEAKY,
        """
from conformance.model.waiver import Waiver
from conformance.runner.session import Rules

@pytest.fixture(scope="session")
def netpol_rules():
    return Rules(unsupported={"named-port": "not ours"}, waivers=(Waiver(("XXXX",), "known since 2019"),))
""",
    )
    assert project.verdicts() == {"XXXX": "waived", "YYYY": "unsupported", "ZZZZ": "pass"}


@pytest.mark.parametrize(
    ("fixture", "returned", "words"),
    [
        ("netpol_rules", "Rules(unsupported=['end-port'])", "unsupported is ['end-port']"),
        ("netpol_rules", "Rules(unsupported={'endport': 'not yet'})", "no feature is called endport"),
        ("netpol_target", "'mini:perfect'", "the fixture netpol_target returned 'mini:perfect', which is no target"),
    ],
)
def test_a_fixture_that_returns_what_makes_no_sense_is_told_once_and_without_a_traceback(
    project: Project, fixture: str, returned: str, words: str
) -> None:
    project.write(
        "conftest.py",
        f"""
        import pytest
        from conformance.runner.session import Rules

        @pytest.fixture(scope="session")
        def {fixture}():
            return {returned}
        """,
    )
    result = project.run()
    output = result.stdout.str()
    assert result.ret == 64
    assert output.count(f"E   {words}") <= 1
    assert words in output
    assert "Traceback" not in output


def test_a_plain_test_may_use_the_session(project: Project) -> None:
    project.target()
    project.write(
        "test_plain.py",
        """
        from pathlib import Path
        from conformance.casefile.load import load_file
        from conformance.model.verdict import Verdict

        def test_it(netpol_session):
            assert netpol_session.run(*load_file(Path("x.yaml"))).verdict is Verdict.PASS
        """,
    )
    project.run().assert_outcomes(passed=4)
    assert project.trace().count("arena opened main-1") == 1


# Words for what is neither pass nor fail.


def test_unsupported_is_skipped_with_its_reason(project: Project) -> None:
    result = project.run("--netpol-unsupported=named-port", "-v", "-ra")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["y.yaml::YYYY UNSUPPORTED*named-port: declared as not supported*"])
    result.stdout.fnmatch_lines(["  core         2 cases: 1 pass, 1 unsupported", "*2 passed, 1 unsupported*"])


ABOUT = """
implementation = "my-plugin"
organization = "Example"
contact = ["@a", "@b"]
"""


def test_a_record_says_who_makes_the_implementation_and_how_it_is_operated(project: Project) -> None:
    project.write("about.toml", ABOUT)
    result = project.run("--netpol-about=about.toml", "--netpol-mode=eBPF", "--netpol-report=report")
    header = project.record()[0]
    assert (header["implementation"], header["implementation_version"], header["mode"]) == (
        "my-plugin",
        "0.1.0",
        "eBPF",
    )
    assert header["about"] == {"organization": "Example", "contact": "@a @b"}
    result.stdout.fnmatch_lines(["NetworkPolicy conformance of my-plugin 0.1.0 (eBPF) on *"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("organisation = 'x'", "about.toml: organisation is not known"),
        ("url = 5", "about.toml: url must be text"),
        ("contact = [1]", "about.toml: contact must be text, or a list of texts"),
        ("url = ", "about.toml cannot be read"),
    ],
)
def test_what_is_wrong_with_it_is_a_usage_error(project: Project, text: str, words: str) -> None:
    project.write("about.toml", text)
    result = project.run("--netpol-about=about.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stdout.str() + result.stderr.str()


WAIVED = """\
waivers:
  - {cases: [XXXX], reason: known since 2019, link: "https://example.org/1", until: "9999-01-01"}
"""


def test_a_failure_that_is_waived_does_not_fail_the_run(project: Project) -> None:
    project.target(LEAKY)
    project.write("waivers.yaml", WAIVED)
    result = project.run("--netpol-waivers=waivers.yaml", "--netpol-strict", "-v", "-ra")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["x.yaml::XXXX WAIVED*known since 2019*", "*2 passed, 1 waived*"])


def test_a_waiver_that_is_over_waives_nothing(project: Project) -> None:
    project.target(LEAKY)
    project.write("waivers.yaml", WAIVED.replace("9999", "2020"))
    result = project.run("--netpol-waivers=waivers.yaml")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["note: *its waiver is over: known since 2019 (*, until 2020-01-01)"])


@pytest.mark.parametrize(("strict", "status"), [((), 0), (("--netpol-strict",), 1)])
def test_a_waived_case_that_passes_is_told_and_fails_a_strict_run(
    project: Project, strict: tuple[str, ...], status: int
) -> None:
    project.write("waivers.yaml", WAIVED)
    result = project.run("--netpol-waivers=waivers.yaml", "--netpol-report=report", *strict)
    assert result.ret == status
    fails = ", and with --strict they fail the run" if strict else ""
    result.stdout.fnmatch_lines([f"  waived, and pass all the same: XXXX; their waivers can go{fails}"])
    assert [line["id"] for line in project.record()[1:-1] if line["waiver"]] == ["XXXX"]


def test_what_is_only_observed_does_not_fail_the_run(project: Project) -> None:
    project.target(LEAKY)
    project.case("x.yaml", "XXXX", tier="observed")
    result = project.run("-v", "x.yaml", "--netpol-report=report")
    assert result.ret == 0
    assert project.record()[1]["verdict"] == "skipped"
    assert project.record()[1]["steps"][-1]["findings"]


# Some cases only, or not to the end.


def test_last_failed(project: Project) -> None:
    project.target(LEAKY)
    project.run()
    result = project.run("--lf", "-v")
    assert [line.split()[0] for line in result.outlines if "::" in line][:1] == ["x.yaml::XXXX"]
    result.assert_outcomes(failed=1)


def test_exitfirst(project: Project) -> None:
    project.target(LEAKY, REFUSING)
    project.case("a.yaml", "AAAA")
    result = project.run("-x", "--netpol-report=report")
    assert result.ret == 1
    head, *rest = project.record()
    assert (head["cases"], [line["id"] for line in rest if line["type"] == "case"]) == (4, ["AAAA"])
    result.stdout.fnmatch_lines(["  3 of 4 cases were not run"])
    assert project.trace()[-2:] == ["arena closed", "target closed"]


def test_a_run_that_was_stopped_early_has_no_footer(project: Project) -> None:
    project.target(LEAKY)
    project.case("a.yaml", "AAAA")
    project.run("-x", "--netpol-report=report")
    assert project.record()[-1]["type"] == "case"


def test_ctrl_c_in_the_middle_leaves_a_record_without_a_footer_and_no_arena(project: Project) -> None:
    project.target("""
class Arena(Arena):
    def change(self, changes):
        if applied(changes, "x"):
            raise KeyboardInterrupt
        super().change(changes)

Target.Arena = Arena
""")
    result = project.run_alone("--netpol-report=report")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    lines = project.record()
    assert [line.get("id") for line in lines] == [None, "ZZZZ"]
    assert project.trace() == ["arena opened main-1", "arena closed", "target closed"]
    result.stdout.fnmatch_lines(["  2 of 3 cases were not run"])


# The record and JUnit.


def test_a_record_that_cannot_be_written_is_told_before_any_case_runs(project: Project) -> None:
    project.target()
    project.write("file", "")
    result = project.run("--netpol-report=file/report")
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
    assert "cannot write the record" in result.stdout.str() + result.stderr.str()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert project.trace() == []


def test_the_record(project: Project) -> None:
    result = project.run("--netpol-report=deep/report", "--netpol-timeout=settle=9", "-m", "core or extended")
    result.stdout.fnmatch_lines(["record: deep/report/run.jsonl"])
    head, *cases, foot = project.record("deep/report")
    assert {key: head[key] for key in ("type", "suite_version", "cases", "own_cases", "target", "implementation")} == {
        "type": "header",
        "suite_version": conformance.__version__,
        "cases": 3,
        "own_cases": 3,
        "target": "mini:perfect",
        "implementation": "mini-perfect",
    }
    assert head["options"] == {
        "target": "mini:perfect",
        "report": "deep/report",
        "timeout": ["settle=9"],
        "m": "core or extended",
    }
    assert [line["path"] for line in cases] == ["sub/z.yaml", "x.yaml", "y.yaml"]
    assert (foot["type"], foot["verdicts"]) == ("footer", {"pass": 3})


def test_the_case_set_names_the_cases_that_were_chosen(project: Project) -> None:
    def case_set(*arguments: str) -> Any:
        project.run("--netpol-report=report", *arguments)
        return project.record()[0]["case_set"]

    everything = case_set()
    assert case_set("y.yaml", "sub", "x.yaml") == everything
    assert case_set("-m", "core") != everything
    project.write("x.yaml", (project.path / "x.yaml").read_text(encoding="utf-8").replace("closed", "shut"))
    assert case_set() != everything


def test_without_a_folder_there_is_no_record(project: Project) -> None:
    before = {path.name for path in project.path.iterdir()}
    project.run("-p", "no:cacheprovider")
    assert {path.name for path in project.path.iterdir()} - before <= {"__pycache__"}


def test_junit_has_what_is_known_of_a_case(project: Project) -> None:
    project.target(LEAKY, REFUSING)
    project.run("--junit-xml=junit.xml", "--netpol-unsupported=egress")
    suite = ET.parse(project.path / "junit.xml").getroot()[0]
    found = {each.attrib["name"]: each for each in suite.findall("testcase")}
    assert set(found) == set(PASS)
    properties = {
        name: {each.attrib["name"]: each.attrib["value"] for each in case.iter("property")}
        for name, case in found.items()
    }
    assert {key: value for key, value in properties["ZZZZ"].items() if key != "id"} == {
        "tier": "extended",
        "requirement": "A pod that a policy selects MUST be closed.",
        "spec": "https://example.org/spec",
        "verdict": "pass",
    }
    assert {name: each["verdict"] for name, each in properties.items()} == {
        "XXXX": "fail",
        "YYYY": "error",
        "ZZZZ": "pass",
    }
    failure = found["XXXX"].find("failure")
    assert failure is not None
    assert "8 of 72 flows" in (failure.text or "")
    assert "Traceback" not in (failure.text or "")


def test_junit_has_the_id_among_the_properties(project: Project) -> None:
    project.run("--junit-xml=junit.xml", "x.yaml")
    properties = ET.parse(project.path / "junit.xml").getroot().iter("property")
    assert {each.attrib["name"]: each.attrib["value"] for each in properties}["id"] == "XXXX"


# The plugin in a project that has nothing to do with it.


def test_a_project_without_cases_hears_nothing_of_the_plugin(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_inprocess()
    result.assert_outcomes(passed=1)
    assert "conformance" not in result.stdout.str().replace("netpol-conformance", "")


def test_nothing_heavy_is_imported_before_a_case_is_collected(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_it():
            assert not {"kubernetes", "pyroute2", "pydantic", "yaml", "tenacity"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:syrupy", "-p", "no:hypothesispytest").assert_outcomes(passed=1)
