"""Policies as short YAML, and the default world with addresses that a person can compute with."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.networkpolicy import network_policy
from conformance.casefile.source import parse
from conformance.model.default_world import default_world
from conformance.model.flow import Flow
from conformance.model.state import State
from conformance.oracle.classes import GroupedEvaluator
from conformance.oracle.evaluate import evaluate

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model.decision import Decision
    from conformance.model.policy import NetworkPolicy
    from conformance.model.world import World

#: x/a is 10.0.1.1 and fd00:0:0:1::1, x/b 10.0.1.2, ..., y/a 10.0.2.1, ..., z/c 10.0.3.3; ext is 192.0.2.7 and 2001:db8::7.
_NAMESPACES, _PODS = "xyz", "abc"


def policy(ref: str, spec: str) -> NetworkPolicy:
    """Read a policy from its `spec`, in one line or several; the spec begins on line 5 of a file called after the policy."""
    namespace, _, name = ref.partition("/")
    head = f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n"
    source = parse(head + "\n".join(f"  {line}" for line in spec.strip().splitlines()), ref)
    read = network_policy(source, (), source.data)
    assert read is not None, [str(problem) for problem in source.problems]
    return read


def world(families: str = "4") -> World:
    """Return the default world with addresses of families such as `4`, `6`, or `64` for both with IPv6 first."""
    made = default_world()
    for ref, pod in made.pods.items():
        space, number = _NAMESPACES.index(pod.namespace) + 1, _PODS.index(pod.name) + 1
        written = {"4": f"10.0.{space}.{number}", "6": f"fd00:0:0:{space}::{number}"}
        made = made.with_pod(replace(made.pods[ref], addresses=tuple(written[each] for each in families)))
    outside = {"4": "192.0.2.7", "6": "2001:db8::7"}
    return made.with_endpoint(replace(made.endpoints["ext"], addresses=tuple(outside[each] for each in families)))


@pytest.fixture(scope="session")
def decide() -> Callable[..., Decision]:
    """Decide one flow, written as in a case file, under policies written as `{"x/deny": "{podSelector: {}}"}`."""

    def decided(specs: Mapping[str, str], flow: str, where: World | None = None) -> Decision:
        policies = {ref: policy(ref, spec) for ref, spec in specs.items()}
        parsed = Flow.parse(flow)
        return evaluate(State(where or world(), policies), [parsed])[parsed]

    return decided


@pytest.fixture(scope="session")
def group() -> Callable[..., GroupedEvaluator]:
    """Group the pods of a world under policies written as for `decide`."""

    def grouped(specs: Mapping[str, str], where: World | None = None) -> GroupedEvaluator:
        policies = {ref: policy(ref, spec) for ref, spec in specs.items()}
        return GroupedEvaluator(State(where or world(), policies))

    return grouped


@pytest.fixture
def make_world() -> Callable[..., World]:
    return world
