"""The machines of one arena, alive: namespaces and their wires, the nodes' rules, and the agents."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import TYPE_CHECKING

from conformance.errors import CannotShow
from conformance.lab.netns import enforcement, fabric, links, nftables
from conformance.lab.netns.compile import NodeRules
from conformance.lab.netns.control import DATAGRAM_BYTES, script
from conformance.lab.netns.fault import LabFault
from conformance.lab.netns.netlink import in_datagrams
from conformance.lab.netns.stream import PipeStream
from conformance.runner.routes import identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conformance.lab.netns.control import Keeper
    from conformance.lab.netns.netlink import Message
    from conformance.model.world import Endpoint, Pod


_FABRIC = "@fabric"  # no pod or endpoint can be called that
_FORWARD_IPV6 = ("net/ipv6/conf/all/forwarding", "1")


class Machines:
    """Each method returns once the kernel has done it. LabFault where something went wrong."""

    def __init__(self, keeper: Keeper, arena: str) -> None:
        self._keeper = keeper
        self._arena = arena
        self._rules: dict[int, NodeRules] = {}
        self._leaves: dict[str, tuple[str, fabric.Wire]] = {}  # by the owner's ref: at which router, by which wire
        self._spaces: set[str] = set()
        self._space(_FABRIC)
        #: Why there is no IPv6 in this arena; empty where there is.
        self.no_ipv6 = self._no_forwarding()
        keeper.route(self._at(_FABRIC), fabric.fabric(ipv6=self.ipv6))

    @property
    def ipv6(self) -> bool:
        return not self.no_ipv6

    def add_node(self, node: int) -> None:
        """Make a node that enforces and forwards nothing yet, if it is not there."""
        if node in self._rules:
            return
        wire = fabric.node_wire(node, ipv6=self.ipv6)
        self._connect(_FABRIC, wire, _node(node))
        if self.ipv6:
            self._keeper.set(self._at(_node(node)), *_FORWARD_IPV6)
        self._keeper.route(self._at(_node(node)), fabric.node_routes(ipv6=self.ipv6))
        self._transact(node, enforcement.foundation(ipv6=self.ipv6))
        self._rules[node] = NodeRules()

    def add_pod(self, pod: Pod) -> None:
        self._leaf(pod.ref, _node(pod.node), fabric.pod_wire(pod.addresses))

    def add_endpoint(self, endpoint: Endpoint, number: int) -> None:
        self._leaf(endpoint.ref, _FABRIC, fabric.endpoint_wire(number, endpoint.addresses))

    def remove(self, ref: str) -> None:
        """Remove a pod's agent, cable and namespace, if it has any."""
        if ref in self._leaves:
            router, wire = self._leaves.pop(ref)
            self._keeper.stop(self._at(ref))
            self._keeper.route(self._at(router), [links.unplug(wire.index)])
            self._leave(ref)

    def agent(self, owner: Pod | Endpoint, from_start: Sequence[str] = ()) -> PipeStream:
        """Start an owner's agent, in the place of the one that may still be there, and return the line to it.

        `from_start` is what it tries from its first instruction on, as the agent takes it.
        """
        name = self._at(owner.ref)
        if owner.ref not in self._leaves:
            raise LabFault(f"{owner.ref} has no namespace")
        ports = [f"{server.port}/{server.protocol}" for server in owner.servers]
        early = [f"--from-start={each}" for each in from_start]
        command = [*script("agent.py"), "endpoint", "--identity", identity(self._arena, owner), *early, *ports]
        self._keeper.stop(name)
        return PipeStream(lambda streams: self._keeper.start(name, name, command, streams))

    def enforce(self, rules: Mapping[int, NodeRules]) -> None:
        """Put rules in force on every node; one that is not named gets none."""
        for node in self._rules:
            self._enforce(node, rules.get(node, NodeRules()))

    def restart(self) -> None:
        """Have every node begin anew with the rules that it has; each packet meets the old ones or the new ones."""
        for node, rules in self._rules.items():
            anew = enforcement.anew(rules, ipv6=self.ipv6)
            parts = tuple(in_datagrams(anew, DATAGRAM_BYTES))
            if len(parts) > 1:
                raise CannotShow("the rules of a node are too many to be put in force anew at one moment")
            self._transact(node, anew)

    def close(self) -> None:
        """Stop all agents and let go of all namespaces; the kernel clears the rest away."""
        with suppress(LabFault):  # then the keeper is gone, and everything with it
            for ref in self._leaves:
                self._keeper.stop(self._at(ref))
            for name in tuple(self._spaces):
                self._leave(name)

    def _no_forwarding(self) -> str:
        """Let the fabric forward IPv6, and return why it cannot. No netlink request does that, and sysctls may be read-only."""
        try:
            self._keeper.set(self._at(_FABRIC), *_FORWARD_IPV6)
        except LabFault as fault:
            if fault.number == errno.ENOENT:
                return "this machine's kernel has no IPv6"
            if fault.number in {errno.EROFS, errno.EACCES, errno.EPERM}:
                return f"this machine does not let the lab forward IPv6: {fault.what}"
            raise
        return ""

    def _enforce(self, node: int, rules: NodeRules) -> None:
        messages = enforcement.difference(self._rules[node], rules)
        if messages:
            self._transact(node, messages)
            self._rules[node] = rules

    def _transact(self, node: int, messages: Sequence[Message]) -> None:
        for part in in_datagrams(messages, DATAGRAM_BYTES):
            self._keeper.rules(self._at(_node(node)), nftables.transaction(part))

    def _leaf(self, ref: str, router: str, wire: fabric.Wire) -> None:
        self._connect(router, wire, ref)
        self._leaves[ref] = (router, wire)

    def _connect(self, router: str, wire: fabric.Wire, leaf: str) -> None:
        namespace = self._space(leaf)
        try:
            self._keeper.route(self._at(router), wire.router_side(namespace))
            self._keeper.route(self._at(leaf), wire.leaf_side())
        except LabFault:
            with suppress(LabFault):
                self._leave(leaf)
            raise

    def _space(self, name: str) -> int:
        number = self._keeper.space(self._at(name))
        self._spaces.add(name)
        return number

    def _leave(self, name: str) -> None:
        self._spaces.discard(name)
        self._keeper.leave(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._arena}:{name}"


def _node(node: int) -> str:
    return f"@node{node}"
