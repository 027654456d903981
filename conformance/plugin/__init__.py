"""The pytest plugin `netpol`: a case file is an item, an option is `--netpol-…`, and every fixture can be overridden.

A conftest may define any of these fixtures itself: `netpol_target` (a `runner.target.Target`), `netpol_world`, `netpol_rules`.
"""

from __future__ import annotations

import gc
import shutil
import tempfile
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conformance import errors
from conformance.casefile.packaged import SUFFIXES
from conformance.plugin import options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conformance.model.world import World
    from conformance.plugin.resuming import Resuming
    from conformance.plugin.sharding import Sharding
    from conformance.runner.session import Rules, Session
    from conformance.runner.target import Target
    from conformance.targets import TargetOptions

_target_options: pytest.StashKey[TargetOptions] = pytest.StashKey()
_told = pytest.StashKey[dict[str, Any]]()  # what the head of the record needs: it goes along with every report
_cluster = pytest.StashKey[Any]()
_sharding: pytest.StashKey[Sharding] = pytest.StashKey()
_resuming: pytest.StashKey[Resuming] = pytest.StashKey()
_turns = pytest.StashKey[str]()  # the folder of the locks that workers share
_workers = pytest.StashKey[list[Any]]()
_MARKERS = {
    "core": "cases that every implementation must pass",
    "extended": "cases that must pass where its features are supported",
    "observed": "reported, never judged",
    "row": "cases that are a row of a table: variations, many and quick to read",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


def pytest_configure(config: pytest.Config) -> None:
    from conformance.model.case import FEATURES  # noqa: PLC0415 -- not at pytest's start-up
    from conformance.plugin.recording import Recorder  # noqa: PLC0415 -- not at pytest's start-up

    for name, meaning in _MARKERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")
    for feature in FEATURES:
        config.addinivalue_line("markers", f"{feature.replace('-', '_')}: cases that need {feature}")
    given = getattr(config, "workerinput", {}).get("netpol")
    try:
        config.stash[_target_options] = replace(options.target_options(config), **(given or {}))
        options.check(config)
        if text := options.value(config, "shard"):
            from conformance.plugin.sharding import Sharding, parse  # noqa: PLC0415 -- only where a shard is named

            config.stash[_sharding] = Sharding(parse(text))
            config.pluginmanager.register(config.stash[_sharding], "netpol-sharding")
        _make_report_folder(config)
        if options.value(config, "resume") and (folder := options.report_folder(config)):
            from conformance.plugin.resuming import Resuming  # noqa: PLC0415 -- only where a run is resumed

            config.stash[_resuming] = Resuming(config, folder, config.stash.get(_sharding, None))
            config.pluginmanager.register(config.stash[_resuming], "netpol-resuming")
    except errors.ConformanceError as error:
        raise pytest.UsageError(str(error)) from None
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config, config.stash.get(_resuming, None)), "netpol-recorder")


def _make_report_folder(config: pytest.Config) -> None:
    """See now, rather than with the first verdict, that the record can be written."""
    folder = options.report_folder(config)
    if folder and not config.option.collectonly and not hasattr(config, "workerinput"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise errors.WriteError(f"cannot write the record into {folder}", causes=[str(error)]) from error


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if file_path.suffix not in SUFFIXES:
        return None
    from conformance.plugin.items import CaseFile, is_case_file  # noqa: PLC0415 -- only where a file is looked at

    return CaseFile.from_parent(parent, path=file_path) if is_case_file(file_path) else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Any:
    """Collect without looking for garbage: cases are many small objects that all live on, and looking takes a fifth of the time."""
    looking = gc.isenabled()
    gc.disable()
    try:
        return (yield)
    finally:
        if looking:
            gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse two cases of one id: the record could not tell them apart."""
    seen: dict[str, str] = {}
    for item in items:
        case = getattr(item, "case", None)
        if case is None:
            continue
        other = seen.setdefault(case.id, item.nodeid)
        if other != item.nodeid:
            problem = errors.UsageError(f"{item.nodeid}: {case.id} is already the id of {other}")
            if not hasattr(config, "workerinput"):
                raise pytest.UsageError(problem.message)
            item.problem = problem  # type: ignore[attr-defined]  # a worker can speak only by the report of an item


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    """Let a disruptive case be the only one that runs; waiting for that is part of no case's time."""
    folder = getattr(item.config, "workerinput", {}).get("netpol_turns")
    if folder is None or not hasattr(item, "case"):
        return (yield)
    from conformance.plugin.turns import turn  # noqa: PLC0415 -- only with workers

    with turn(Path(folder), alone=item.case.disruptive):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if not hasattr(item, "case"):
        return report
    from conformance.plugin.items import line_key  # noqa: PLC0415 -- loaded already, since there is an item

    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, errors.ConformanceError):  # no verdict, and none to be had for any other case
        report.longrepr = str(error)
        report.netpol_stop = (str(error), error.exit_status)
    if call.when == "call" and line_key in item.stash:
        told = item.config.stash[_told]
        report.netpol = {"line": item.stash[line_key], **told}
    return report


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Answer `-n auto` by what the target bears, where one is named; else it is about tests of somebody else."""
    if not options.value(config, "target"):
        return None
    from conformance import targets  # noqa: PLC0415 -- only where it is asked

    try:
        count = targets.side_by_side(options.target_options(config), options.world_size(config))
    except errors.ConformanceError:
        return 0  # it is said where the options are read
    return count if count > 1 else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Make the kind cluster once, before there are workers that would each make one."""
    chosen = config.stash[_target_options]
    resuming = config.stash.get(_resuming, None)
    to_run = resuming is None or resuming.left is None or not resuming.left.has_all
    if chosen.target == "kind" and to_run and not config.option.collectonly:
        from conformance import targets  # noqa: PLC0415 -- only for target kind

        try:
            config.stash[_cluster] = targets.shared_kind(chosen)
        except errors.ConformanceError as error:
            pytest.exit(str(error), returncode=error.exit_status)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist which run it is part of, and where the cluster is."""
    given = {"run": node.config.stash[_target_options].run}
    if _cluster in node.config.stash:
        given |= node.config.stash[_cluster].for_workers()
    node.workerinput["netpol"] = given
    if _resuming in node.config.stash:
        from conformance.plugin.resuming import INPUT  # noqa: PLC0415 -- loaded already

        node.workerinput[INPUT] = node.config.stash[_resuming].for_workers()
    if _turns not in node.config.stash:
        node.config.stash[_turns] = tempfile.mkdtemp(prefix="netpol-conformance-")
    node.workerinput["netpol_turns"] = node.config.stash[_turns]
    node.config.stash.setdefault(_workers, []).append(node)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Let workers remove what they made before pytest-xdist ends them."""
    if exitstatus == pytest.ExitCode.INTERRUPTED and (workers := session.config.stash.get(_workers, [])):
        from conformance.plugin.interrupts import end  # noqa: PLC0415 -- only with workers

        end(workers, Path(session.config.stash[_turns]))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _cluster in config.stash:
        config.stash[_cluster].close()
    if _turns in config.stash:
        shutil.rmtree(config.stash[_turns], ignore_errors=True)


@pytest.fixture(scope="session")
def netpol_world(pytestconfig: pytest.Config) -> World:
    """The world that every case starts from. An overridden one needs the default namespaces and pods, and may add to them."""
    from conformance.model.crowd import crowded  # noqa: PLC0415 -- only once a case runs
    from conformance.model.default_world import default_world  # noqa: PLC0415 -- as above

    return crowded(default_world(), options.world_size(pytestconfig))


@pytest.fixture(scope="session")
def netpol_rules(pytestconfig: pytest.Config) -> Rules:
    """How the run judges: timeouts, unsupported features, waivers."""
    return options.rules(pytestconfig)


@pytest.fixture(scope="session")
def netpol_target(pytestconfig: pytest.Config) -> Iterator[Target]:
    """The target that the options name, closed at the end of the session."""
    from conformance import targets  # noqa: PLC0415 -- only once a case runs
    from conformance.plugin.interrupts import ended_by_sigterm  # noqa: PLC0415 -- as above

    target = None
    with ended_by_sigterm():
        try:
            target = targets.make(pytestconfig.stash[_target_options])
            yield target
        finally:
            if target is not None and not _kept(pytestconfig):
                _closed(target.close)


@pytest.fixture(scope="session")
def netpol_session(
    netpol_target: Target,
    netpol_world: World,
    netpol_rules: Rules,
    pytestconfig: pytest.Config,
    request: pytest.FixtureRequest,
) -> Iterator[Session]:
    """The run on the target: it has an arena of its own on each worker."""
    from conformance.plugin.items import CaseItem  # noqa: PLC0415 -- loaded already, since there are cases
    from conformance.plugin.sharding import told_of_cases  # noqa: PLC0415 -- only once a case runs
    from conformance.runner.session import Session  # noqa: PLC0415 -- only once a case runs

    _see_that_it_is_a_target(netpol_target)
    worker = getattr(pytestconfig, "workerinput", {})
    if worker:
        from conformance.plugin.interrupts import end_with_the_controller  # noqa: PLC0415 -- only in a worker

        end_with_the_controller(Path(worker["netpol_turns"]))
    name = worker.get("workerid", "main")
    session = Session(netpol_target, netpol_rules, name=name, world=netpol_world, progress=_progress(pytestconfig))
    try:
        session.open()
        description = asdict(netpol_target.describe())
        told = {
            "target": description["target"],
            "implementation": description["implementation"],
            "implementation_version": description["version"],
            "environment": dict(description["environment"]),
            "unsupported": dict(session.unsupported),
        }
        mine = [item for item in request.session.items if isinstance(item, CaseItem)]
        if (resuming := pytestconfig.stash.get(_resuming, None)) is not None:
            resuming.refuse_another_target(pytestconfig, told)
            mine = [*resuming.mine]  # those too that are not run again
        pytestconfig.stash[_told] = {
            **told_of_cases(mine, pytestconfig.stash.get(_sharding, None)),
            "target": told,
        }
        yield session
    finally:
        if not _kept(pytestconfig):
            _closed(session.close)


def _see_that_it_is_a_target(target: object) -> None:
    """Refuse what a conftest's fixture returned that is none, with what to return instead."""
    from conformance.runner.target import Target  # noqa: PLC0415 -- only once a case runs

    wanted = [name for name in vars(Target) if not name.startswith("_")]
    missing = [name for name in wanted if not hasattr(target, name)]
    if missing:
        raise errors.UsageError(
            f"the fixture netpol_target returned {target!r}, which is no target: it has no {', '.join(missing)}",
            hint="conformance.targets.make(conformance.targets.TargetOptions(target='mini:perfect')) makes one",
        )


def _kept(config: pytest.Config) -> bool:
    return config.stash[_target_options].keep


def _closed(close: Callable[[], None]) -> None:
    """Close; what could not be removed is a warning, since it says nothing about any case."""
    try:
        close()
    except errors.ConformanceError as error:
        warnings.warn(pytest.PytestWarning(f"something is left on the target: {error}"), stacklevel=1)


def _progress(config: pytest.Config) -> Any:
    """Say on a terminal what is being waited for, since bringing up a cluster's pods takes a while."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    capture = config.pluginmanager.get_plugin("capturemanager")

    def say(text: str) -> None:
        if reporter is not None and capture is not None and text.startswith("bringing up"):
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"\n{text}")

    return say
