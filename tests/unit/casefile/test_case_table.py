"""Tables: what they expand into, and where a mistake in one is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.casefile.load import load_file
from conformance.errors import CaseFileError
from conformance.model.case import ApplyPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.model.case import Case

TABLE = """\
apiVersion: netpol-conformance/v1
kind: CaseTable
id: K7QD
rule: The pods that a peer selects were read off the default world by hand.
over:
  direction:
    ingress: {type: Ingress, peers: from, all: "* -> x/a", passes: "${peer.who} -> x/a"}
    egress: {type: Egress, peers: to, all: "x/a -> *", passes: "x/a -> ${peer.who}"}
  peer:
    own: {item: {podSelector: {}}, who: "x/*"}
    labelled: {item: {podSelector: {matchLabels: {pod: b}}}, who: x/b}
case:
  requirement: A ${direction} rule for ${peer} pods MUST let pass what it selects, and nothing else.
  spec: https://kubernetes.io/docs/concepts/
  tier: core
  features: ["${direction}"]
  covers: ["cyclonus:rules-${direction}-none"]
  steps:
    - name: one peer
      apply:
        - apiVersion: networking.k8s.io/v1
          kind: NetworkPolicy
          metadata: {name: one-peer, namespace: x}
          spec:
            podSelector: {matchLabels: {pod: a}}
            policyTypes: ["${direction.type}"]
            "${direction}": [{"${direction.peers}": ["${peer.item}"]}]
      expect: {default: allow, deny: ["${direction.all}"], allow: ["${direction.passes}"]}
"""


def load(folder: Path, text: str) -> tuple[Case, ...]:
    file = folder / "table.yaml"
    file.write_text(text, encoding="utf-8")
    return load_file(file, "table.yaml")


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(CaseFileError) as caught:
        load(folder, text)
    return list(caught.value.problems)


def test_a_table_is_one_case_for_each_combination(tmp_path: Path) -> None:
    cases = load(tmp_path, TABLE)
    assert [case.id for case in cases] == [
        "K7QD-ingress-own",
        "K7QD-ingress-labelled",
        "K7QD-egress-own",
        "K7QD-egress-labelled",
    ]
    first, last = cases[0], cases[-1]
    assert first.requirement == "A ingress rule for own pods MUST let pass what it selects, and nothing else."
    assert last.features == {"egress"}
    assert last.covers == ("cyclonus:rules-egress-none",)
    (action,) = last.steps[0].actions
    assert isinstance(action, ApplyPolicy)
    assert action.policy.egress[0].peers[0].pod_selector.match_labels == {"pod": "b"}  # type: ignore[union-attr]
    assert [row.text for row in last.steps[0].expect.allow] == ["x/a -> x/b"]  # type: ignore[union-attr]
    assert len({case.digest for case in cases}) == 4


def test_a_case_stands_where_its_row_does_and_evidence_where_the_table_has_it(tmp_path: Path) -> None:
    last = load(tmp_path, TABLE)[-1]
    assert last.location
    assert last.location.line == 11
    (action,) = last.steps[0].actions
    assert isinstance(action, ApplyPolicy)
    assert action.policy.egress[0].location.line == 27  # type: ignore[union-attr]


def test_a_list_takes_in_the_items_of_another(tmp_path: Path) -> None:
    text = TABLE.replace('passes: "${peer.who} -> x/a"}', 'passes: ["${peer.who} -> x/a", "y/b -> x/a"]}').replace(
        'passes: "x/a -> ${peer.who}"}', 'passes: ["x/a -> ${peer.who}", "x/a -> y/b"]}'
    )
    text = text.replace("{podSelector: {}}", "{namespaceSelector: {}}").replace('who: "x/*"', 'who: "*/*"')
    text = (
        text.replace("${peer.item}", "${peer.item}")
        .replace("who: x/b", "who: x/b, y/b")
        .replace("x/b, y/b", '"x/b, y/b"')
    )
    cases = load(tmp_path, text)
    assert [row.text for row in cases[3].steps[0].expect.allow] == ["x/a -> x/b, y/b", "x/a -> y/b"]  # type: ignore[union-attr]


def test_an_axis_of_pairs_takes_each_pair_once(tmp_path: Path) -> None:
    text = (
        TABLE.replace("  peer:\n", '  "one, other":\n')
        .replace("    labelled:", "    third: {item: {podSelector: {matchLabels: {pod: c}}}, who: x/c}\n    labelled:")
        .replace('["${peer.item}"]', '["${one.item}", "${other.item}"]')
        .replace("${peer.who}", "${one.who}, ${other.who}")
        .replace('passes: "x/a -> ${one.who}, ${other.who}"', 'passes: "x/a -> ${one.who}, ${other.who}"')
        .replace("${peer}", "${one}-${other}")
    )
    assert [case.id for case in load(tmp_path, text)][:3] == [
        "K7QD-ingress-own-third",
        "K7QD-ingress-own-labelled",
        "K7QD-ingress-third-labelled",
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("${peer.item}", "${peer.itm}", "table.yaml:27:54: case.steps[0].apply[0].spec.${direction}[0][${direction.peers}][0]: own has no field 'itm', which ${peer.itm} asks for; did you mean item?"),
        ("${peer.item}", "${pear.item}", "asks for an axis 'pear' that the table does not have; did you mean peer?"),
        ("who: x/b", "who: x/b, whom: x/c", "table.yaml:11:72: over.peer.labelled.whom: no hole asks for this field"),
        ("who: x/b", "who: [x/b]", "over.direction.ingress.passes: ${peer.who} stands inside a text, so it must be text or a number"),
        ("who: x/b", 'who: "${peer.who}"', "holes within holes, more than 5 deep"),
        ("who: x/b", "who: x/q", "table.yaml:8:64: steps[0].expect.allow[0]: 'x/a -> x/q': x/q is the destination of none"),
        ("pod: b", "pod: b_", "table.yaml:11:56: steps[0].apply[0].spec.ingress[0].from[0].podSelector.matchLabels.pod"),
        ("rule: The", "rul: The", "unknown field, expected one of apiVersion, kind, id, rule, over, case; did you mean rule?"),
        ("  peer:\n", "  Peer:\n", "an axis is a lowercase word"),
        ("    own:", "    own_pods:", "entries and fields are lowercase words with hyphens"),
        ("  tier: core\n", "", "tier: missing"),
        ("id: K7QD", "id: K7QD-x", "an id is four characters of A-Z and 0-9"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_where_it_stands(tmp_path: Path, old: str, new: str, said: str) -> None:
    found = problems(tmp_path, TABLE.replace(old, new))
    assert any(said in each for each in found), found


def test_a_mistake_in_the_template_is_reported_once(tmp_path: Path) -> None:
    assert len(problems(tmp_path, TABLE.replace("name: one peer", "name: one peer\n      foo: 1"))) == 1
