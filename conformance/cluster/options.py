"""What a user says about a cluster, and every time that this room waits for something."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Small, public, multi-platform, and with nothing but Python: the agent is mounted into it.
DEFAULT_IMAGE = "docker.io/library/python:3.12-slim"
#: The context that stands for the account of the pod that the suite itself runs in.
IN_CLUSTER = "in-cluster"

_RUN_LETTERS = string.ascii_lowercase + string.digits


def new_run() -> str:
    """Return a name for a run; it is a part of everything that the run puts on a cluster."""
    return "".join(secrets.choice(_RUN_LETTERS) for _ in range(6))


@dataclass(frozen=True, slots=True)
class ClusterTimeouts:
    """Seconds.

    - `connect`, `request`: until the API server takes a connection, and until it has answered
    - `pod_ready`: from a pod's creation until its servers answer; pulling the image is in it, as long as that does not fail
    - `image_pull`: how long pulling the image may go on failing
    - `gone`: until a deleted pod or namespace is no longer there
    - `service_account`: until a new namespace has its default service account, without which no pod can be made
    - `stream_open`: until a line to an agent is open; `stream_reopen`: the same for one that broke; `loopback`: how long a server is given to answer on its own loopback
    - `external_start`: until the agent outside the cluster says hello; `external_reach`: until pods and it reach each other
    """

    connect: float = 10.0
    request: float = 30.0
    pod_ready: float = 180.0
    image_pull: float = 60.0
    gone: float = 120.0
    service_account: float = 30.0
    stream_open: float = 20.0
    stream_reopen: float = 3.0
    loopback: float = 1.0
    external_start: float = 60.0
    external_reach: float = 10.0


class Workload(StrEnum):
    """What a probe pod is on the cluster: a pod by itself, or the only one of a Deployment."""

    POD = "pod"
    DEPLOYMENT = "deployment"


@dataclass(frozen=True, slots=True)
class KubernetesOptions:
    """A cluster by its context, which must be named: there is no default.

    `external_command` is what comes before `python3` to run it on a machine outside the cluster; its stdin and stdout must be that
    program's. `run` tells this run's objects from those of others. With `disruptive` cases may restart the implementation's own pods; with
    `despite_policies` it goes on where the cluster has policies of its own that may reach any pod.
    """

    context: str
    kubeconfig: str | None = None
    image: str = DEFAULT_IMAGE
    run: str = field(default_factory=new_run)
    external_command: tuple[str, ...] = ()
    workload: Workload = Workload.POD
    disruptive: bool = False
    despite_policies: bool = False
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    namespace_annotations: Mapping[str, str] = field(default_factory=dict)
    timeouts: ClusterTimeouts = field(default_factory=ClusterTimeouts)
