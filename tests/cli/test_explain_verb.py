"""The verb `explain`: a user's own manifests, without a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from conformance import targets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conftest import Ended

    Command = Callable[..., Ended]

#: As people write them: several documents, workloads in place of pods, a default namespace, an anchor.
SHOP = """\
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {team: shop}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: &web {app: web}}
  template:
    metadata: {labels: *web}
    spec: {containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, labels: {team: shop}}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Pod
metadata: {name: node-agent}
spec: {hostNetwork: yes, containers: [{name: c}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: other}
data: {when: 2020-01-01}
"""
#: As `kubectl get -o yaml` writes it.
POLICIES = """\
apiVersion: v1
kind: List
items:
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata:
    creationTimestamp: "2020-01-01T00:00:00Z"
    generation: 1
    name: web
    namespace: shop
    uid: 5c3b
  spec:
    podSelector: {matchLabels: {app: web}}
    policyTypes: [Ingress]
    ingress:
    - from:
      - namespaceSelector: {matchLabels: {team: shop}}
      ports:
      - port: http
    - from:
      - namespaceSelector: {}
        podSelector: {matchLabels: {team: shop}}
      ports:
      - port: 9090
  status: {}
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "k8s" / "deep").mkdir(parents=True)
    (tmp_path / "k8s" / "shop.yaml").write_text(SHOP)
    (tmp_path / "k8s" / "deep" / "policies.yml").write_text(POLICIES)
    (tmp_path / "k8s" / "README.md").write_text("no: [manifest")
    return "k8s"


def test_a_blocked_flow_with_the_policy_its_line_and_what_would_let_it_pass(command: Command, folder: str) -> None:
    ended = command("explain", "-f", folder, "--from", "default/client", "--to", "shop/web:8080/TCP")
    assert ended.status == 1
    assert ended.out.splitlines() == [
        "BLOCKED default/client -> shop/web:8080/TCP",
        "  + default/client is not isolated for egress: no policy selects it",
        "  - shop/web is isolated for ingress by shop/web (k8s/deep/policies.yml:4:3), and no ingress rule matches",
        "  for the ingress of shop/web to let it pass, any of these would do:",
        "    - shop/web ingress[0] (k8s/deep/policies.yml:16:7) matches the port, and not the source: add a peer to its `from` that selects default/client",
        "    - shop/web ingress[1] (k8s/deep/policies.yml:20:7) matches the source, and not the port: add 8080/TCP to its ports",
        "    - a further policy in shop that selects shop/web, with a rule for ingress that matches default/client and 8080/TCP",
    ]
    assert "pods in their node's network is not specified: default/node-agent" in ended.err
    assert "namespace default has no manifest" in ended.err


def test_an_allowed_flow_with_the_rule_and_what_would_block_it(command: Command, folder: str) -> None:
    ended = command(
        "explain", "-f", folder, "--pod", "shop/new app=new tier=x", "--from", "shop/new", "--to", "shop/web:8080"
    )
    assert ended.status == 0
    assert ended.out.splitlines() == [
        "ALLOWED shop/new -> shop/web:8080/TCP",
        "  + shop/new is not isolated for egress: no policy selects it",
        "  + shop/web ingress[0].from[0] with ports[0] (k8s/deep/policies.yml:16:7) lets it into shop/web",
        "  it would be blocked by any of these:",
        "    - a policy in shop that selects shop/new, with Egress among its policyTypes and no rule that matches",
        "    - this rule narrowed or removed, and nothing else that lets it pass: shop/web ingress[0] (k8s/deep/policies.yml:16:7)",
    ]


def test_of_a_live_cluster_there_are_no_lines_to_name(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = [*yaml.safe_load_all(SHOP), *yaml.safe_load(POLICIES)["items"]]
    monkeypatch.setattr(targets, "live_objects", lambda *_: objects)
    ended = command("explain", "--context", "prod", "--from", "default/client", "--to", "shop/web:8080/TCP")
    assert ended.status == 1
    assert "shop/web is isolated for ingress by shop/web (cluster prod), and no ingress rule matches" in ended.out


@pytest.mark.parametrize(
    ("source", "destination", "status", "said"),
    [
        ("203.0.113.7", "shop/web:8080/TCP", 1, "BLOCKED 203.0.113.7 -> shop/web:8080/TCP"),
        ("shop/web", "203.0.113.7:443/TCP", 0, "ALLOWED shop/web -> 203.0.113.7:443/TCP"),
        ("default/client", "web.shop.svc:80/TCP", 1, "BLOCKED default/client -> shop/web:8080/TCP"),
        ("shop/web", "[2001:db8::1]:53/udp", 0, "ALLOWED shop/web -> 2001:db8::1:53/UDP"),
    ],
)
def test_addresses_outside_and_services(
    command: Command, folder: str, source: str, destination: str, status: int, said: str
) -> None:
    ended = command("explain", "-f", folder, "--from", source, "--to", destination)
    assert (ended.status, ended.out.splitlines()[0]) == (status, said)


def test_the_whole_matrix(command: Command, folder: str) -> None:
    ended = command("explain", "-f", folder, "--pod", "shop/new app=new", "--port", "8080/TCP")
    assert ended.status == 0
    assert ended.out.splitlines() == [
        "8080/TCP, all: passes, -: is blocked, .: not asked",
        "from \\ to       shop/web  default/client  shop/new",
        "shop/web        .         all             all",
        "default/client  -         .               all",
        "shop/new        all       all             .",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 64, "say what to explain"),
        (["-f", "nowhere"], 64, "nowhere is not there"),
        (["-f", "k8s", "--from", "shop/web"], 64, "one flow has both"),
        (["-f", "k8s", "--from", "shop/wab", "--to", "shop/web:80"], 64, "no pod is called shop/wab"),
        (["-f", "k8s", "--from", "shop/web", "--to", "shop/web"], 64, "'shop/web' names no port"),
        (["-f", "k8s", "--from", "shop/web", "--to", "shop/web:http"], 64, "'http' is no port"),
        (["-f", "k8s", "--from", "shop/web", "--to", "web.shop.svc:81"], 64, "web.shop.svc has no port 81/TCP"),
        (["-f", "k8s", "--from", "shop/web", "--to", "shop/web:80"], 64, "whether shop/web may reach itself"),
        (["-f", "k8s", "--pod", "x", "--port", "80"], 64, "'x' is no pod"),
        (["-f", "k8s", "--port", "many"], 64, "'many' is no port"),
    ],
)
def test_what_makes_no_sense_is_told_in_words(
    command: Command, folder: str, arguments: list[str], status: int, said: str
) -> None:
    assert folder
    ended = command("explain", *arguments)
    assert ended.status == status, ended.err
    assert said in ended.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: [", "bad.yaml:2:1: not YAML"),
        (
            POLICIES.replace("port: http", "prt: http"),
            "bad.yaml:19:9: items[0].spec.ingress[0].ports[0].prt: unknown field",
        ),
        (
            POLICIES.replace("port: 9090", "port: 909090"),
            "bad.yaml:24:15: items[0].spec.ingress[1].ports[0].port: Invalid value",
        ),
    ],
)
def test_a_policy_that_the_api_server_would_refuse_is_refused_with_its_line(
    command: Command, folder: str, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / folder / "bad.yaml").write_text(text)
    ended = command("explain", "-f", folder)
    assert ended.status == 65
    assert said in ended.err
