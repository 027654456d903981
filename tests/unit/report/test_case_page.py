"""The page of a case: world, steps, and the author's own expectation."""

from __future__ import annotations

from dataclasses import replace

from conformance.model.case import (
    ApplyPolicy,
    Case,
    CreatePod,
    CreateService,
    DeletePod,
    DeletePolicy,
    Expectation,
    LabelPod,
    Row,
    Step,
    Tier,
)
from conformance.model.default_world import default_world
from conformance.model.policy import Direction, IPBlock, LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
from conformance.model.world import IPFamily, Phase, Pod, Protocol, Service, ServicePort, ServiceType
from conformance.report.case_page import case_page

_TCP_80 = {"ports": frozenset({80}), "protocols": frozenset({Protocol.TCP})}


def _policy(name: str = "one", peer: Peer | None = None, ports: tuple[PolicyPort, ...] = ()) -> ApplyPolicy:
    rules = (Rule((peer,) if peer else (), ports),) if peer or ports else ()
    isolated = frozenset({Direction.INGRESS})
    return ApplyPolicy(NetworkPolicy("x", name, LabelSelector(), isolated, rules, manifest={"name": name}))


def _page(*steps: Step, setup: tuple[CreatePod, ...] = ()) -> str:
    made = Case("K7QD", "A pod MUST.", "https://spec", Tier.CORE, steps, frozenset({"ingress"}), setup=setup)
    return case_page(made, lambda manifest: f"name: {manifest['name']}\n")


def _row(text: str, source: str, destination: str, **more: object) -> Row:
    return Row(text, (source,), (destination,), **more)


def test_the_grid_is_the_authors_and_not_computed() -> None:
    """The rows say the opposite of what the policy does, and the page says what the rows say."""
    expect = Expectation(True, deny=(_row("* -> y/a", "*", "y/a"),), allow=(_row("r", "x/a", "y/a", **_TCP_80),))
    page = _page(Step("s", (_policy(),), expect))
    assert "    x/a        .     all   all   p     all" in page
    assert "    x/b        all   .     all   -     all" in page
    assert "p = 80/TCP only" in page
    assert "* -> y/a: from everything to y/a, every port that is tried, is blocked" in page
    assert "r: from x/a to y/a, 80/TCP, passes" in page


def test_what_changed_against_the_step_before() -> None:
    closed = Expectation(True, deny=(_row("* -> x/a", "*", "x/a"),))
    first, second = _page(
        Step("closed", (_policy(),), closed), Step("open", (DeletePolicy("x/one"),), Expectation(True))
    ).split("STEP 2")
    assert "*  " not in first.split("from \\ to")[1]
    assert "    x/b        all*  .     all" in second
    assert "* = changed since the step before" in second
    assert "  delete policy x/one\n  policies in force: none\n" in second


def test_what_was_not_there_in_the_step_before_has_not_changed() -> None:
    made = Step("made", (CreatePod(Pod("x", "d", {}, default_world().pods["x/a"].servers)),), Expectation(True))
    closed = Expectation(True, deny=(_row("* -> x/a", "*", "x/a"),))
    page = _page(Step("open", (), Expectation(True)), made)
    assert "    x/b        all   .     all   all   all   all   all   all   all   all\n" in page.split("STEP 2")[1]
    assert "* =" not in page
    assert "    x/d        -     all" in _page(Step("both", made.actions, closed))


def test_a_wide_grid_is_parted_evenly() -> None:
    """No part is a single column, far from those that it is to be compared with."""
    served = default_world().pods["x/a"].servers
    setup = tuple(CreatePod(Pod("x", f"pod-{number}", {}, served)) for number in range(3))
    heads = [
        line.split()[3:]
        for line in _page(Step("s", (), Expectation(True)), setup=setup).splitlines()
        if "from \\ to" in line
    ]
    assert heads == [
        ["x/a", "x/b", "x/c", "y/a", "y/b", "y/c", "z/a"],
        ["z/b", "z/c", "x/pod-0", "x/pod-1", "x/pod-2"],
    ]


def test_a_name_wider_than_a_terminal() -> None:
    setup = (CreatePod(Pod("x", "d" * 90, {}, default_world().pods["x/a"].servers)),)
    assert f"x/{'d' * 90}" in _page(Step("s", (), Expectation(True)), setup=setup)


def test_a_service() -> None:
    service = Service("x", "web", {"app": "web"}, (ServicePort(8080, 80),), type=ServiceType.NODE_PORT)
    closed = Expectation(True, deny=(_row("* -> *.x.svc", "*", "*.x.svc"),))
    page = " ".join(_page(Step("s", (CreateService(service),), closed)).split())
    assert (
        "create Service web.x.svc: 8080/TCP to 80 of the pods of x with app=web (backends: x/a); type NodePort" in page
    )
    assert "from everything to every Service of x, every port that is tried, is blocked" in page
    assert "Tried here: 80-81/TCP, 80-81/UDP, and all ports of a Service." in page
    assert "open what passes from a pod to itself, or to a Service whose backend it is." in page


def test_a_pod_that_tries_from_its_start() -> None:
    pod = Pod("x", "d", {}, from_start=(("y/b", 80, Protocol.TCP),))
    page = " ".join(_page(Step("s", (CreatePod(pod),), Expectation(True))).split())
    assert "of what x/d tries from its first instruction on, nothing that is blocked may ever have got through" in page


def test_a_pod_that_is_deleted_is_in_no_grid() -> None:
    page = _page(Step("s", (), Expectation(True)), Step("gone", (DeletePod("x/b"),), Expectation(True)))
    second = page.split("STEP 2")[1]
    assert "  delete pod x/b\n" in second
    assert "    x/c        all   .     all   all   all   all   all   all\n" in second
    assert second.count("x/b") == 1


def test_names_of_several_in_a_sentence() -> None:
    row = Row("r", ("x/*", "y/a", "*/c"), ("x/b", "*.svc"), sources_negated=True)
    page = " ".join(_page(Step("s", (), Expectation(True, deny=(row,)))).split())
    assert "r: from everything but every pod of x, y/a and every pod c to x/b and every Service," in page


def test_the_row_of_a_table() -> None:
    step = Step("s", (), Expectation(True))
    case = Case("K7QD-a-b", "A pod MUST.", "https://spec", Tier.CORE, (step,), frozenset({"ingress"}))
    page = " ".join(case_page(case, str).split())
    assert "row of table: K7QD, which says how its expectations were worked out; row a-b WORLD" in page


def test_actions_in_words() -> None:
    page = _page(
        Step("one", (_policy(),), Expectation(True)),
        Step("two", (LabelPod("x/a", {"app": None, "team": "blue"}), _policy(), _policy("other"))),
    )
    assert "label pod x/a: remove app, set team=blue\n  replace the whole of policy x/one by:\n    name: one\n" in page
    assert "  create policy x/other:\n    name: other\n  policies in force: x/one, x/other\n" in page
    assert "  nothing is read after this step" in page


def test_the_world_as_the_case_has_it() -> None:
    page = _page(Step("s"), setup=(CreatePod(Pod("y", "job", {"kind": "job"}, phase=Phase.SUCCEEDED)),))
    assert "pod x/a, y/a, z/a: pod=a, app=web, team=red\n" in page
    words = " ".join(page.split())
    assert "pod y/job: kind=job; one that has ended (Succeeded), and so is not tried [added by this case]" in words
    assert "Tried here: 80-81/TCP, 80-81/UDP" in page
    assert "http is" not in page


def test_names_of_ports_only_where_a_policy_uses_them() -> None:
    page = _page(Step("s", (_policy(ports=(PolicyPort(port="http"),)),), Expectation(True)))
    assert "pod x/b, y/b, z/b: pod=b, app=api, team=blue; port names http is 81/TCP\n" in page
    assert "admin" not in page


def test_families_of_addresses() -> None:
    """A grid for each of them, unless they are alike."""
    closed = Expectation(True, deny=(_row("r", "*", "x/a", family=IPFamily.IPV6),))
    steps = (Step("one", (), closed), Step("other", (), Expectation(True)))
    case = Case("K7QD", "A pod MUST.", "https://spec", Tier.CORE, steps, frozenset(), families=tuple(IPFamily))
    first, second = case_page(case, str).split("STEP 2")
    assert "80-81/UDP over IPv4 and over IPv6." in " ".join(first.split())
    assert "r: from everything to x/a, every port that is tried over IPv6, is blocked" in first
    four, six = first.split("    over IPv4:\n")[1].split("    over IPv6:\n")
    assert "    x/b        all   .     all" in four
    assert "    x/b        -     .     all" in six
    assert "    x/b        all*  .     all" in second.split("    over IPv6:\n")[1]
    alike = case_page(replace(case, steps=(steps[1],)), str)
    assert alike.count("from \\ to") == 1
    assert "    over IPv4 and over IPv6:\n" in alike
    assert " over " not in _page(steps[1])


def test_an_address_of_a_family() -> None:
    block = IPBlock("$(z/c over IPv6)/64", ("$(z/b)",))
    page = _page(Step("s", (_policy(peer=Peer(ip_block=block)),), Expectation(True)))
    assert "$(z/b), $(z/c over IPv6): the address" in page


def test_an_address_that_a_target_chooses_is_explained() -> None:
    page = _page(Step("s", (_policy(peer=Peer(ip_block=IPBlock("$(z/c)"))),), Expectation(True)))
    assert "$(z/c): the address that this pod or endpoint has at the time of the run" in page
    assert "$(" not in _page(Step("s", (_policy(),), Expectation(True)))
