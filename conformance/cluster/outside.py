"""The arena's endpoints outside the cluster: whether they came up, and which way they and the pods reach each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.cluster.external import PipeStream, external
from conformance.cluster.waiting import until_none_left
from conformance.errors import CannotShow, ProbeFailed
from conformance.model.flow import Flow, flows
from conformance.model.matrix import Observed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.cluster.external import External
    from conformance.cluster.manifests import Setting
    from conformance.cluster.options import KubernetesOptions
    from conformance.model.world import Endpoint, Pod, Service, World
    from conformance.runner.probing import Prober, Stream

CLIENT, SERVER, NODE_PORT = "external-client", "external-server", "node-port"
_ALL = (CLIENT, SERVER, NODE_PORT)
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
            self._lacks(_NO_COMMAND, *_ALL)
            return ()
        self._endpoints[endpoint.ref] = endpoint
        try:
            prober.open([endpoint.ref])
            if dead := prober.alive(endpoint, self._options.timeouts.loopback):
                self._lacks(f"servers of {endpoint.ref} do not answer: {'; '.join(dead[:_EXAMPLES])}", *_ALL)
                return ()
        except ProbeFailed as error:
            self._lacks(error.message, *_ALL)
            return ()
        addresses = tuple(prober.hellos[endpoint.ref].get("addresses", ()))
        if not addresses:
            self._lacks(f"{endpoint.ref} has no way to the cluster's node at {self._towards}", *_ALL)
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
        self, feature: str, world: World, tried: Sequence[Flow | None], problems: Sequence[str], prober: Prober
    ) -> None:
        if left := self._closed(world, [flow for flow in tried if flow is not None], prober):
            self._lacks("; ".join((left, *problems[:1])), feature)

    def reach(self, service: Service, world: World, prober: Prober) -> None:
        """Wait until the endpoints reach a new NodePort Service; CannotShow where they do not: no policy is in the way yet."""
        if not world.backends(service):
            return  # they are yet to come
        if world.entrance(service) is None:
            raise CannotShow(
                f"{NODE_PORT}: every node has a backend of {service.ref}, and a pod and its own node are not judged"
            )
        tried = [flow for flow in flows(world, (), external=True) if _by_node_port(flow, service, world)]
        if left := self._closed(world, tried, prober):
            raise CannotShow(f"{NODE_PORT}: without any policy, {left}")

    def _closed(self, world: World, tried: Sequence[Flow], prober: Prober) -> str:
        """Wait until flows connect; return which do not in their time."""
        timeouts = self._options.timeouts

        def look() -> list[str]:
            seen = prober.probe(world, tried, timeouts.loopback)
            return [
                f"{flow} {seen[flow].observed} {seen[flow].detail}".strip()
                for flow in tried
                if seen[flow].observed is not Observed.ALLOWED
            ]

        left = until_none_left(look, timeouts.external_reach)
        return f"{len(left)} of {len(tried)} flows do not connect: {'; '.join(left[:_EXAMPLES])}" if left else ""

    def _lacks(self, reason: str, *features: str) -> None:
        for feature in features:
            self.unsupported.setdefault(feature, reason)


def _flow(source: Pod | Endpoint, destination: Pod | Endpoint) -> Flow | None:
    if not destination.servers:
        return None
    server = destination.servers[0]
    return Flow(source.ref, destination.ref, server.port, server.protocol)


def _by_node_port(flow: Flow, service: Service, world: World) -> bool:
    endpoint = world.endpoints.get(flow.source)
    return endpoint is not None and bool(endpoint.addresses) and flow.destination == service.ref
