"""What the specification says, worked out by hand: one row for each thing that it says, and for what it is mistaken for.

A row is: policies, flows that pass, flows that are blocked. The world is the default one: pods of the same name have the same labels
in every namespace (`pod: a`, `app: web`, `team: red` on a; `pod: b`, `app: api`, `team: blue` on b; `pod: c` alone on c), x is `team:
red`, y is `team: blue`, z has no team; `http` is 80 on a and 81 on b.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from conformance.model.world import Namespace, Phase, Pod, Protocol, Server, Service, ServicePort, ServiceType

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conformance.model.decision import Decision
    from conformance.model.world import World

    Decide = Callable[..., Decision]

DENY_IN = "{podSelector: {}, policyTypes: [Ingress]}"
DENY_OUT = "{podSelector: {}, policyTypes: [Egress]}"


def from_(peers: str, select: str = "{}", ports: str = "") -> str:
    """Write a spec with one ingress rule for these peers."""
    rule = f"from: {peers}" + (f", ports: {ports}" if ports else "")
    return f"{{podSelector: {select}, policyTypes: [Ingress], ingress: [{{{rule}}}]}}"


def to(peers: str, ports: str = "") -> str:
    """Write a spec for x/a with one egress rule for these peers."""
    rule = f"to: {peers}" + (f", ports: {ports}" if ports else "")
    return f"{{podSelector: {{matchLabels: {{pod: a}}}}, policyTypes: [Egress], egress: [{{{rule}}}]}}"


def ports(items: str) -> str:
    """Write a spec with one ingress rule for these ports, from anybody."""
    return f"{{podSelector: {{}}, policyTypes: [Ingress], ingress: [{{ports: {items}}}]}}"


def pods(expressions: str) -> str:
    return from_(f"[{{podSelector: {{matchExpressions: [{expressions}]}}}}]")


def spaces(expressions: str) -> str:
    return from_(f"[{{namespaceSelector: {{matchExpressions: [{expressions}]}}}}]")


ROWS = {
    # -- isolation, direction by direction
    "no policy at all": ({}, "x/a -> y/a:80/TCP; ext -> x/a:80/TCP; x/a -> ext:80/UDP", ""),
    "ingress deny closes ingress only": (
        {"x/p": DENY_IN},
        "x/a -> y/a:80/TCP; x/a -> ext:80/TCP; y/a -> z/a:80/UDP",
        "y/a -> x/a:80/TCP; x/b -> x/a:80/TCP; ext -> x/a:80/UDP",
    ),
    "egress deny closes egress only": (
        {"x/p": DENY_OUT},
        "y/a -> x/a:80/TCP; ext -> x/a:80/TCP; y/a -> z/a:80/UDP",
        "x/a -> y/a:80/TCP; x/a -> x/b:80/TCP; x/a -> ext:80/UDP",
    ),
    "pods that are not selected stay open": (
        {"x/p": "{podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress, Egress]}"},
        "x/b -> x/c:80/TCP; y/a -> x/b:80/TCP; y/a -> y/b:80/TCP; y/b -> y/a:80/TCP",
        "x/b -> x/a:80/TCP; x/a -> x/b:80/TCP",
    ),
    "a policy is about its own namespace only": ({"y/p": DENY_IN}, "y/a -> x/a:80/TCP", "x/a -> y/a:80/TCP"),
    # -- policyTypes
    "types absent: ingress": ({"x/p": "{podSelector: {}}"}, "x/a -> y/a:80/TCP", "y/a -> x/a:80/TCP"),
    "types absent, egress rules: both": (
        {"x/p": "{podSelector: {}, egress: [{to: [{podSelector: {}}]}]}"},
        "",
        "y/a -> x/a:80/TCP; x/a -> y/a:80/TCP; x/b -> x/a:80/TCP",
    ),
    "types absent, egress empty: ingress alone": (
        {"x/p": "{podSelector: {}, egress: []}"},
        "x/a -> y/a:80/TCP; x/a -> ext:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    "types empty are types absent": ({"x/p": "{podSelector: {}, policyTypes: []}"}, "x/a -> y/a:80/TCP", "y/a -> x/a:80/TCP"),
    "types absent, ingress rules: ingress alone": (
        {"x/p": "{podSelector: {}, ingress: [{}]}"},
        "y/a -> x/a:80/TCP; x/a -> y/a:80/TCP",
        "",
    ),
    "egress type ignores ingress rules": (
        {"x/p": "{podSelector: {}, policyTypes: [Egress], ingress: [{from: [{podSelector: {}}]}]}"},
        "y/a -> x/a:80/TCP",
        "x/a -> y/a:80/TCP",
    ),
    "ingress type ignores egress rules": (
        {"x/p": "{podSelector: {}, policyTypes: [Ingress], egress: [{to: [{podSelector: {}}]}]}"},
        "x/a -> y/a:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    "types said twice": ({"x/p": "{podSelector: {}, policyTypes: [Egress, Egress]}"}, "y/a -> x/a:80/TCP", "x/a -> y/a:80/TCP"),
    # -- what is absent, null or empty
    "podSelector absent selects all": ({"x/p": "{policyTypes: [Ingress]}"}, "", "y/a -> x/a:80/TCP; y/a -> x/c:80/TCP"),
    "podSelector null selects all": ({"x/p": "{podSelector: , policyTypes: [Ingress]}"}, "", "y/a -> x/c:80/TCP"),
    "spec empty denies ingress": ({"x/p": "{}"}, "x/a -> y/a:80/TCP", "y/a -> x/a:80/TCP"),
    "rules empty allow nothing": ({"x/p": "{policyTypes: [Ingress], ingress: []}"}, "", "y/a -> x/a:80/TCP"),
    "rules null allow nothing": ({"x/p": "{policyTypes: [Ingress], ingress: }"}, "", "y/a -> x/a:80/TCP"),
    "one empty rule allows all": (
        {"x/p": "{policyTypes: [Ingress], ingress: [{}]}"},
        "y/a -> x/a:80/TCP; ext -> x/a:83/UDP; x/b -> x/a:80/SCTP",
        "",
    ),
    "from empty means anybody": ({"x/p": from_("[]")}, "y/a -> x/a:80/TCP; ext -> x/a:80/TCP", ""),
    "from null means anybody": ({"x/p": from_("")}, "y/a -> x/a:80/TCP; ext -> x/a:80/TCP", ""),
    "to empty means anybody": ({"x/p": to("[]")}, "x/a -> y/a:80/TCP; x/a -> ext:80/TCP", ""),
    "ports empty mean all": ({"x/p": ports("[]")}, "y/a -> x/a:80/TCP; y/a -> x/a:80/UDP; y/a -> x/a:80/SCTP", ""),
    "matchLabels and matchExpressions empty select all": (
        {"x/p": from_("[{podSelector: {matchLabels: {}, matchExpressions: []}}]")},
        "x/c -> x/a:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    # -- peers
    "podSelector means the policy's own namespace": (
        {"x/p": from_("[{podSelector: {matchLabels: {pod: b}}}]")},
        "x/b -> x/a:80/TCP",
        "y/b -> x/a:80/TCP; z/b -> x/a:80/TCP; x/c -> x/a:80/TCP; ext -> x/a:80/TCP",
    ),
    "podSelector {} means the whole own namespace": (
        {"x/p": from_("[{podSelector: {}}]")},
        "x/b -> x/a:80/TCP; x/c -> x/a:80/TCP",
        "y/a -> x/a:80/TCP; ext -> x/a:80/TCP",
    ),
    "namespaceSelector means all of its pods, own namespace or not": (
        {"x/p": from_("[{namespaceSelector: {matchLabels: {team: red}}}]")},
        "x/b -> x/a:80/TCP; x/c -> x/a:80/TCP",
        "y/a -> x/a:80/TCP; z/a -> x/a:80/TCP",
    ),
    "namespaceSelector does not look at labels of pods": (
        {"x/p": from_("[{namespaceSelector: {matchLabels: {team: blue}}}]")},
        "y/a -> x/a:80/TCP; y/c -> x/a:80/TCP",
        "x/b -> x/a:80/TCP; z/b -> x/a:80/TCP",
    ),
    "namespaceSelector {} means every pod, and nothing outside": (
        {"x/p": from_("[{namespaceSelector: {}}]")},
        "x/b -> x/a:80/TCP; z/c -> x/a:80/TCP",
        "ext -> x/a:80/TCP",
    ),
    "both selectors in one item are AND": (
        {"x/p": from_("[{namespaceSelector: {matchLabels: {ns: y}}, podSelector: {matchLabels: {pod: b}}}]")},
        "y/b -> x/a:80/TCP",
        "y/a -> x/a:80/TCP; x/b -> x/a:80/TCP; z/b -> x/a:80/TCP",
    ),
    "two items are OR": (
        {"x/p": from_("[{namespaceSelector: {matchLabels: {ns: y}}}, {podSelector: {matchLabels: {pod: b}}}]")},
        "y/a -> x/a:80/TCP; y/b -> x/a:80/TCP; x/b -> x/a:80/TCP",
        "x/c -> x/a:80/TCP; z/b -> x/a:80/TCP",
    ),
    "namespaceSelector {} with a podSelector means such pods everywhere": (
        {"x/p": from_("[{namespaceSelector: {}, podSelector: {matchLabels: {pod: b}}}]")},
        "x/b -> x/a:80/TCP; y/b -> x/a:80/TCP; z/b -> x/a:80/TCP",
        "y/a -> x/a:80/TCP; ext -> x/a:80/TCP",
    ),
    "a namespace with a podSelector {} is not the own one": (
        {"x/p": from_("[{namespaceSelector: {matchLabels: {ns: y}}, podSelector: {}}]")},
        "y/c -> x/a:80/TCP",
        "x/b -> x/a:80/TCP",
    ),
    "peers of egress": (
        {"x/p": to("[{namespaceSelector: {matchLabels: {ns: y}}, podSelector: {matchLabels: {pod: b}}}]")},
        "x/a -> y/b:80/TCP; x/b -> z/a:80/TCP",
        "x/a -> y/a:80/TCP; x/a -> x/b:80/TCP; x/a -> ext:80/TCP",
    ),
    "selectors never mean what is outside, whatever they say": (
        {"x/p": from_("[{namespaceSelector: {}, podSelector: {}}, {podSelector: {}}, {namespaceSelector: {}}]")},
        "z/a -> x/a:80/TCP",
        "ext -> x/a:80/TCP",
    ),
    # -- operators, with and without the key (z has no team, and c neither app nor team)
    "pods In": ({"x/p": pods("{key: app, operator: In, values: [web, db]}")}, "x/a -> x/b:80/TCP", "x/b -> x/a:80/TCP; x/c -> x/a:80/TCP"),
    "pods NotIn holds without the key": (
        {"x/p": pods("{key: app, operator: NotIn, values: [web]}")},
        "x/b -> x/a:80/TCP; x/c -> x/a:80/TCP",
        "x/a -> x/b:80/TCP; y/b -> x/a:80/TCP",
    ),
    "pods Exists": ({"x/p": pods("{key: app, operator: Exists}")}, "x/a -> x/b:80/TCP; x/b -> x/a:80/TCP", "x/c -> x/a:80/TCP"),
    "pods DoesNotExist": ({"x/p": pods("{key: app, operator: DoesNotExist}")}, "x/c -> x/a:80/TCP", "x/a -> x/b:80/TCP; x/b -> x/a:80/TCP"),
    "namespaces In": ({"x/p": spaces("{key: team, operator: In, values: [red, blue]}")}, "x/b -> x/a:80/TCP; y/c -> x/a:80/TCP", "z/a -> x/a:80/TCP"),
    "namespaces NotIn holds without the key": (
        {"x/p": spaces("{key: team, operator: NotIn, values: [red]}")},
        "y/a -> x/a:80/TCP; z/a -> x/a:80/TCP",
        "x/b -> x/a:80/TCP; ext -> x/a:80/TCP",
    ),
    "namespaces Exists": ({"x/p": spaces("{key: team, operator: Exists}")}, "y/a -> x/a:80/TCP", "z/b -> x/a:80/TCP"),
    "namespaces DoesNotExist": ({"x/p": spaces("{key: team, operator: DoesNotExist}")}, "z/b -> x/a:80/TCP", "x/b -> x/a:80/TCP; ext -> x/a:80/TCP"),
    "labels and expressions are AND": (
        {"x/p": from_("[{podSelector: {matchLabels: {team: red}, matchExpressions: [{key: app, operator: Exists}]}}]")},
        "x/a -> x/b:80/TCP",
        "x/b -> x/a:80/TCP; x/c -> x/a:80/TCP",
    ),
    "expressions are AND": (
        {"x/p": pods("{key: app, operator: Exists}, {key: app, operator: NotIn, values: [web]}")},
        "x/b -> x/a:80/TCP",
        "x/a -> x/b:80/TCP; x/c -> x/a:80/TCP",
    ),
    "two labels are AND": (
        {"x/p": from_("[{podSelector: {matchLabels: {team: red, app: api}}}]")},
        "",
        "x/a -> x/b:80/TCP; x/b -> x/a:80/TCP",
    ),
    "an empty value is no missing key": (
        {"x/p": from_("[{podSelector: {matchLabels: {app: ''}}}]")},
        "",
        "x/a -> x/b:80/TCP; x/c -> x/a:80/TCP",
    ),
    "In with the empty value does not hold without the key": (
        {"x/p": pods("{key: app, operator: In, values: ['', web]}")},
        "x/a -> x/b:80/TCP",
        "x/c -> x/a:80/TCP",
    ),
    "expressions in the podSelector of the policy": (
        {"x/p": "{podSelector: {matchExpressions: [{key: app, operator: DoesNotExist}]}, policyTypes: [Ingress]}"},
        "y/a -> x/a:80/TCP; y/a -> x/b:80/TCP",
        "y/a -> x/c:80/TCP",
    ),
    # -- namespaces by name
    "metadata.name by label": (
        {"x/p": from_("[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: y}}}]")},
        "y/a -> x/a:80/TCP",
        "x/b -> x/a:80/TCP; z/a -> x/a:80/TCP",
    ),
    "metadata.name by expression": (
        {"x/p": spaces("{key: kubernetes.io/metadata.name, operator: NotIn, values: [y]}")},
        "x/b -> x/a:80/TCP; z/a -> x/a:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    "pods do not have the label of their namespace's name": (
        {"x/p": pods("{key: kubernetes.io/metadata.name, operator: Exists}")},
        "",
        "x/b -> x/a:80/TCP",
    ),
    # -- blocks of addresses
    "ipBlock means addresses, of pods too": (
        {"x/p": from_("[{ipBlock: {cidr: 10.0.2.0/24}}]")},
        "y/a -> x/a:80/TCP; y/c -> x/a:80/TCP",
        "x/b -> x/a:80/TCP; z/a -> x/a:80/TCP; ext -> x/a:80/TCP",
    ),
    "ipBlock of one address": (
        {"x/p": from_("[{ipBlock: {cidr: 192.0.2.7/32}}]")},
        "ext -> x/a:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    "ipBlock on no octet boundary": (
        {"x/p": from_("[{ipBlock: {cidr: 10.0.2.2/31}}]")},
        "y/b -> x/a:80/TCP; y/c -> x/a:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    "except takes from its block": (
        {"x/p": from_("[{ipBlock: {cidr: 10.0.2.0/24, except: [10.0.2.2/32, 10.0.2.128/25]}}]")},
        "y/a -> x/a:80/TCP; y/c -> x/a:80/TCP",
        "y/b -> x/a:80/TCP; x/b -> x/a:80/TCP",
    ),
    "except takes nothing from another item": (
        {"x/p": from_("[{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.2.0/24]}}, {namespaceSelector: {matchLabels: {ns: y}}}]")},
        "y/a -> x/a:80/TCP; z/a -> x/a:80/TCP; ext -> x/a:80/TCP",
        "",
    ),
    "except takes nothing from another block": (
        {"x/p": from_("[{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.2.0/24]}}, {ipBlock: {cidr: 10.0.2.2/32}}]")},
        "y/b -> x/a:80/TCP; x/b -> x/a:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    "except is no deny rule": (
        {"x/p": from_("[{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.2.0/24]}}]"), "x/q": from_("[{ipBlock: {cidr: 10.0.2.1/32}}]")},
        "y/a -> x/a:80/TCP",
        "y/b -> x/a:80/TCP",
    ),
    "0.0.0.0/0 is everybody who has IPv4": (
        {"x/p": to("[{ipBlock: {cidr: 0.0.0.0/0}}]")},
        "x/a -> y/a:80/TCP; x/a -> ext:80/TCP",
        "",
    ),
    "::/0 is nobody who has IPv4": ({"x/p": to("[{ipBlock: {cidr: '::/0'}}]")}, "", "x/a -> y/a:80/TCP; x/a -> ext:80/TCP"),
    # -- ports
    "one port of one protocol": (
        {"x/p": ports("[{protocol: TCP, port: 80}]")},
        "y/a -> x/a:80/TCP",
        "y/a -> x/a:81/TCP; y/a -> x/a:80/UDP; y/a -> x/a:80/SCTP; y/a -> x/a:79/TCP",
    ),
    "protocol is TCP by default": ({"x/p": ports("[{port: 80}]")}, "y/a -> x/a:80/TCP", "y/a -> x/a:80/UDP"),
    "no port is every port of the protocol": (
        {"x/p": ports("[{protocol: UDP}]")},
        "y/a -> x/a:80/UDP; y/a -> x/a:83/UDP",
        "y/a -> x/a:80/TCP",
    ),
    "an empty item is all of TCP": (
        {"x/p": ports("[{}]")},
        "y/a -> x/a:80/TCP; ext -> x/a:83/TCP",
        "y/a -> x/a:80/UDP; y/a -> x/a:80/SCTP",
    ),
    "items are OR": (
        {"x/p": ports("[{port: 80}, {protocol: UDP, port: 81}]")},
        "y/a -> x/a:80/TCP; y/a -> x/a:81/UDP",
        "y/a -> x/a:80/UDP; y/a -> x/a:81/TCP",
    ),
    "peers and ports are AND": (
        {"x/p": from_("[{podSelector: {matchLabels: {pod: b}}}]", ports="[{port: 80}]")},
        "x/b -> x/a:80/TCP",
        "x/b -> x/a:81/TCP; x/c -> x/a:80/TCP",
    ),
    "rules do not lend each other peers or ports": (
        {
            "x/p": "{policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {pod: b}}}], ports: [{port: 80}]}, "
            "{from: [{podSelector: {matchLabels: {pod: c}}}], ports: [{port: 81}]}]}"
        },
        "x/b -> x/a:80/TCP; x/c -> x/a:81/TCP",
        "x/b -> x/a:81/TCP; x/c -> x/a:80/TCP",
    ),
    "endPort is the last of the range": (
        {"x/p": ports("[{port: 80, endPort: 82}]")},
        "y/a -> x/a:80/TCP; y/a -> x/a:81/TCP; y/a -> x/a:82/TCP",
        "y/a -> x/a:79/TCP; y/a -> x/a:83/TCP; y/a -> x/a:81/UDP",
    ),
    "a range of one": ({"x/p": ports("[{port: 81, endPort: 81}]")}, "y/a -> x/a:81/TCP", "y/a -> x/a:80/TCP; y/a -> x/a:82/TCP"),
    "SCTP is not TCP": (
        {"x/p": ports("[{protocol: SCTP, port: 80}]")},
        "y/a -> x/a:80/SCTP",
        "y/a -> x/a:80/TCP; y/a -> x/a:80/UDP; y/a -> x/a:81/SCTP",
    ),
    "ports of egress are the destination's": (
        {"x/p": to("[{podSelector: {}}]", "[{port: 81}]")},
        "x/a -> x/b:81/TCP",
        "x/a -> x/b:80/TCP; x/a -> y/b:81/TCP",
    ),
    # -- named ports: http is 80 on a, 81 on b; admin is 81 on a, 80 on b; c has neither; dns is UDP
    "a name is resolved on each destination": (
        {"x/p": ports("[{port: http}]")},
        "y/a -> x/a:80/TCP; y/a -> x/b:81/TCP",
        "y/a -> x/a:81/TCP; y/a -> x/b:80/TCP; y/a -> x/c:80/TCP; y/a -> x/c:81/TCP",
    ),
    "a name in egress is the destination's, not the source's": (
        {"x/p": to("[{namespaceSelector: {matchLabels: {ns: y}}}]", "[{port: http}]")},
        "x/a -> y/a:80/TCP; x/a -> y/b:81/TCP",
        "x/a -> y/b:80/TCP; x/a -> y/c:80/TCP; x/a -> y/a:81/TCP",
    ),
    "a name in egress to anybody": (
        {"x/p": to("[]", "[{port: http}]")},
        "x/a -> y/a:80/TCP; x/a -> z/b:81/TCP; x/a -> x/b:81/TCP",
        "x/a -> y/b:80/TCP; x/a -> z/c:80/TCP",
    ),
    "a name has a protocol": (
        {"x/p": ports("[{protocol: UDP, port: http}, {protocol: UDP, port: dns}]")},
        "y/a -> x/a:80/UDP; y/a -> x/b:81/UDP",
        "y/a -> x/a:80/TCP; y/a -> x/a:81/UDP",
    ),
    "a name of another protocol opens nothing": (
        {"x/p": ports("[{protocol: UDP, port: http}]")},
        "",
        "y/a -> x/a:80/UDP; y/a -> x/a:80/TCP; y/a -> x/b:81/UDP",
    ),
    "a name that nobody has opens nothing": ({"x/p": ports("[{port: nothing}]")}, "", "y/a -> x/a:80/TCP; y/a -> x/c:82/TCP"),
    "a name beside a number": (
        {"x/p": ports("[{port: http}, {port: 82}]")},
        "y/a -> x/a:80/TCP; y/a -> x/a:82/TCP; y/a -> x/b:81/TCP; y/a -> x/c:82/TCP",
        "y/a -> x/b:80/TCP",
    ),
    "a name with a block": (
        {"x/p": to("[{ipBlock: {cidr: 10.0.2.0/24}}]", "[{port: http}]")},
        "x/a -> y/a:80/TCP; x/a -> y/b:81/TCP",
        "x/a -> y/b:80/TCP; x/a -> z/a:80/TCP",
    ),
    # -- several policies
    "policies add up": (
        {"x/p": from_("[{podSelector: {matchLabels: {pod: b}}}]"), "x/q": from_("[{namespaceSelector: {matchLabels: {ns: y}}}]")},
        "x/b -> x/a:80/TCP; y/a -> x/a:80/TCP",
        "x/c -> x/a:80/TCP; z/a -> x/a:80/TCP",
    ),
    "a deny-all takes nothing away": (
        {"x/a-allow": from_("[{podSelector: {}}]"), "x/b-deny": DENY_IN},
        "x/b -> x/a:80/TCP",
        "y/a -> x/a:80/TCP",
    ),
    "what one policy allows for its pods is not allowed for others": (
        {"x/deny": DENY_IN, "x/allow": from_("[]", select="{matchLabels: {pod: a}}")},
        "y/a -> x/a:80/TCP",
        "y/a -> x/b:80/TCP",
    ),
    "ingress of one policy does not open egress of another": (
        {"x/in": from_("[]"), "x/out": DENY_OUT},
        "y/a -> x/a:80/TCP",
        "x/a -> x/b:80/TCP",
    ),
    # -- both sides
    "egress allowed and ingress denied": ({"x/p": to("[]"), "y/p": DENY_IN}, "x/a -> z/a:80/TCP", "x/a -> y/a:80/TCP"),
    "ingress allowed and egress denied": ({"x/p": DENY_OUT, "y/p": from_("[]")}, "z/a -> y/a:80/TCP", "x/a -> y/a:80/TCP"),
    "each side allows the other": (
        {
            "x/p": to("[{namespaceSelector: {matchLabels: {ns: y}}, podSelector: {matchLabels: {pod: a}}}]"),
            "y/p": from_("[{namespaceSelector: {matchLabels: {ns: x}}}]", ports="[{port: 80}]"),
        },
        "x/a -> y/a:80/TCP",
        "x/a -> y/a:81/TCP; x/a -> y/b:80/TCP; z/a -> y/a:80/TCP",
    ),
    "both sides within one namespace": (
        {"x/p": "{podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{podSelector: {matchLabels: {pod: a}}}]}], egress: [{to: [{podSelector: {matchLabels: {pod: b}}}]}]}"},
        "x/a -> x/b:80/TCP",
        "x/b -> x/a:80/TCP; x/a -> x/c:80/TCP; x/c -> x/b:80/TCP",
    ),
    "replies need no rule": ({"x/p": DENY_OUT, "y/p": DENY_IN}, "y/a -> x/a:80/TCP", "x/a -> y/a:80/TCP"),
}  # fmt: skip


@pytest.mark.parametrize(("specs", "passes", "blocked"), ROWS.values(), ids=ROWS)
def test_by_hand(specs: Mapping[str, str], passes: str, blocked: str, decide: Decide) -> None:
    expected = {flow: True for flow in passes.split("; ") if flow} | {
        flow: False for flow in blocked.split("; ") if flow
    }
    assert {flow: decide(specs, flow).allowed for flow in expected} == expected


SIX = {
    "a block of IPv6": ({"x/p": from_("[{ipBlock: {cidr: 'fd00:0:0:2::/64'}}]")}, "y/a -> x/a:80/TCP", "z/a -> x/a:80/TCP; ext -> x/a:80/TCP"),
    "an except of IPv6": (
        {"x/p": from_("[{ipBlock: {cidr: 'fd00::/16', except: ['fd00:0:0:2::/64', 'fd00:0:0:3::2/128']}}]")},
        "x/b -> x/a:80/TCP; z/a -> x/a:80/TCP",
        "y/a -> x/a:80/TCP; z/b -> x/a:80/TCP",
    ),
    "a block in capitals and at length": (
        {"x/p": from_("[{ipBlock: {cidr: 'FD00:0000:0:2:0:0:0:1/128'}}]")},
        "y/a -> x/a:80/TCP",
        "y/b -> x/a:80/TCP",
    ),
    "0.0.0.0/0 is nobody who has IPv6": ({"x/p": from_("[{ipBlock: {cidr: 0.0.0.0/0}}]")}, "", "y/a -> x/a:80/TCP; ext -> x/a:80/TCP"),
    "::/0 is everybody who has IPv6": ({"x/p": from_("[{ipBlock: {cidr: '::/0'}}]")}, "y/a -> x/a:80/TCP; ext -> x/a:80/TCP", ""),
    "selectors do not care": ({"x/p": from_("[{podSelector: {}}]")}, "x/b -> x/a:80/TCP", "y/a -> x/a:80/TCP"),
}  # fmt: skip


@pytest.mark.parametrize("families", ["6", "64"], ids=["IPv6 alone", "IPv6 before IPv4"])
@pytest.mark.parametrize(("specs", "passes", "blocked"), SIX.values(), ids=SIX)
def test_by_hand_with_ipv6(
    specs: Mapping[str, str], passes: str, blocked: str, families: str, decide: Decide, make_world: Callable[..., World]
) -> None:
    """A flow goes to the first address: a block of the other family, which the pod has too, means nothing to it."""
    expected = {flow: True for flow in passes.split("; ") if flow} | {
        flow: False for flow in blocked.split("; ") if flow
    }
    assert {flow: decide(specs, flow, make_world(families)).allowed for flow in expected} == expected


OVER = {
    "a block of IPv6 opens IPv6 only": (
        {"x/p": from_("[{ipBlock: {cidr: '::/0'}}]")},
        "y/a -> x/a:80/TCP over IPv6; ext -> x/a:80/TCP over IPv6",
        "y/a -> x/a:80/TCP over IPv4; ext -> x/a:80/TCP over IPv4",
    ),
    "a block of IPv4 opens IPv4 only": (
        {"x/p": from_("[{ipBlock: {cidr: 10.0.2.0/24}}]")},
        "y/a -> x/a:80/TCP over IPv4",
        "y/a -> x/a:80/TCP over IPv6; z/a -> x/a:80/TCP over IPv4",
    ),
    "an except takes nothing from the other family": (
        {"x/p": from_("[{ipBlock: {cidr: '::/0', except: ['fd00:0:0:2::1/128']}}, {ipBlock: {cidr: 0.0.0.0/0}}]")},
        "y/a -> x/a:80/TCP over IPv4; y/b -> x/a:80/TCP over IPv6",
        "y/a -> x/a:80/TCP over IPv6",
    ),
    "selectors and ports are of both families": (
        {"x/p": from_("[{podSelector: {matchLabels: {pod: b}}}]", ports="[{port: 80}]")},
        "x/b -> x/a:80/TCP over IPv4; x/b -> x/a:80/TCP over IPv6",
        "x/c -> x/a:80/TCP over IPv4; x/c -> x/a:80/TCP over IPv6; x/b -> x/a:81/TCP over IPv4; x/b -> x/a:81/TCP over IPv6",
    ),
    "isolation is of both families": (
        {"x/p": DENY_IN},
        "x/a -> y/a:80/TCP over IPv4; x/a -> y/a:80/TCP over IPv6",
        "y/a -> x/a:80/TCP over IPv4; y/a -> x/a:80/TCP over IPv6",
    ),
}  # fmt: skip


@pytest.mark.parametrize("families", ["46", "64"], ids=["IPv4 first", "IPv6 first"])
@pytest.mark.parametrize(("specs", "passes", "blocked"), OVER.values(), ids=OVER)
def test_by_hand_over_one_family(
    specs: Mapping[str, str], passes: str, blocked: str, families: str, decide: Decide, make_world: Callable[..., World]
) -> None:
    """A flow that says its family uses the addresses of that one, whichever the cluster has first."""
    expected = dict.fromkeys(passes.split("; "), True) | dict.fromkeys(blocked.split("; "), False)
    assert {flow: decide(specs, flow, make_world(families)).allowed for flow in expected} == expected


def test_a_flow_from_outside_has_the_family_of_its_destination(
    decide: Decide, make_world: Callable[..., World]
) -> None:
    """Outside the cluster nobody says which address comes first."""
    world = make_world("46")
    ext = world.endpoints["ext"]
    world = world.with_endpoint(replace(ext, addresses=tuple(reversed(ext.addresses))))
    specs = {"x/p": from_("[{ipBlock: {cidr: 192.0.2.0/24}}]")}
    assert decide(specs, "ext -> x/a:80/TCP", world).allowed


# -- pods that are over


@pytest.mark.parametrize("phase", [Phase.SUCCEEDED, Phase.FAILED])
def test_a_pod_that_is_over_lends_nobody_its_labels(
    phase: Phase, decide: Decide, make_world: Callable[..., World]
) -> None:
    """Its address may be another pod's by now: that pod is not let in by labels that it never had."""
    world = make_world()
    over = replace(world.pods["x/b"], phase=phase)
    world = world.with_pod(over).with_pod(replace(world.pods["x/c"], addresses=over.addresses))
    specs = {"x/p": from_("[{podSelector: {matchLabels: {pod: b}}}]")}
    assert decide(specs, "x/c -> x/a:80/TCP", world).allowed is False


@pytest.mark.parametrize(
    ("phase", "isolated"),
    [(Phase.PENDING, True), (Phase.RUNNING, True), (Phase.SUCCEEDED, False), (Phase.FAILED, False)],
)
def test_policies_select_pods_that_have_not_ended(
    phase: Phase, isolated: bool, decide: Decide, make_world: Callable[..., World]
) -> None:
    world = make_world()
    world = world.with_pod(replace(world.pods["x/a"], phase=phase))
    (side,) = (each for each in decide({"x/p": DENY_IN}, "y/a -> x/a:80/TCP", world).sides if each.pod == "x/a")
    assert side.isolated is isolated


# -- Services


def behind(world: World, selector: Mapping[str, str], *ports: ServicePort, namespace: str = "x") -> World:
    return world.with_service(Service(namespace, "web", selector, ports or (ServicePort(8080, 80),)))


@pytest.fixture
def shop(make_world: Callable[..., World]) -> World:
    """Three pods labelled `shop: open` in x: a and b as always, and d, whose http is 82."""
    world = make_world()
    for ref in ("x/a", "x/b"):
        pod = world.pods[ref]
        world = world.with_pod(replace(pod, labels={**pod.labels, "shop": "open"}))
    d = Pod("x", "d", {"shop": "open"}, (Server(82, Protocol.TCP, "http"),), addresses=("10.0.1.4",))
    return world.with_pod(d)


FLOW = "y/a -> web.x.svc:8080/TCP"
ONE, ALL = {"app": "web"}, {"shop": "open"}


def test_a_service_is_where_it_leads(decide: Decide, shop: World) -> None:
    """Not the Service's port but the pod's is what a policy names."""
    world = behind(shop, ONE)
    assert decide({}, FLOW, world).allowed is True
    assert decide({"x/p": DENY_IN}, FLOW, world).allowed is False
    assert decide({"x/p": ports("[{port: 80}]")}, FLOW, world).allowed is True
    assert decide({"x/p": ports("[{port: 8080}]")}, FLOW, world).allowed is False


def test_egress_to_a_service_is_egress_to_its_backends(decide: Decide, shop: World) -> None:
    world = behind(shop, ONE)
    flow = "x/c -> web.x.svc:8080/TCP"
    rule = "{{policyTypes: [Egress], egress: [{{to: [{{podSelector: {{matchLabels: {{pod: {pod}}}}}}}], ports: [{{port: {port}}}]}}]}}"
    assert decide({"x/p": rule.format(pod="a", port=80)}, flow, world).allowed is True
    assert decide({"x/p": rule.format(pod="a", port=8080)}, flow, world).allowed is False
    assert decide({"x/p": rule.format(pod="b", port=80)}, flow, world).allowed is False


def test_many_backends_that_agree(decide: Decide, shop: World) -> None:
    world = behind(shop, ALL)
    assert decide({"x/p": from_("[]")}, FLOW, world).allowed is True
    assert decide({"x/p": DENY_IN}, FLOW, world).allowed is False


def test_many_backends_that_differ_are_not_decided(decide: Decide, shop: World) -> None:
    decision = decide({"x/p": "{podSelector: {matchLabels: {pod: a}}}"}, FLOW, behind(shop, ALL))
    assert decision.allowed is None
    assert {side.pod for side in decision.sides} >= {"x/a", "x/b", "x/d"}


@pytest.mark.parametrize("selector", [{"app": "nobody"}, {}], ids=["selects nobody", "has no selector"])
def test_no_backends_are_not_decided(selector: Mapping[str, str], decide: Decide, shop: World) -> None:
    assert decide({}, FLOW, behind(shop, selector)).allowed is None


def test_backends_that_are_over_or_elsewhere_are_none(decide: Decide, shop: World) -> None:
    world = shop.with_pod(replace(shop.pods["x/a"], phase=Phase.SUCCEEDED))
    assert decide({}, FLOW, behind(world, ONE)).allowed is None  # y/a and z/a have the label, but are not in x
    assert decide({}, "y/a -> web.y.svc:8080/TCP", behind(world, ONE, namespace="y")).allowed is True


def test_a_target_port_by_name_is_each_backends_own(decide: Decide, shop: World) -> None:
    world = behind(shop, ALL, ServicePort(8080, "http"))
    assert decide({"x/p": ports("[{port: http}]")}, FLOW, world).allowed is True
    assert decide({"x/p": ports("[{port: 80}, {port: 81}, {port: 82}]")}, FLOW, world).allowed is True
    assert decide({"x/p": ports("[{port: 80}, {port: 81}]")}, FLOW, world).allowed is None  # d is on 82


def test_a_backend_without_the_named_port_is_not_asked(decide: Decide, shop: World) -> None:
    world = behind(shop, ALL, ServicePort(8080, "admin"))  # d has no admin
    assert decide(
        {"x/p": "{podSelector: {matchExpressions: [{key: pod, operator: DoesNotExist}]}}"}, FLOW, world
    ).allowed


def test_a_port_that_the_service_does_not_have_is_not_decided(decide: Decide, shop: World) -> None:
    world = behind(shop, ONE)
    assert decide({}, "y/a -> web.x.svc:80/TCP", world).allowed is None
    assert decide({}, "y/a -> web.x.svc:8080/UDP", world).allowed is None


def test_each_port_of_a_service_leads_to_its_own(decide: Decide, shop: World) -> None:
    world = behind(shop, ONE, ServicePort(8080, 80), ServicePort(8081, 81), ServicePort(8080, 82, Protocol.UDP))
    specs = {"x/p": ports("[{port: 81}]")}
    assert decide(specs, FLOW, world).allowed is False
    assert decide(specs, "y/a -> web.x.svc:8081/TCP", world).allowed is True
    assert decide(specs, "y/a -> web.x.svc:8080/UDP", world).allowed is False


# -- node ports: what comes in by one shows its own address, or a node's


@pytest.fixture
def open_shop(make_world: Callable[..., World]) -> World:
    """A NodePort Service of x/a, by 8080 to its http (80/TCP) and by 8081 to its syslog (81/UDP)."""
    forwarded = (ServicePort(8080, "http"), ServicePort(8081, 81, Protocol.UDP))
    return make_world().with_service(Service("x", "web", ONE, forwarded, type=ServiceType.NODE_PORT))


BY_NODE_PORT = "ext -> web.x.svc:8080/TCP"
EVERYWHERE, EVERYWHERE_6 = "{ipBlock: {cidr: 0.0.0.0/0}}", '{ipBlock: {cidr: "::/0"}}'
NODE_PORTS = {
    "no policy": ({}, True),
    "a policy for other pods": ({"x/p": "{podSelector: {matchLabels: {app: api}}}", "y/p": DENY_IN}, True),
    "no rule": ({"x/p": DENY_IN}, False),
    "an empty rule": ({"x/p": "{podSelector: {}, ingress: [{}]}"}, True),
    "an empty list of peers": ({"x/p": from_("[]")}, True),
    "the pod's port": ({"x/p": ports("[{port: 80}]")}, True),
    "its name": ({"x/p": ports("[{port: http}]")}, True),
    "a range with it": ({"x/p": ports("[{port: 79, endPort: 80}]")}, True),
    "another port of it": ({"x/p": ports("[{port: 81}]")}, False),
    "its port for another protocol": ({"x/p": ports("[{port: 80, protocol: UDP}]")}, False),
    "the Service's port": ({"x/p": ports("[{port: 8080}]")}, False),
    "the node ports": ({"x/p": ports("[{port: 30000, endPort: 32767}]")}, False),
    "every address": ({"x/p": from_(f"[{EVERYWHERE}]")}, True),
    "every address of the other family": ({"x/p": from_(f"[{EVERYWHERE_6}]")}, False),
    "every address of either": ({"x/p": from_(f"[{EVERYWHERE_6}, {EVERYWHERE}]")}, True),
    "every address but some": ({"x/p": from_("[{ipBlock: {cidr: 0.0.0.0/0, except: [10.0.0.0/8]}}]")}, None),
    "the client's address": ({"x/p": from_("[{ipBlock: {cidr: 192.0.2.7/32}}]")}, None),
    "somebody else's address": ({"x/p": from_("[{ipBlock: {cidr: 198.51.100.1/32}}]")}, None),
    "every pod": ({"x/p": from_("[{namespaceSelector: {}}]")}, None),
    "some pods": ({"x/p": from_("[{podSelector: {matchLabels: {pod: b}}}]")}, None),
    "some pods, on its port": ({"x/p": from_("[{podSelector: {}}]", ports="[{port: http}]")}, None),
    "some pods, on another port": ({"x/p": from_("[{podSelector: {}}]", ports="[{port: 81}]")}, False),
    "some pods or every address": ({"x/p": from_(f"[{{podSelector: {{}}}}, {EVERYWHERE}]")}, True),
    "some pods, and another rule for its port": ({"x/p": from_("[{podSelector: {}}]"), "x/q": ports("[{port: 80}]")}, True),
    "some pods, and another rule for another port": ({"x/p": from_("[{podSelector: {}}]"), "x/q": ports("[{port: 81}]")}, None),
    "egress of the backend": ({"x/p": DENY_OUT}, True),
}  # fmt: skip


@pytest.mark.parametrize(("specs", "allowed"), NODE_PORTS.values(), ids=NODE_PORTS)
def test_what_comes_in_by_a_node_port(
    specs: Mapping[str, str], allowed: bool | None, decide: Decide, open_shop: World
) -> None:
    assert decide(specs, BY_NODE_PORT, open_shop).allowed is allowed


def test_the_source_of_a_pod_is_known_though_the_service_has_node_ports(decide: Decide, open_shop: World) -> None:
    specs = {"x/p": from_("[{namespaceSelector: {matchLabels: {ns: y}}}]")}
    assert decide(specs, FLOW, open_shop).allowed is True
    assert decide(specs, "z/a -> web.x.svc:8080/TCP", open_shop).allowed is False


def test_a_node_port_of_ipv6(decide: Decide, make_world: Callable[..., World]) -> None:
    service = Service("x", "web", ONE, (ServicePort(8080, 80),), type=ServiceType.NODE_PORT)
    world = make_world("6").with_service(service)
    assert decide({"x/p": from_(f"[{EVERYWHERE_6}]")}, BY_NODE_PORT, world).allowed is True
    assert decide({"x/p": from_(f"[{EVERYWHERE}]")}, BY_NODE_PORT, world).allowed is False


def test_what_a_node_port_leaves_open_is_told_with_its_line(decide: Decide, open_shop: World) -> None:
    decision = decide({"x/p": from_("[{podSelector: {}}]", ports="[{port: 81}, {port: 80}]")}, BY_NODE_PORT, open_shop)
    (side,) = decision.sides
    (rule,) = side.depending
    assert (side.pod, side.matching, rule.policy, rule.rule, rule.port) == ("x/a", (), "x/p", 0, 1)
    assert str(rule.location).startswith("x/p:5:")


# -- names that are only names


def test_the_label_of_a_namespaces_name_cannot_be_overridden(decide: Decide, make_world: Callable[..., World]) -> None:
    world = make_world().with_namespace(Namespace("z", {"kubernetes.io/metadata.name": "y"}))
    specs = {"x/p": from_("[{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: y}}}]")}
    assert decide(specs, "y/a -> x/a:80/TCP", world).allowed is True
    assert decide(specs, "z/a -> x/a:80/TCP", world).allowed is False


def test_a_flow_between_unknown_places_is_a_key_error(decide: Decide) -> None:
    with pytest.raises(KeyError):
        decide({}, "x/a -> x/nobody:80/TCP")
