"""The page of a case: world, steps, and the author's own expectation."""

from __future__ import annotations

from conformance.model.case import (
    ApplyPolicy,
    Case,
    CreatePod,
    DeletePolicy,
    Expectation,
    LabelPod,
    Row,
    Step,
    Tier,
)
from conformance.model.policy import Direction, IPBlock, LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
from conformance.model.world import Phase, Pod, Protocol
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
    assert "* = not as in the step before" in second
    assert "  delete policy x/one\n  policies in force: none\n" in second


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
    assert "pod y/job: kind=job; has ended (Succeeded)  [added by this case]" in page
    assert "Tried here: 80-81/TCP, 80-81/UDP" in page
    assert "http is" not in page


def test_names_of_ports_only_where_a_policy_uses_them() -> None:
    page = _page(Step("s", (_policy(ports=(PolicyPort(port="http"),)),), Expectation(True)))
    assert "pod x/b, y/b, z/b: pod=b, app=api, team=blue; port names http is 81/TCP\n" in page
    assert "admin" not in page


def test_an_address_that_a_target_chooses_is_explained() -> None:
    page = _page(Step("s", (_policy(peer=Peer(ip_block=IPBlock("$(z/c)"))),), Expectation(True)))
    assert "$(z/c): the address that this pod or endpoint has at the time of the run" in page
    assert "$(" not in _page(Step("s", (_policy(),), Expectation(True)))
