"""The options of the plugin: each is `--netpol-NAME` on the command line and `netpol_NAME` in an ini file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from conformance.cluster.options import Workload, new_run
from conformance.errors import UsageError
from conformance.files import as_text
from conformance.model.case import FEATURES
from conformance.model.default_world import default_world
from conformance.plugin.about import About, load_about
from conformance.runner import timeouts
from conformance.targets import TargetOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

    from conformance.runner.session import Rules


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `kind` is `text`, `path`, `flag`, or `list` for one that may be given several times.

    A path in an ini file is taken from where that file is, as pytest takes its own.
    """

    name: str
    help: str
    kind: str = "text"

    @property
    def flag(self) -> str:
        return f"--netpol-{self.name}"

    @property
    def ini(self) -> str:
        return f"netpol_{self.name.replace('-', '_')}"


OPTIONS = (
    Option("target", "where to run: netns (the default), kubernetes, kind, or mini:NAME"),
    Option("context", "the kubeconfig context of the cluster; target kubernetes needs it"),
    Option("kubeconfig", "the kubeconfig file, where it is not the usual one", "path"),
    Option("image", "the image of the probe pods: any that has python3 on its PATH"),
    Option("workload", "what the probe pods are on a cluster: pod (the default), or deployment for one each"),
    Option(
        "external",
        "a command that runs its arguments outside the cluster, such as 'docker run -i --rm --network kind --cap-add NET_ADMIN IMAGE'",
    ),
    Option("run", "the name of the run, part of all names on the cluster; a random one by default"),
    Option("kind-name", "target kind: the cluster's name"),
    Option("kind-config", "target kind: the cluster's configuration", "path"),
    Option("kind-plugin", "target kind: the network plugin to install (the default is calico)"),
    Option("kind-manifest", "target kind: a manifest to install instead of the plugin's own"),
    Option("kind-node-image", "target kind: the image of the nodes"),
    Option(
        "keep", "keep the probe pods at the end (target kind: and the cluster), to look at a failure by hand", "flag"
    ),
    Option(
        "disruptive",
        "run cases that restart the implementation's pods too; nobody else may use the cluster meanwhile",
        "flag",
    ),
    Option("despite-policies", "go on where the cluster has policies of its own that may reach any pod", "flag"),
    Option("namespace-label", "KEY=VALUE, a label that the run's namespaces must have on this cluster", "list"),
    Option("namespace-annotation", "KEY=VALUE, an annotation that they must have", "list"),
    Option("shard", "only a part of the cases: 2/4 is the second of four, job/4 that of this pod of an indexed Job"),
    Option(
        "world-size",
        "how many pods cases are tried among, such as 30: copies of the usual nine are added until there are so many",
    ),
    Option("mode", "how the implementation is operated, such as eBPF: a part of its name in reports"),
    Option("about", "a TOML file that says who makes the implementation, for reports that are published", "path"),
    Option("report", "a folder for the record of the run; - prints its lines among the other output", "path"),
    Option("resume", "a folder with the record of a run that was cut off: only cases that it lacks are run", "path"),
    Option("waivers", "a file of known deviations, which are reported and do not fail the run", "path"),
    Option(
        "strict",
        "a case that passes although it is waived fails the run, so that waivers go once they are not needed",
        "flag",
    ),
    Option("unsupported", "a feature that the implementation does not claim, such as end-port", "list"),
    Option("timeout", "a timeout, such as settle=60", "list"),
)
_INI_TYPES: dict[str, Literal["string", "bool", "linelist"]] = {
    "text": "string",
    "path": "string",
    "flag": "bool",
    "list": "linelist",
}
_BY_NAME = {option.name: option for option in OPTIONS}


#: What one coordinator reads in some seconds: a million flows of one step would take minutes.
MOST_PODS = 500
_LOG = "-"
_NUMBER = re.compile(r"[0-9]{1,9}")


def add(parser: pytest.Parser) -> None:
    group = parser.getgroup("netpol", "NetworkPolicy conformance")
    for option in OPTIONS:
        if option.kind == "flag":
            group.addoption(option.flag, action="store_true", default=None, help=option.help)
        elif option.kind == "list":
            group.addoption(option.flag, action="append", metavar="VALUE", help=option.help)
        else:
            group.addoption(option.flag, metavar="VALUE", help=option.help)
        parser.addini(option.ini, option.help, type=_INI_TYPES[option.kind], default=None)


def value(config: pytest.Config, name: str) -> Any:
    """Return an option's value: from the command line, else from the ini file, else None or empty."""
    option, given = _BY_NAME[name], _as_given(config, name)
    of_the_file = option.kind == "path" and config.getoption(option.flag) is None and given and given != _LOG
    return str(config.inipath.parent / given) if of_the_file and config.inipath is not None else given


def _as_given(config: pytest.Config, name: str) -> Any:
    option = _BY_NAME[name]
    given = config.getoption(option.flag)
    return given if given is not None else config.getini(option.ini)


def report_folder(config: pytest.Config) -> Path | None:
    """Return the folder that the record goes into, if it goes into any."""
    given = value(config, "resume") or value(config, "report")
    return Path(given) if given and given != _LOG else None


def reports_to_log(config: pytest.Config) -> bool:
    return bool(value(config, "report") == _LOG and not value(config, "resume"))


def target_options(config: pytest.Config) -> TargetOptions:
    """Return what was said about the target; UsageError where it makes no sense."""
    config_file = value(config, "kind-config")
    return TargetOptions(
        target=value(config, "target") or "netns",
        run=value(config, "run") or new_run(),
        context=value(config, "context") or "",
        kubeconfig=value(config, "kubeconfig") or "",
        image=value(config, "image") or "",
        external=value(config, "external") or "",
        kind_name=value(config, "kind-name") or "",
        kind_config=Path(config_file) if config_file else None,
        plugin=value(config, "kind-plugin") or "calico",
        manifest=value(config, "kind-manifest") or "",
        node_image=value(config, "kind-node-image") or "",
        keep=bool(value(config, "keep")),
        workload=value(config, "workload") or Workload.POD,
        disruptive=bool(value(config, "disruptive")),
        despite_policies=bool(value(config, "despite-policies")),
        namespace_labels=tuple(value(config, "namespace-label") or ()),
        namespace_annotations=tuple(value(config, "namespace-annotation") or ()),
    )


def world_size(config: pytest.Config) -> int:
    """Return how many pods the world is to have, 0 where that is not said; UsageError where it is no number that makes sense."""
    given = str(value(config, "world-size") or "")
    if not given:
        return 0
    if not _NUMBER.fullmatch(given) or not len(default_world().pods) <= int(given) <= MOST_PODS:
        raise UsageError(f"a world has {len(default_world().pods)} to {MOST_PODS} pods, not {given}")
    return int(given)


def check(config: pytest.Config) -> None:
    """Raise a UsageError or CaseFileError now, rather than with the first case, where an option about judging is wrong."""
    if value(config, "target"):
        from conformance import targets  # noqa: PLC0415 -- not at pytest's start-up

        targets.check(target_options(config))
    world_size(config)
    about(config)
    _check_resume(config)
    if any(value(config, name) for name in ("waivers", "unsupported", "timeout")):
        rules(config)


def _check_resume(config: pytest.Config) -> None:
    """See that a run that goes on from a record writes that one; UsageError where it is to write another."""
    resume, report = value(config, "resume"), value(config, "report")
    if resume and report and (report == _LOG or Path(resume).resolve() != Path(report).resolve()):
        raise UsageError(
            f"a run that resumes {resume} goes on with the record there, and cannot have its record in {report}",
            hint="leave out the folder of the report; where a new record is wanted, leave out the one to resume",
        )


def about(config: pytest.Config) -> About:
    """Return what is said of the implementation; UsageError where that cannot be used."""
    given = value(config, "about")
    return load_about(Path(given)) if given else About()


def mode(config: pytest.Config) -> str:
    return as_text(str(value(config, "mode") or "default"))


def rules(config: pytest.Config) -> Rules:
    """Return how the run judges; UsageError or CaseFileError where an option or the file of waivers is wrong."""
    from conformance.casefile.waivers import load_waivers  # noqa: PLC0415 -- YAML is read only where a file is given
    from conformance.runner.session import Rules  # noqa: PLC0415 -- not at pytest's start-up

    waivers = value(config, "waivers")
    return Rules(
        timeouts=_timeouts(value(config, "timeout") or ()),
        unsupported=dict.fromkeys(_features(value(config, "unsupported") or ()), "declared as not supported"),
        waivers=load_waivers(Path(waivers)) if waivers else (),
    )


def _features(names: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in FEATURES:
            raise UsageError(f"no feature is called {name!r}", hint=f"the features are {', '.join(FEATURES)}")
    return names


def _timeouts(texts: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in texts:
        name, _, seconds = text.partition("=")
        try:
            found[name] = float(seconds)
        except ValueError:
            raise UsageError(f"{text!r} is no timeout", hint="write it as NAME=SECONDS, such as settle=60") from None
    timeouts.check(found)
    return found


def shown(config: pytest.Config) -> dict[str, str | list[str]]:
    """Return the options that were given, with those of pytest that select cases, for the record. None of them is a secret.

    A run that is resumed has those of one that was not cut off.
    """
    given = {option.name: _as_given(config, option.name) for option in OPTIONS}
    resumed = given.pop("resume")
    given["report"] = given["report"] or resumed
    given |= {"m": config.option.markexpr, "k": config.option.keyword}
    return {
        name: [as_text(str(each)) for each in found] if isinstance(found, list) else as_text(str(found))
        for name, found in given.items()
        if found not in (None, [], False, "")
    }
