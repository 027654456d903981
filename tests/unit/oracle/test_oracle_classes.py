"""Classes of pods in the default world: what makes one, what does not, and what passes between them.

x/a has `pod: a`, x is `ns: x`; z and every c have no team. Ports are as in the default world: `http` is 80 on a and 81 on b.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.model.flow import Flow
from conformance.model.world import IPFamily, Phase, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model.world import World
    from conformance.oracle.classes import GroupedEvaluator

    Group = Callable[..., GroupedEvaluator]

_EXT, _PODS = {"ext"}, {f"{namespace}/{name}" for namespace in "xyz" for name in "abc"}


@pytest.mark.parametrize(
    ("specs", "expected"),
    [
        pytest.param({}, [_PODS], id="nothing is read where there is no policy"),
        pytest.param(
            {"x/p": "{podSelector: {}}"}, [{"x/a", "x/b", "x/c"}, _PODS - {"x/a", "x/b", "x/c"}], id="who is isolated"
        ),
        pytest.param(
            {
                "x/p": "{podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}}}]}]}"
            },
            [{"x/a"}, {"y/a", "y/b", "y/c"}, _PODS - {"x/a", "y/a", "y/b", "y/c"}],
            id="who is let in",
        ),
        pytest.param(
            {
                "x/p": "{podSelector: {matchLabels: {pod: no}}, ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}"
            },
            [_PODS],
            id="not what a policy says that isolates nobody",
        ),
        pytest.param(
            {
                "x/p": "{podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress], egress: [{to: [{podSelector: {matchLabels: {pod: b}}}]}]}"
            },
            [{"x/a"}, _PODS - {"x/a"}],
            id="not what a policy says about a direction that it does not isolate",
        ),
        pytest.param(
            {"x/p": "{podSelector: {matchLabels: {pod: a}}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}"},
            [{"x/a"}, {"y/a", "z/a"}, {"x/b", "y/b", "z/b"}, {"x/c", "y/c", "z/c"}],
            id="where a named port is",
        ),
        pytest.param(
            {
                "x/p": "{podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{ipBlock: {cidr: 10.0.2.0/24, except: [10.0.2.2/32]}}]}]}"
            },
            [{"x/a"}, {"y/a", "y/c"}, _PODS - {"x/a", "y/a", "y/c"}],
            id="whose address is in a block and in no hole",
        ),
    ],
)
def test_what_makes_a_class(specs: dict[str, str], expected: list[set[str]], group: Group) -> None:
    found = [set(members) for members in group(specs).classes.members]
    assert sorted(map(sorted, found)) == sorted(map(sorted, [*expected, _EXT]))


def test_rules_that_many_policies_repeat_do_not_tell_apart(group: Group) -> None:
    spec = (
        "{podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}}]}]}"
    )
    classes = group({f"{namespace}/{name}": spec for namespace in "xz" for name in "pqr"}).classes
    assert {"y/a", "y/b", "y/c"} in map(set, classes.members)  # let in by six policies
    assert {"x/b", "x/c", "z/b", "z/c"} in map(set, classes.members)  # let in by none


def test_the_same_words_in_two_namespaces_mean_two_sets_of_pods(group: Group) -> None:
    spec = "{podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}]}]}"
    grouped = group({"x/p": spec, "z/p": spec})
    assert {"x/b"} in map(set, grouped.classes.members)
    assert {"z/b"} in map(set, grouped.classes.members)
    reach = grouped.reach(80, Protocol.TCP)
    assert [reach.passes(f"{one}/b", f"{other}/a") for one in "xz" for other in "xz"] == [True, False, False, True]


def test_what_passes_on_a_port(group: Group) -> None:
    specs = {
        "x/p": "{podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{namespaceSelector: {matchLabels: {ns: y}}}], ports: [{port: http}]}]}"
    }
    grouped = group(specs)
    http, other = grouped.reach(80, Protocol.TCP), grouped.reach(81, Protocol.TCP)
    assert http.passes("y/b", "x/a")
    assert not http.passes("z/b", "x/a")
    assert not http.passes("ext", "x/a")
    assert http.passes("x/a", "z/b")
    assert not other.passes("y/b", "x/a")
    assert http.count() == (90 - 6, 6)  # from x/b, x/c, z/a, z/b, z/c and ext
    assert other.count() == (90 - 9, 9)


def test_a_pair_becomes_the_flows_between_its_members_but_nobody_to_itself(group: Group) -> None:
    reach = group({"x/p": "{podSelector: {}}"}).reach(80, Protocol.TCP)
    x = reach.classes.of["x/a"]
    assert set(reach.flows(x, x)) == {
        Flow(f"x/{one}", f"x/{other}", 80, Protocol.TCP) for one in "abc" for other in "abc" if one != other
    }
    assert (x, x, False) in set(reach.pairs())
    outside = reach.classes.of["ext"]
    assert all(
        outside not in (source, destination) or source != destination for source, destination, _ in reach.pairs()
    )


def test_a_family_has_its_own_answers(group: Group, make_world: Callable[..., World]) -> None:
    specs = {"x/p": "{podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{ipBlock: {cidr: 10.0.2.0/24}}]}]}"}
    grouped = group(specs, make_world("64"))
    passes = {family: grouped.reach(80, Protocol.TCP, family).passes("y/b", "x/a") for family in (None, *IPFamily)}
    assert passes == {None: False, IPFamily.IPV4: True, IPFamily.IPV6: False}  # the pods' first family is IPv6


def test_the_destination_says_which_of_a_client_s_addresses_is_meant(
    group: Group, make_world: Callable[..., World]
) -> None:
    specs = {"x/p": "{podSelector: {matchLabels: {pod: a}}, ingress: [{from: [{ipBlock: {cidr: 10.0.2.0/24}}]}]}"}
    where = make_world("46")
    turned = replace(where.pods["y/b"], addresses=where.pods["y/b"].addresses[::-1])
    reach = group(specs, where.with_pod(turned)).reach(80, Protocol.TCP)
    assert {ref for ref in _PODS if reach.passes(ref, "x/a")} == {"y/a", "y/b", "y/c"}


def test_a_pod_that_has_ended_is_apart_from_its_like_that_runs(group: Group, make_world: Callable[..., World]) -> None:
    where = make_world()
    ended = replace(where.pods["x/b"], name="over", phase=Phase.SUCCEEDED)
    grouped = group({"x/p": "{podSelector: {matchLabels: {pod: b}}}"}, where.with_pod(ended))
    assert grouped.classes.of["x/over"] != grouped.classes.of["x/b"]
    assert grouped.reach(80, Protocol.TCP).passes("x/a", "x/over")


def test_a_place_that_is_not_there(group: Group) -> None:
    with pytest.raises(KeyError, match="x/nobody"):
        group({}).reach(80, Protocol.TCP).passes("x/a", "x/nobody")


def test_a_world_without_pods(group: Group, make_world: Callable[..., World]) -> None:
    empty = replace(make_world(), pods={}, endpoints={})
    reach = group({"x/p": "{podSelector: {}}"}, empty).reach(80, Protocol.TCP)
    assert (reach.count(), list(reach.pairs()), reach.classes.members) == ((0, 0), [], ())
