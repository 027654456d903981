"""`check`: everything that is wrong with case files, without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Ended

FOUR = """\
apiVersion: netpol-conformance/v1
kind: Case
id: K7QD
requirement: A pod MUST NOT accept what no policy allows.
spec: https://kubernetes.io/docs/concepts/services-networking/network-policies/
tier: core
features: [ingress, ipblock]
steps:
  - name: deny
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: x}
        spec:
          podSelector:
            matchLabel: {pod: a}
          policyTypes: [Ingress]
          ingress:
            - from:
                - ipBlock:
                    cidr: 10.0.0.300/24
              ports:
                - protocol: TCP
                  port: "80"
          policyTypes: [Egress]
    expect:
      default: allow
      deny: ["* -> x/a"]
"""


def test_four_mistakes_in_one_file_are_four_located_errors(command: Callable[..., object], tmp_path: Path) -> None:
    """A typo in a selector key, a wrong port type, a duplicate key and an invalid CIDR."""
    (tmp_path / "case.yaml").write_text(FOUR)
    ended = command("check", "case.yaml")
    spec = "steps[0].apply[0].spec"
    assert ended.err.splitlines() == [
        (
            f"case.yaml:16:13: {spec}.podSelector.matchLabel: unknown field, expected one of matchLabels, matchExpressions; "
            "did you mean matchLabels?"
        ),
        (
            f"case.yaml:21:27: {spec}.ingress[0].from[0].ipBlock.cidr: Invalid value: '10.0.0.300/24': must be a valid CIDR "
            "value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
        ),
        (
            f"case.yaml:24:25: {spec}.ingress[0].ports[0].port: Invalid value: '80': a port name has at most 15 of a-z0-9-, "
            "one letter at least, and no hyphen at its ends or twice in a row; a number is written without quotes"
        ),
        f"case.yaml:25:11: {spec}.policyTypes: duplicate key; the first is on line 17",
    ]
    assert (ended.status, ended.out) == (65, "")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "policyTypes: [Ingress]",
            "policyTypes: [Ingress, Ingress, Egress]",
            ("case.yaml:14:67: steps[0].apply[0].spec.policyTypes: Invalid value: ['Ingress', 'Ingress', 'Egress']: may not specify "
            "more than two policyTypes"),
        ),
        (
            "policyTypes: [Ingress]",
            "ingress: [{from: [{}]}]",
            "case.yaml:14:72: steps[0].apply[0].spec.ingress[0].from[0]: Required value: must specify a peer",
        ),
        (
            "policyTypes: [Ingress]",
            "egress: [{ports: [{port: 80, endPort: 79}]}]",
            ("case.yaml:14:92: steps[0].apply[0].spec.egress[0].ports[0].endPort: Invalid value: 79: must be greater than or equal to "
            "`port`"),
        ),
        (
            "name: deny, namespace",
            "name: Deny, namespace",
            "case.yaml:13:26: steps[0].apply[0].metadata.name: Invalid value: 'Deny': must be a lowercase RFC 1123 subdomain",
        ),
    ],
    ids=["three policyTypes", "an empty peer", "an endPort below its port", "a name in capitals"],
)  # fmt: skip
def test_what_the_api_server_refuses_is_found_without_a_cluster(
    old: str, new: str, said: str, good: str, command: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "case.yaml").write_text(good.replace(old, new))
    ended = command("check", "case.yaml")
    assert (ended.status, ended.err.splitlines()) == (65, [said])


def test_good_files(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one.yaml").write_text(good)
    (tmp_path / "two.yaml").write_text(good.replace("K7QD", "A2B4").replace("pod: a", "pod: b").replace("x/a", "x/b"))
    ended = command("check", ".", "two.yaml")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out == "2 cases are well formed and agree with the evaluator\n"


def test_an_expectation_that_the_evaluator_does_not_share(
    good: str, command: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "case.yaml").write_text(good.replace("* -> x/a", "!y/b -> x/a:80/TCP, 81/TCP".partition(",")[0]))
    ended = command("check", "case.yaml")
    assert (ended.status, ended.out) == (65, "")
    lines = ended.err.splitlines()
    assert lines[-1] == f"case.yaml:9:5: and {25 - 5} more flows of this step"
    assert (
        "case.yaml:9:5: step 'deny': x/b -> x/a:81/TCP is declared allowed, but the evaluator says otherwise: x/a is isolated for "
        "ingress by x/deny (case.yaml:11:9), and no ingress rule matches"
    ) in lines


def test_an_expectation_that_depends_on_the_source_of_a_node_port(
    good: str, command: Callable[..., object], tmp_path: Path
) -> None:
    """A node may put its own address there, so whether a rule with peers matches is not for anybody to declare."""
    web = "{namespace: x, name: web, type: NodePort, selector: {app: web}, ports: [{port: 8080, targetPort: 80}]}"
    text = good.replace("[ingress]", "[ingress, node-port, external-client]").replace(
        "steps:", f"world: {{services: [{web}]}}\nsteps:"
    )
    text = text.replace("policyTypes: [Ingress]", "ingress: [{from: [{ipBlock: {cidr: 192.0.2.0/24}}]}]")
    for declared, row in (("blocked", ""), ("allowed", "!ext -> web.x.svc")):
        (tmp_path / "case.yaml").write_text(text.replace("* -> x/a", f'* -> x/a", "{row or "* -> web.x.svc"}'))
        ended = command("check", "case.yaml")
        (line,) = ended.err.splitlines()
        assert f"ext -> web.x.svc:8080/TCP is declared {declared}, but the evaluator says otherwise" in line
        assert "depends on the source, which a node port may rewrite" in line
        assert ended.status == 65


def test_files_with_the_same_id(good: str, command: Callable[..., object], tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(good)
    ended = command("check", "a.yaml", "b.yaml")
    assert (ended.status, ended.err) == (65, "b.yaml:3:5: id: K7QD is already the id of a.yaml\n")


@pytest.mark.parametrize("verb", ["check", "list", "run"])
def test_a_path_that_is_not_there(verb: str, command: Callable[..., object]) -> None:
    ended = command(verb, "nothing")
    assert (ended.status, ended.out) == (64, "")
    assert ended.err.startswith("no such file or folder: nothing [usage]\n  hint: ")


@pytest.mark.parametrize("verb", ["check", "list", "run"])
def test_a_folder_without_cases(verb: str, command: Callable[..., object], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    ended = command(verb, "empty")
    assert (ended.status, ended.err) == (64, "no case files under empty [usage]\n")


@pytest.mark.parametrize("verb", ["list", "run"])
def test_other_verbs_refuse_bad_files_alike(
    verb: str, good: str, command: Callable[..., object], tmp_path: Path
) -> None:
    (tmp_path / "case.yaml").write_text(good.replace("core", "kore"))
    ended = command(verb, "case.yaml")
    assert (ended.status, ended.out) == (65, "")
    assert ended.err.startswith("case.yaml:6:7: tier: ")


def test_waivers_for_ids_that_no_case_has_are_told_with_their_lines(
    command: Callable[..., Ended], tmp_path: Path
) -> None:
    (tmp_path / "waivers.yaml").write_text(
        "waivers:\n"
        "  - cases: [AD8Y, AD8X, 'NONE-*']\n"
        "    reason: why\n    link: https://example.org/1\n    until: '2999-01-01'\n"
    )
    ended = command("check", "--waivers", "waivers.yaml")
    assert ended.status == 65
    assert "waivers.yaml:2:19: waivers[0].cases[1]: no case has the id AD8X" in ended.err
    assert "no case has the id NONE-*" in ended.err
    assert "no case has the id AD8Y" not in ended.err
