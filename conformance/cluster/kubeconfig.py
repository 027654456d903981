"""From a context's name to a connection's settings, with one clear error for whatever is wrong with a kubeconfig."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import Any

from conformance.casefile.source import refuse_unusual
from conformance.cluster.options import IN_CLUSTER
from conformance.errors import CaseFileError, TargetUnavailable

_DEFAULT = "~/.kube/config"


def untyped(module: str) -> Any:
    """Import a module of the `kubernetes` package or of its own dependencies: late, since that takes most of a second."""
    return importlib.import_module(module)


def configuration(context: str, kubeconfig: str | None) -> Any:
    """Return the client's configuration for a context; TargetUnavailable says what is wrong.

    All that a kubeconfig can say about credentials and proxies is the business of the `kubernetes` package.
    """
    client, config = untyped("kubernetes.client"), untyped("kubernetes.config")
    result = client.Configuration()
    files = ""
    try:
        if context == IN_CLUSTER and "KUBERNETES_SERVICE_HOST" in os.environ:
            config.load_incluster_config(client_configuration=result)
        else:
            files = _files(kubeconfig)
            _refuse_unusual(files)
            _check_context(context, files, _contexts(files))
            config.load_kube_config(config_file=files, context=context, client_configuration=result)
    except TargetUnavailable:
        raise
    except Exception as error:  # whatever the parsers and credential plugins behind it raise
        raise TargetUnavailable(
            f"the kubeconfig {files or '(of the cluster that this runs in)'} cannot be used for context {context!r}",
            causes=(" ".join(str(error).split()) or type(error).__name__,),
            hint=f"does `{kubectl(context, kubeconfig, 'get', 'nodes')}` work?",
        ) from error
    return result


def kubectl(context: str, kubeconfig: str | None, *arguments: str) -> str:
    """Return the kubectl command that does the same as this room, for a person to type."""
    return " ".join((*kubectl_words(context, kubeconfig), *arguments))


def kubectl_words(context: str, kubeconfig: str | None) -> tuple[str, ...]:
    """Return the beginning of every kubectl command for a cluster."""
    where = ("--kubeconfig", kubeconfig) if kubeconfig else ()
    which = () if context == IN_CLUSTER and "KUBERNETES_SERVICE_HOST" in os.environ else ("--context", context)
    return ("kubectl", *where, *which)


def _files(kubeconfig: str | None) -> str:
    """Return the kubeconfig files as kubectl finds them; some file must be there."""
    files = kubeconfig or os.environ.get("KUBECONFIG") or _DEFAULT
    if not any(Path(path).expanduser().is_file() for path in files.split(os.pathsep) if path):
        raise TargetUnavailable(
            f"there is no kubeconfig at {files}", hint="name one with --kubeconfig, or set KUBECONFIG"
        )
    return files


def _refuse_unusual(files: str) -> None:
    """See that the client's parser, which knows no limits, can read the files; TargetUnavailable says where one is too much for it."""
    try:
        for path in (Path(each).expanduser() for each in files.split(os.pathsep) if each):
            if path.is_file():
                refuse_unusual(path, str(path))
    except CaseFileError as error:
        raise TargetUnavailable("the kubeconfig cannot be read", causes=error.problems) from None


def _contexts(files: str) -> tuple[str, ...]:
    merged = untyped("kubernetes.config.kube_config").KubeConfigMerger(files).config
    return tuple(each["name"] for each in (merged.value.get("contexts") or ()))


def _check_context(context: str, files: str, known: tuple[str, ...]) -> None:
    if context not in known:
        raise TargetUnavailable(
            f"no context is called {context!r} in {files}",
            hint=f"the contexts are {', '.join(sorted(known))}" if known else "that kubeconfig has no contexts",
        )
