"""A world alive on a cluster: `conformance.runner.target.Arena` for Kubernetes."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from conformance.cluster import manifests, reproduce, surroundings
from conformance.cluster.admitted import Foreign, is_kept
from conformance.cluster.agents import Roll
from conformance.cluster.client import CONFLICT, NOT_FOUND, ApiError, failing_as, namespace_path, policy_path
from conformance.cluster.kubeconfig import kubectl_words
from conformance.cluster.outside import Outside
from conformance.cluster.own_namespaces import OwnNamespaces
from conformance.cluster.pods import Pods
from conformance.cluster.restart import Restart
from conformance.cluster.reuse import EndedPods
from conformance.cluster.streams import open_exec
from conformance.cluster.waiting import retried, until_none_left
from conformance.errors import ActionFailed, ArenaFailed, ProbeFailed
from conformance.model.case import ApplyPolicy, DeleteNamespace, DeletePolicy, LabelNamespace, LabelPod
from conformance.model.flow import reached_at
from conformance.model.matrix import Observed
from conformance.model.state import State
from conformance.model.world import IPFamily, Phase, Protocol, ServiceType, World, address_in, family_of
from conformance.runner.probing import Prober
from conformance.runner.routes import LOOPBACKS, from_start

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from conformance.cluster.client import Api
    from conformance.cluster.manifests import Setting
    from conformance.cluster.options import KubernetesOptions
    from conformance.cluster.pods import Placed
    from conformance.errors import ConformanceError
    from conformance.model.case import Action, Change
    from conformance.model.flow import Flow
    from conformance.model.matrix import Early, Observation
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import Namespace, Node, Pod, Service
    from conformance.runner.probing import Stream

_SIDE_BY_SIDE = 16
_NO_SCTP = "the pods' kernel has no SCTP loaded (`modprobe sctp` on every node loads it)"
_NO_FAMILY = "the cluster gives its pods no {} address"
_NOT_ASKED = (
    "it restarts the pods of the implementation, which is done only with --disruptive (pytest: --netpol-disruptive)"
)


class KubernetesArena:
    """One world on one cluster. Not for several threads at once."""

    def __init__(
        self, api: Api, options: KubernetesOptions, setting: Setting, towards: str, nodes: tuple[Node, ...]
    ) -> None:
        self._api = api
        self._options = options
        self._setting = setting
        self._names = setting.names
        self._timeouts = options.timeouts
        self._world = World(nodes=nodes)
        self._policies: set[str] = set()
        self._nodes: dict[str, str] = {}
        self._foreign = Foreign()
        self._namespaces = OwnNamespaces(api, setting, options.timeouts.gone, self._foreign)
        self._pods = Pods(api, setting, options.timeouts, self._foreign)
        self._ended = EndedPods(self._pods)
        self._restart: Restart | None = None
        self._roll = Roll(api)
        self._outside = Outside(options, setting, towards)
        self._prober = Prober(self._names.unique, self._open_stream)

    @property
    def world(self) -> World:
        return self._world

    @property
    def namespaces(self) -> Collection[str]:
        """What its namespaces are called on the cluster."""
        return self._namespaces.real_names

    @property
    def unsupported(self) -> Mapping[str, str]:
        found = dict(self._outside.unsupported)
        if any(not hello.get("sctp") for ref, hello in self._prober.hellos.items() if ref in self._world.pods):
            found["sctp"] = _NO_SCTP
        if not self._options.disruptive:
            found["disruptive"] = _NOT_ASKED
        return {**_families_lacking(self._world), **found}

    def bring_up(self, world: World) -> None:
        """Make a whole world, everything that does not wait for something else side by side; ArenaFailed where it fails."""
        pods = tuple(world.pods.values())
        with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
            outside = {
                each: pool.submit(self._outside.addresses, each, self._prober) for each in world.endpoints.values()
            }
            list(pool.map(lambda each: self._namespaces.make(each, ArenaFailed), world.namespaces.values()))
            created = [pool.submit(self._pods.create, pod, ArenaFailed) for pod in pods]
            services = pool.map(lambda each: self._make_service(each, ArenaFailed), world.services.values())
            made = {each.ref: each for each in services}
            self._world = replace(world, pods={}, endpoints={}, services=made, nodes=self._world.nodes)
            for each in created:
                each.result()
            self._place(pods, ArenaFailed)
            list(pool.map(lambda pod: self._wait_for_servers(pod, ArenaFailed), self._world.running))
            for endpoint, addresses in outside.items():
                self._world = self._world.with_endpoint(replace(endpoint, addresses=addresses.result()))
        surroundings.refuse_others(self._api, self._namespaces.real_names)
        self._outside.connect(self._world, self._nodes, self._prober)

    def change(self, changes: Sequence[Change]) -> None:
        if len(changes) == 1:
            self._make(changes[0])
        else:
            with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
                made = [pool.submit(self._make, each) for each in changes]
            for each in made:
                each.result()
        for change in changes:
            if isinstance(change, (LabelPod, LabelNamespace)):
                self._changed(change)

    def create_namespace(self, namespace: Namespace) -> None:
        self._namespaces.make(namespace, ActionFailed)
        self._world = self._world.with_namespace(namespace)

    def delete_namespace(self, name: str) -> None:
        self._discard_namespace(name)
        self._namespaces.await_gone(name)

    def create_pod(self, pod: Pod) -> None:
        tries = from_start(self._world, pod)
        if pod.address_of:
            self._put(pod, self._ended.address_of(self._world.pods[pod.address_of], pod, tries))
        else:
            self._pods.create(pod, ActionFailed, tries)
            self._place((pod,), ActionFailed)
        if pod.phase is not Phase.RUNNING:
            return
        placed = self._world.pods[pod.ref]
        self._wait_for_servers(placed, ActionFailed)
        for endpoint in self._world.endpoints.values():
            if endpoint.addresses:
                self._outside.route(endpoint, [placed], self._nodes, self._prober)

    def delete_pod(self, ref: str) -> None:
        pod = self._world.pods[ref]
        self.discard([ref], [])
        self._pods.await_gone(pod, ActionFailed)

    def discard(self, pods: Sequence[str], namespaces: Sequence[str]) -> None:
        for ref in pods:
            self._forget(ref)
            self._ended.forget(ref)
            self._pods.ask_to_go(self._world.pods[ref], ActionFailed)
            self._world = self._world.without_pod(ref)
        for name in namespaces:
            self._discard_namespace(name)

    def create_service(self, service: Service) -> None:
        made = self._make_service(service, ActionFailed)
        self._world = self._world.with_service(made)
        if made.type is ServiceType.NODE_PORT and not self._policies:
            self._outside.reach(made, self._world, self._prober)

    def delete_service(self, ref: str) -> None:
        service = self._world.services[ref]
        with failing_as(ActionFailed, f"service {ref} was not deleted", self._api):
            self._api.delete(namespace_path(self._names.namespace(service.namespace), "services", service.name))
        self._world = replace(
            self._world, services={key: each for key, each in self._world.services.items() if key != ref}
        )

    def restart_implementation(self) -> None:
        self._restart = Restart(self._api)

    def still_away(self) -> Sequence[str]:
        return self._restart.left() if self._restart else ()

    def agents(self) -> Mapping[str, str]:
        return self._roll.call()

    def probe(self, flows: Sequence[Flow], timeout: float) -> Mapping[Flow, Observation]:
        seen = self._prober.probe(self._world, flows, timeout)
        if any(each.observed is Observed.FAILED for each in seen.values()):
            self._pods.miss(self._world.running)
        return seen

    def early(self, ref: str) -> Mapping[Flow, Early]:
        return self._prober.early(self._world, self._world.pods[ref])

    def commands(self, flow: Flow, policies: Sequence[NetworkPolicy]) -> Sequence[str]:
        kubectl = kubectl_words(self._api.context, self._api.kubeconfig)
        lines = [reproduce.apply_command(kubectl, self._translated(policy)) for policy in policies]
        world = self._world
        destination = world.pods.get(flow.destination) or world.endpoints.get(flow.destination)
        place = reached_at(flow, world)
        if place is None:
            return lines
        lines.append(reproduce.connect_command(self._prefix(flow.source, kubectl), *place, flow.protocol))
        if destination is not None:
            prefix, own = self._prefix(destination.ref, kubectl), LOOPBACKS[family_of(place[0])]
            lines.append(reproduce.connect_command(prefix, own, flow.port, flow.protocol))
        return lines

    def close(self) -> None:
        with ThreadPoolExecutor(max_workers=1) as pool:
            closing = pool.submit(self._prober.close)
            try:
                self._namespaces.delete_all()
            finally:
                closing.result()

    def _make(self, change: Change) -> None:
        """Ask for one change. Several threads may do so, for different objects."""
        self._foreign.refuse(change)
        match change:
            case ApplyPolicy(policy):
                self._apply(policy)
            case DeletePolicy(ref):
                with failing_as(ActionFailed, f"policy {ref} was not deleted", self._api):
                    namespace, _, name = ref.partition("/")
                    self._api.delete(policy_path(self._names.namespace(namespace), name))
                self._policies.discard(ref)
            case LabelPod(ref, labels):
                pod = self._world.pods[ref]
                path = namespace_path(self._names.namespace(pod.namespace), "pods", self._pods.real_name(pod))
                with failing_as(ActionFailed, f"pod {ref} was not relabelled", self._api):
                    self._api.patch(path, {"metadata": {"labels": dict(labels)}})
            case LabelNamespace(name, labels):
                with failing_as(ActionFailed, f"namespace {name} was not relabelled", self._api):
                    self._api.patch(namespace_path(self._names.namespace(name)), {"metadata": {"labels": dict(labels)}})

    def _apply(self, policy: NetworkPolicy) -> None:
        body = self._translated(policy)
        collection = policy_path(body["metadata"]["namespace"])
        path = f"{collection}/{policy.name}"
        with failing_as(ActionFailed, f"policy {policy.ref} was not accepted", self._api):
            known = policy.ref in self._policies
            try:
                answer = self._api.replace(path, body) if known else self._api.create(collection, body)
            except ApiError as error:
                if error.status != (NOT_FOUND if known else CONFLICT):
                    raise
                answer = self._api.create(collection, body) if known else self._api.replace(path, body)
        self._policies.add(policy.ref)
        if not is_kept(body["spec"], answer.get("spec")):
            raise ActionFailed(
                f"policy {policy.ref} was altered when it was admitted",
                causes=(f"the API server has {json.dumps(answer.get('spec'), sort_keys=True)}",),
                hint="a mutating webhook does that: exempt the namespaces of the run, by a label that --namespace-label gives them",
            )

    def _translated(self, policy: NetworkPolicy) -> dict[str, Any]:
        return self._names.translated(policy.manifest, self._namespaces.known)

    def _discard_namespace(self, name: str) -> None:
        self._namespaces.ask_to_go(name)
        for ref in [pod.ref for pod in self._world.pods.values() if pod.namespace == name]:
            self._forget(ref)
        self._policies = {ref for ref in self._policies if not ref.startswith(f"{name}/")}
        self._changed(DeleteNamespace(name))

    def _make_service(self, service: Service, kind: type[ConformanceError]) -> Service:
        path = namespace_path(self._names.namespace(service.namespace), "services")
        with failing_as(kind, f"service {service.ref} was not created", self._api):
            spec = self._api.create(path, manifests.service(service, self._setting))["spec"]
        addresses = tuple(spec.get("clusterIPs") or (spec["clusterIP"],))
        node_ports = {
            (each["port"], Protocol(each.get("protocol", Protocol.TCP))): each["nodePort"]
            for each in spec["ports"]
            if "nodePort" in each
        }
        return replace(service, addresses=addresses, node_ports=node_ports)

    def _place(self, pods: Sequence[Pod], kind: type[ConformanceError]) -> None:
        for ref, placed in self._pods.wait(pods, kind).items():
            self._put(next(each for each in pods if each.ref == ref), placed)

    def _put(self, pod: Pod, placed: Placed) -> None:
        self._world = self._world.with_pod(replace(pod, addresses=placed.addresses))
        self._nodes[pod.ref] = placed.node_address

    def _wait_for_servers(self, pod: Pod, kind: type[ConformanceError]) -> None:
        """Open the line to a pod and wait until its servers answer on its own loopback."""
        try:
            retried(
                lambda: self._prober.open([pod.ref]),
                lambda error: isinstance(error, ProbeFailed),
                self._timeouts.stream_open,
            )
            dead = until_none_left(lambda: self._prober.alive(pod, self._timeouts.loopback), self._timeouts.pod_ready)
        except ProbeFailed as error:
            raise kind(f"no line to the agent in pod {pod.ref}", causes=(error.message,)) from error
        if dead:
            raise kind(f"servers of pod {pod.ref} do not answer on its own loopback", causes=dead)

    def _open_stream(self, ref: str) -> Stream:
        if ref not in self._world.pods:
            return self._outside.start(ref)
        pod = self._world.pods[ref]
        namespace, name = self._names.namespace(pod.namespace), self._pods.real_name(pod)
        return retried(
            lambda: open_exec(self._api, namespace, name, timeout=self._timeouts.connect),
            lambda error: isinstance(error, ProbeFailed),
            self._timeouts.stream_reopen,
        )

    def _prefix(self, ref: str, kubectl: Sequence[str]) -> tuple[str, ...]:
        pod = self._world.pods.get(ref)
        if pod is None:
            return self._outside.beside(ref)
        return reproduce.in_pod(kubectl, self._names.namespace(pod.namespace), self._pods.real_name(pod))

    def _forget(self, ref: str) -> None:
        self._prober.forget(ref)
        self._nodes.pop(ref, None)

    def _changed(self, action: Action) -> None:
        self._world = State(self._world).after(action).world


def _families_lacking(world: World) -> Mapping[str, str]:
    """Return the features that need addresses which a running pod does not have, with the reason."""
    found = {}
    for family, features in ((IPFamily.IPV4, ("dual-stack",)), (IPFamily.IPV6, ("dual-stack", "ipv6"))):
        if not all(address_in(pod.addresses, family) for pod in world.running):
            found.update(dict.fromkeys(features, _NO_FAMILY.format(family)))
    return found
