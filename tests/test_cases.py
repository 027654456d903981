"""The suite's own cases, without any target: each is well formed, right by three accounts, and worth running."""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.coverage import coverage
from conformance.casefile.lint import lint
from conformance.casefile.load import find, load_cases
from conformance.casefile.manifest_text import manifest_text
from conformance.casefile.packaged import cases
from conformance.model.case import ApplyPolicy, CreatePod, CreateService, Tier
from conformance.model.declared import declared_steps
from conformance.model.default_world import default_world
from conformance.model.policy import IPBlock
from conformance.model.state import State
from conformance.model.world import CANARY
from conformance.report.action_text import actions
from conformance.report.case_page import case_page
from conformance.report.coverage import coverage_page
from conformance.runner.rehearsal import rehearse

sys.path.insert(0, str(Path(__file__).parent / "property"))  # the brute force is a file beside the random tests

from brute_force import answers

if TYPE_CHECKING:
    from conformance.model.case import Case
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
    "dual-stack",
    "address-reuse",
    "node-port",
}
#: What each case declares, on a usual cluster.
WALKED = {case.id: tuple(declared_steps(case)) for case in CASES}
AREAS = sorted({case.location.file.split("/")[1] for case in CASES if case.location})


def policies(case: Case) -> list[NetworkPolicy]:
    return [each.policy for step in case.steps for each in step.actions if isinstance(each, ApplyPolicy)]


def test_what_a_row_of_a_table_is_called_is_no_word_of_its_sentence() -> None:
    """Names of entries are written for ids: `narrow-then-wide` is none in English, and says nothing without the table."""
    found = [
        f"{case.id}: {word}"
        for case in CASES
        for word in re.findall(r"\b[a-z0-9]+(?:-[a-z0-9]+)+\b", case.requirement)
        if word in case.id.partition("-")[2]
    ]
    assert found == []


def test_there_are_many_and_no_two_share_an_id() -> None:
    assert len(CASES) >= 110
    ids = Counter(case.id for case in CASES)
    assert [each for each, count in ids.items() if count > 1] == []


def test_every_area_has_cases() -> None:
    assert {
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
    } <= set(AREAS)


def test_declared_and_computed_agree() -> None:
    """What a person worked out by hand is what the evaluator says."""
    differing = [
        f"{name}: {each.step.name}: {each.decision.flow}" for name in WALKED for each in rehearse(WALKED[name])
    ]
    assert differing == []


@pytest.mark.parametrize("area", AREAS)
def test_declared_and_counted_out_agree(area: str) -> None:
    """And it is what a second evaluator says, which is written from the specification alone."""
    differing = [
        f"{case.id}: {each.step.name}: {flow}"
        for case in CASES
        if case.location and case.location.file.startswith(f"cases/{area}/")
        for each in WALKED[case.id]
        for flow, declared in zip(each.tried, each.allowed, strict=True)
        if answers(each.state, flow) != {declared}
    ]
    assert differing == []


def test_they_are_good_cases_too() -> None:
    """No case passes on a cluster that enforces nothing, or on one that blocks everything, without a reason; no two show the same."""
    assert [str(problem) for problem in lint((case, WALKED[case.id]) for case in CASES)] == []


def test_every_case_can_be_shown() -> None:
    pages = [case_page(case, manifest_text) for case in CASES]
    assert all(page.startswith(f"{case.id} ") for case, page in zip(CASES, pages, strict=True))
    # Pods of the suite's own, holes of a table, and values as Python writes them are no text for a reader.
    assert [page for page in pages if any(each in page for each in (CANARY, "${", "<", "None"))] == []


def test_every_row_of_what_others_test_is_covered() -> None:
    lists = coverage(CASES)
    sizes = {each.name: len(each.rows) for each in lists}
    assert sizes == {"upstream": 48, "cyclonus": 230, "recipe": sizes["recipe"], "defect": 40}
    assert [f"{each.name}:{row.key}" for each in lists for row in each.uncovered] == []


def test_the_page_about_coverage_is_up_to_date() -> None:
    """To bring it up to date: netpol-conformance coverage > docs/coverage.md."""
    assert (ROOT.parent / "docs" / "coverage.md").read_text(encoding="utf-8") == coverage_page(coverage(CASES)) + "\n"


def test_the_link_is_of_kubernetes() -> None:
    link = re.compile(r"https://kubernetes\.io/(docs|blog)/[-a-z0-9/]+/(#[-A-Za-z0-9]+)?")
    assert [(case.id, case.spec) for case in CASES if not link.fullmatch(case.spec)] == []


def test_what_a_case_uses_it_says_it_needs() -> None:
    """Else an implementation that does not claim a feature would fail for lacking it."""
    unsaid = {case.id: missing for case in CASES if (missing := _used(case) - case.features)}
    assert unsaid == {}


def _used(case: Case) -> set[str]:
    used = {str(direction).lower() for policy in policies(case) for direction in policy.policy_types}
    for rule in (rule for policy in policies(case) for rule in (*policy.ingress, *policy.egress)):
        used |= {"ipblock" for peer in rule.peers if peer.ip_block}
        used |= {"named-port" for port in rule.ports if isinstance(port.port, str)}
        used |= {"end-port" for port in rule.ports if port.end_port is not None}
    used |= {"services" for step in case.steps for each in step.actions if isinstance(each, CreateService)}
    used |= {"services" for each in case.setup if isinstance(each, CreateService)}
    used |= {"sctp" for _, protocol in case.probe if protocol == "SCTP"}
    return used


def test_core_cases_need_nothing_optional() -> None:
    assert [case.id for case in CASES if case.tier is Tier.CORE and case.features & OPTIONAL] == []


def test_nothing_that_is_left_open_is_judged() -> None:
    """Address blocks where a Service rewrites addresses, but for those of every address, and port names of what is no pod."""
    assert [case.id for case in CASES if "services" in case.features and _names_addresses(case)] == []
    outside = [case for case in CASES if "external-server" in case.features]
    assert [case.id for case in outside if _names_ports_of_egress(case)] == []


def _names_addresses(case: Case) -> bool:
    rules = [rule for policy in policies(case) for rule in (*policy.ingress, *policy.egress)]
    blocks = [peer.ip_block for rule in rules for peer in rule.peers if peer.ip_block]
    return any(block.excepts or block.cidr not in {"0.0.0.0/0", "::/0"} for block in blocks)


def _names_ports_of_egress(case: Case) -> bool:
    return any(isinstance(port.port, str) for policy in policies(case) for rule in policy.egress for port in rule.ports)


def test_blocks_of_pods_are_told_from_blocks_of_what_is_outside() -> None:
    """An implementation may leave pods out of ipBlocks: a case that counts on them says so."""
    of_what_is_outside = [case for case in CASES if "ipblock" in case.features and "ipblock-pod" not in case.features]
    assert of_what_is_outside
    counting_on_pods = [
        f"{case.id}: {each.step.name}: {flow}"
        for case in of_what_is_outside
        for each in WALKED[case.id]
        for without in [_blocks_of_nobody(each.state)]
        for flow, declared in zip(each.tried, each.allowed, strict=True)
        if {flow.source, flow.destination} <= set(each.state.world.pods)
        if answers(without, flow) != {declared}
    ]
    assert counting_on_pods == []


def _blocks_of_nobody(state: State) -> State:
    return State(state.world, {ref: _without_blocks_of_pods(each, state) for ref, each in state.policies.items()})


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


def test_no_case_gives_a_port_name_a_number_that_another_could_trip_over() -> None:
    """Some implementations look a port's name up in the whole cluster, where cases run side by side. Names that mean several numbers in every arena do so anyway."""
    meant: dict[str, set[tuple[int, str]]] = defaultdict(set)
    for pod in default_world().pods.values():
        for server in pod.servers:
            meant[server.name or ""].add((server.port, server.protocol))
    everywhere = {name for name, places in meant.items() if len(places) > 1}
    for case in CASES:
        for action in actions(case):
            for server in action.pod.servers if isinstance(action, CreatePod) else ():
                meant[server.name or ""].add((server.port, server.protocol))
    assert {name: places for name, places in meant.items() if len(places) > 1 and name not in everywhere} == {}
