"""The suite's own cases, without any target: each is well formed, right by three accounts, and worth running."""

from __future__ import annotations

import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.coverage import coverage
from conformance.casefile.lint import lint
from conformance.casefile.load import find, load_cases
from conformance.casefile.packaged import cases
from conformance.model import address
from conformance.model.case import ApplyPolicy, CreateService, Tier
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.policy import IPBlock
from conformance.model.state import State
from conformance.report.coverage import coverage_page
from conformance.runner.rehearsal import after, rehearse

sys.path.insert(0, str(Path(__file__).parent / "property"))  # the brute force is a file beside the random tests

from brute_force import answers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.model.case import Case, Expectation
    from conformance.model.flow import Flow
    from conformance.model.policy import NetworkPolicy, Rule

ROOT = cases()
CASES = load_cases(find([ROOT]))
#: What an implementation need not have: a case that needs it cannot be core.
OPTIONAL = {
    "ipblock",
    "ipblock-pod",
    "named-port",
    "end-port",
    "sctp",
    "external-server",
    "external-client",
    "ipv6",
    "address-reuse",
}
each_case = pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])


def file(case: Case) -> str:
    assert case.location
    return case.location.file.removeprefix("cases/")


def readings(case: Case) -> Iterator[tuple[State, Expectation, tuple[Flow, ...]]]:
    """Walk through a case as on a usual cluster: what there is, what must be seen and what is tried, at each step that is read."""
    state = State(address.with_sample_addresses(default_world()))
    for action in case.setup:
        state = after(state, action)
    for step in case.steps:
        for action in step.actions:
            state = after(state, action)
        if step.expect is not None:
            yield state, step.expect, flows(state.world, case.probe, external=case.external)


def policies(case: Case) -> list[NetworkPolicy]:
    return [each.policy for step in case.steps for each in step.actions if isinstance(each, ApplyPolicy)]


def test_there_are_many_and_no_two_share_an_id() -> None:
    assert len(CASES) >= 110
    ids = Counter(case.id for case in CASES)
    assert [each for each, count in ids.items() if count > 1] == []


def test_every_area_has_cases() -> None:
    areas = {
        "ingress",
        "egress",
        "peers",
        "selectors",
        "ports",
        "ipblock",
        "lifecycle",
        "services",
        "placement",
        "examples",
    }
    assert areas <= {file(case).partition("/")[0] for case in CASES}


@each_case
def test_declared_and_computed_agree(case: Case) -> None:
    """What a person worked out by hand is what the evaluator says."""
    assert [f"{each.step.name}: {each.decision.flow}" for each in rehearse(case)] == []


@each_case
def test_declared_and_counted_out_agree(case: Case) -> None:
    """And it is what a second evaluator says, which is written from the specification alone."""
    differing = [
        str(flow)
        for state, expect, tried in readings(case)
        for flow in tried
        if answers(state, flow) != {expect.allows(flow)}
    ]
    assert differing == []


def test_they_are_good_cases_too() -> None:
    """No case passes on a cluster that enforces nothing, or on one that blocks everything, without a reason; no two show the same."""
    assert [str(problem) for problem in lint(CASES)] == []


def test_every_row_of_what_others_test_is_covered() -> None:
    lists = coverage(CASES)
    sizes = {each.name: len(each.rows) for each in lists}
    assert sizes == {"upstream": 48, "cyclonus": 230, "recipe": sizes["recipe"], "defect": 40}
    assert [f"{each.name}:{row.key}" for each in lists for row in each.uncovered] == []


def test_the_page_about_coverage_is_up_to_date() -> None:
    """To bring it up to date: netpol-conformance coverage > docs/coverage.md."""
    assert (ROOT.parent / "docs" / "coverage.md").read_text(encoding="utf-8") == coverage_page(coverage(CASES)) + "\n"


@each_case
def test_the_requirement_is_one_sentence_and_the_link_is_of_kubernetes(case: Case) -> None:
    assert re.search(r"\bMUST\b", case.requirement)
    assert re.fullmatch(r"[A-Z][^.!?\n]*(?:\.[A-Za-z0-9][^.!?\n]*)*\.", case.requirement), case.requirement
    assert re.fullmatch(r"https://kubernetes\.io/(docs|blog)/[-a-z0-9/]+/(#[-A-Za-z0-9]+)?", case.spec), case.spec


@each_case
def test_what_a_case_uses_it_says_it_needs(case: Case) -> None:
    """Else an implementation that does not claim a feature would fail for lacking it."""
    used = {str(direction).lower() for policy in policies(case) for direction in policy.policy_types}
    for rule in (rule for policy in policies(case) for rule in (*policy.ingress, *policy.egress)):
        used |= {"ipblock" for peer in rule.peers if peer.ip_block}
        used |= {"named-port" for port in rule.ports if isinstance(port.port, str)}
        used |= {"end-port" for port in rule.ports if port.end_port is not None}
    used |= {"services" for step in case.steps for each in step.actions if isinstance(each, CreateService)}
    used |= {"services" for each in case.setup if isinstance(each, CreateService)}
    used |= {"sctp" for _, protocol in case.probe if protocol == "SCTP"}
    assert used - case.features == set()


@each_case
def test_core_cases_need_nothing_optional(case: Case) -> None:
    assert case.tier is not Tier.CORE or not case.features & OPTIONAL


@each_case
def test_nothing_that_is_left_open_is_judged(case: Case) -> None:
    """Address blocks where a Service rewrites addresses, and port names of what is no pod."""
    assert not {"services", "ipblock"} <= case.features
    named_egress = any(
        isinstance(port.port, str) for policy in policies(case) for rule in policy.egress for port in rule.ports
    )
    assert not (named_egress and "external-server" in case.features)


@each_case
def test_blocks_of_pods_are_told_from_blocks_of_what_is_outside(case: Case) -> None:
    """An implementation may leave pods out of ipBlocks: a case that counts on them says so."""
    if "ipblock" not in case.features or "ipblock-pod" in case.features:
        return
    for state, expect, tried in readings(case):
        without = State(
            state.world, {ref: _without_blocks_of_pods(each, state) for ref, each in state.policies.items()}
        )
        inside = [flow for flow in tried if {flow.source, flow.destination} <= set(state.world.pods)]
        assert [str(flow) for flow in inside if answers(without, flow) != {expect.allows(flow)}] == []


def _without_blocks_of_pods(policy: NetworkPolicy, state: State) -> NetworkPolicy:
    """Return a policy whose blocks hold no pod's address."""
    nobodys = IPBlock("192.0.2.0/24")
    assert not [pod.ref for pod in state.world.pods.values() if pod.addresses[0].startswith("192.0.2.")]

    def rules(old: tuple[Rule, ...]) -> tuple[Rule, ...]:
        return tuple(
            replace(rule, peers=tuple(replace(peer, ip_block=peer.ip_block and nobodys) for peer in rule.peers))
            for rule in old
        )

    return replace(policy, ingress=rules(policy.ingress), egress=rules(policy.egress))
