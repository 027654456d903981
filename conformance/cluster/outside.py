"""The arena's endpoints outside the cluster: whether they came up, and which way they and the pods reach each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.cluster.external import PipeStream, external
from conformance.cluster.waiting import until_none_left
from conformance.errors import ProbeFailed
from conformance.model.flow import Flow
from conformance.model.matrix import Observed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.cluster.external import External
    from conformance.cluster.manifests import Setting
    from conformance.cluster.options import KubernetesOptions
    from conformance.model.world import Endpoint, Pod, World
    from conformance.runner.probing import Prober, Stream

CLIENT, SERVER = "external-client", "external-server"
_NO_COMMAND = "no command runs the probe agent outside the cluster (--netpol-external)"
_EXAMPLES = 3


class Outside:
    """The endpoints of one arena. What they cannot do is a feature that the arena lacks, and never an error."""

    def __init__(self, options: KubernetesOptions, setting: Setting, towards: str) -> None:
        self._options = options
        self._setting = setting
        self._towards = towards
        self._endpoints: dict[str, Endpoint] = {}
        self._running: dict[str, External] = {}
        self.unsupported: dict[str, str] = {}

    def start(self, ref: str) -> Stream:
        """Start an endpoint's agent, once: under another address it would be another machine."""
        if ref in self._running:
            raise ProbeFailed(f"the agent of {ref} ended, and only a new arena gets a new one")
        setting, command = self._setting, self._options.external_command
        started = external(
            command, self._endpoints[ref], setting.names, self._options.context, setting.agent, self._towards
        )
        self._running[ref] = started
        stream = PipeStream(started.command, f"the agent of {ref} outside the cluster")
        stream.wait(self._options.timeouts.external_start)
        return stream

    def addresses(self, endpoint: Endpoint, prober: Prober) -> tuple[str, ...]:
        """Bring an endpoint up and return its addresses; none where it cannot be."""
        if not self._options.external_command:
            self._lacks(_NO_COMMAND, CLIENT, SERVER)
            return ()
        self._endpoints[endpoint.ref] = endpoint
        try:
            prober.open([endpoint.ref])
            if dead := prober.alive(endpoint, self._options.timeouts.loopback):
                self._lacks(f"servers of {endpoint.ref} do not answer: {'; '.join(dead[:_EXAMPLES])}", CLIENT, SERVER)
                return ()
        except ProbeFailed as error:
            self._lacks(error.message, CLIENT, SERVER)
            return ()
        addresses = tuple(prober.hellos[endpoint.ref].get("addresses", ()))
        if not addresses:
            self._lacks(f"{endpoint.ref} has no way to the cluster's node at {self._towards}", CLIENT, SERVER)
        return addresses

    def connect(self, world: World, pods: Mapping[str, str], prober: Prober) -> None:
        """Make ways to pods, given by ref with the address of their node, and see which way connections pass."""
        for endpoint in world.endpoints.values():
            if endpoint.addresses:
                problems = self.route(endpoint, [world.pods[ref] for ref in pods], pods, prober)
                chosen = [world.pods[ref] for ref in pods if world.pods[ref].addresses]
                self._see(CLIENT, world, [_flow(endpoint, pod) for pod in chosen], problems, prober)
                self._see(SERVER, world, [_flow(pod, endpoint) for pod in chosen], (), prober)

    def route(self, endpoint: Endpoint, pods: Sequence[Pod], nodes: Mapping[str, str], prober: Prober) -> Sequence[str]:
        """Have an endpoint reach pods by way of their nodes; return why not, which need not matter where routes exist."""
        routes = [(pod.addresses[0], nodes[pod.ref]) for pod in pods if pod.addresses and nodes.get(pod.ref)]
        try:
            return prober.route(endpoint.ref, routes)
        except ProbeFailed as error:
            return (error.message,)

    def beside(self, ref: str) -> tuple[str, ...]:
        """Return the words that run a command on an endpoint's machine; none where it has no name."""
        running = self._running.get(ref)
        return running.beside if running else ()

    def _see(
        self, feature: str, world: World, flows: Sequence[Flow | None], problems: Sequence[str], prober: Prober
    ) -> None:
        tried = [flow for flow in flows if flow is not None]
        timeouts = self._options.timeouts

        def look() -> list[str]:
            seen = prober.probe(world, tried, timeouts.loopback)
            return [
                f"{flow} {seen[flow].observed} {seen[flow].detail}".strip()
                for flow in tried
                if seen[flow].observed is not Observed.ALLOWED
            ]

        if left := until_none_left(look, timeouts.external_reach):
            examples = [*left[:_EXAMPLES], *problems[:1]]
            self._lacks(f"{len(left)} of {len(tried)} flows do not connect: {'; '.join(examples)}", feature)

    def _lacks(self, reason: str, *features: str) -> None:
        for feature in features:
            self.unsupported.setdefault(feature, reason)


def _flow(source: Pod | Endpoint, destination: Pod | Endpoint) -> Flow | None:
    if not destination.servers:
        return None
    server = destination.servers[0]
    return Flow(source.ref, destination.ref, server.port, server.protocol)
