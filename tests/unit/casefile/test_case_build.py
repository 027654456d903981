"""From a case file to a Case: everything that a file may say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.casefile.load import digest
from conformance.model.case import (
    ApplyPolicy,
    CreateNamespace,
    CreatePod,
    CreateService,
    DeleteNamespace,
    DeletePod,
    DeletePolicy,
    LabelNamespace,
    LabelPod,
    ReplacePod,
    Tier,
)
from conformance.model.default_world import servers
from conformance.model.flow import DEFAULT_PROBE
from conformance.model.source import Location
from conformance.model.world import Namespace, Pod, Protocol, Service, ServicePort, ServiceType

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model.case import Case

    Load, Whole = Callable[[str], Case], Callable[..., str]

TCP, UDP = Protocol.TCP, Protocol.UDP
FULL = """\
# yaml-language-server: $schema=../_schema/case.schema.json
apiVersion: netpol-conformance/v1
kind: Case
id: K7QD
requirement: A pod MUST NOT accept what no policy allows.
spec: https://kubernetes.io/docs/
tier: extended
features: [ingress, named-port, external-client]
defects: [M18, M01]
covers: [upstream:1, recipe:deny-all-traffic-to-an-application]
probe: [82/TCP, 79-80/UDP, 80/UDP]
world:
  services:
    - namespace: w
      name: web
      selector: {app: web}
      ports:
        - {port: 8080, targetPort: http}
        - {port: 53, targetPort: 80, protocol: UDP}
        - {port: 80}
  pods:
    - {namespace: w, name: d, labels: {app: web}, node: 1, portNames: {http: 82/TCP, dns: 80/UDP}}
    - {namespace: w, name: e}
  namespaces:
    - {name: w, labels: {team: red}}
    - {name: v}
steps:
  - name: everything
    remove: [x/a, z]
    create: {namespaces: [{name: u}]}
    replace: [w/d]
    label: {w/e: {app: web, gone: null}, w: {team: null}}
    apply:
      - apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: deny, namespace: x}
        spec: {podSelector: {}, policyTypes: [Ingress]}
  - name: read
    delete: [x/deny]
    expect: {default: deny, allow: ["* -> *"], deny: ["ext -> x/b"]}
"""


def test_everything(load: Load) -> None:
    case = load(FULL)
    assert (case.id, case.tier, case.spec) == ("K7QD", Tier.EXTENDED, "https://kubernetes.io/docs/")
    assert case.requirement == "A pod MUST NOT accept what no policy allows."
    assert case.features == {"ingress", "named-port", "external-client"}
    assert (case.defects, case.covers) == (("M18", "M01"), ("upstream:1", "recipe:deny-all-traffic-to-an-application"))
    assert case.probe == ((82, TCP), (79, UDP), (80, UDP))
    assert case.external
    assert case.location == Location("case.yaml", 4, 5)
    d = Pod("w", "d", {"app": "web"}, servers({"http": (82, TCP), "dns": (80, UDP)}), node=1)
    ports = (ServicePort(8080, "http"), ServicePort(53, 80, UDP), ServicePort(80, 80))
    assert case.setup == (
        CreateNamespace(Namespace("w", {"team": "red"})),
        CreateNamespace(Namespace("v")),
        CreatePod(d),
        CreatePod(Pod("w", "e", servers=servers())),
        CreateService(Service("w", "web", {"app": "web"}, ports)),
    )
    everything, read = case.steps
    *others, applied = everything.actions
    assert others == [
        DeletePod("x/a"),
        DeleteNamespace("z"),
        CreateNamespace(Namespace("u")),
        ReplacePod("w/d"),
        LabelPod("w/e", {"app": "web", "gone": None}),
        LabelNamespace("w", {"team": None}),
    ]
    assert isinstance(applied, ApplyPolicy)
    assert (applied.policy.ref, str(applied.policy.location)) == ("x/deny", "case.yaml:34:9")
    assert (everything.name, everything.expect, str(everything.location)) == ("everything", None, "case.yaml:28:5")
    assert (read.name, read.actions, str(read.location)) == ("read", (DeletePolicy("x/deny"),), "case.yaml:38:5")
    assert read.expect is not None
    assert (read.expect.default, [each.text for each in read.expect.allow]) == (False, ["* -> *"])
    assert [str(each.location) for each in read.expect.deny] == ["case.yaml:40:55"]


def test_the_type_of_a_service(load: Load, whole: Whole) -> None:
    services = "[{{namespace: x, name: {}, {}selector: {{app: web}}, ports: [{{port: 80}}]}}]"
    case = load(whole(f"world:\n  services: {services.format('web', '')}\n"))
    assert [each.service.type for each in case.setup if isinstance(each, CreateService)] == [ServiceType.CLUSTER_IP]
    text = whole(f"world:\n  services: {services.format('web', 'type: NodePort, ')}\n")
    case = load(text.replace("[ingress]", "[node-port, external-client]"))
    assert [each.service.type for each in case.setup if isinstance(each, CreateService)] == [ServiceType.NODE_PORT]


def test_what_is_not_said(load: Load, whole: Whole) -> None:
    case = load(whole())
    assert (case.defects, case.covers, case.setup, case.probe) == ((), (), (), DEFAULT_PROBE)
    assert not case.external


def test_the_digest_is_of_what_is_said_and_not_of_how_it_is_written(load: Load, whole: Whole) -> None:
    case, commented = load(whole()), load("# a comment\n" + whole().replace("[ingress]", "\n  - ingress"))
    other = load(whole().replace("core", "extended"))
    assert case.digest == commented.digest != other.digest
    assert digest([case, replace(other, id="AAAA")]) == digest([replace(other, id="AAAA"), commented])
    assert digest([case]) != digest([other]) != digest([])


@pytest.mark.parametrize("feature", ["external-client", "external-server"])
def test_one_external_feature_makes_a_case_external(feature: str, load: Load, whole: Whole) -> None:
    assert load(whole().replace("[ingress]", f"[{feature}]")).external
