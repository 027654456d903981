"""A NetworkPolicy is refused by what the API server refuses, with the path and the reason that the server gives, and by nothing else.

The numbers are those of the list of the server's rules in the project's notes on the specification:

1 metadata, 2 selectors, 3 protocols, 4 ports, 5 endPort, 6 peers without a field, 7 ipBlock beside another peer, 8 cidr, 9 cidr in its
strict form, 10 except, 11 policyTypes, 13 what is legal although it looks odd.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.casefile.networkpolicy import network_policy
from conformance.casefile.source import Source, parse
from conformance.model.policy import (
    Direction,
    IPBlock,
    LabelSelector,
    NetworkPolicy,
    Operator,
    Peer,
    PolicyPort,
    Requirement,
    Rule,
)
from conformance.model.world import Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = "a" * 64


def read(text: str) -> tuple[Source, NetworkPolicy | None]:
    source = parse(text, "p.yaml")
    assert not source.problems
    return source, network_policy(source, (), source.data)


def manifest(spec: str = "{}", metadata: str = "{name: p, namespace: x}") -> str:
    return f"apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {metadata}\nspec: {spec}\n"


def select(text: str) -> str:
    return manifest(f"{{podSelector: {{{text}}}}}")


def express(text: str) -> str:
    return manifest(f"{{podSelector: {{matchExpressions: [{text}]}}}}")


def peer(text: str) -> str:
    return manifest(f"{{ingress: [{{from: [{text}]}}]}}")


def block(text: str) -> str:
    return peer(f"{{ipBlock: {{{text}}}}}")


def port(text: str) -> str:
    return manifest(f"{{egress: [{{to: [], ports: [{text}]}}]}}")


LABELS, FIRST = "spec.podSelector.matchLabels", "spec.podSelector.matchExpressions[0]"
FROM, BLOCK, PORT = "spec.ingress[0].from[0]", "spec.ingress[0].from[0].ipBlock", "spec.egress[0].ports[0]"
NOT_A_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
NOT_A_NAME, RANGE = "a port name has at most 15 of a-z0-9-", "must be between 1 and 65535, inclusive"
A_KEY, A_VALUE = "a label key is a name of at most 63", "a label value is empty or at most 63"

REFUSED = {
    # -- the head
    "0 apiVersion of another version": ("apiVersion: «networking.k8s.io/v1beta1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n", "apiVersion", "expected networking.k8s.io/v1, found text: 'networking.k8s.io/v1beta1'"),
    "0 kind of another thing": ("apiVersion: networking.k8s.io/v1\nkind: «Pod\nmetadata: {name: p, namespace: x}\n", "kind", "expected NetworkPolicy, found text: 'Pod'"),
    "0 no kind": ("«apiVersion: networking.k8s.io/v1\nmetadata: {name: p, namespace: x}\n", "kind", "expected NetworkPolicy, found nothing"),
    "0 status": ("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n«status: {}\n", "status", "unknown field, expected one of apiVersion, kind, metadata, spec"),
    "0 no mapping": ("«x/deny\n", "", "expected a NetworkPolicy manifest, found text: 'x/deny'"),
    "0 a list": ("«- a\n", "", "expected a NetworkPolicy manifest, found a list: ['a']"),
    # -- 1 metadata
    "1 no name": (manifest(metadata="«{namespace: x}"), "metadata.name", "Required value"),
    "1 empty name": (manifest(metadata="{name: «'', namespace: x}"), "metadata.name", "Required value"),
    "1 name is a number": (manifest(metadata="{name: «5, namespace: x}"), "metadata.name", "expected text, found a number: 5; quote it"),
    "1 name in capitals": (manifest(metadata="{name: «Deny, namespace: x}"), "metadata.name", "Invalid value: 'Deny': must be a lowercase RFC 1123 subdomain"),
    "1 name with an underscore": (manifest(metadata="{name: «a_b, namespace: x}"), "metadata.name", "lowercase RFC 1123 subdomain"),
    "1 name with an empty part": (manifest(metadata="{name: «a..b, namespace: x}"), "metadata.name", "lowercase RFC 1123 subdomain"),
    "1 name that begins with a hyphen": (manifest(metadata="{name: «-a, namespace: x}"), "metadata.name", "lowercase RFC 1123 subdomain"),
    "1 name that ends with a dot": (manifest(metadata="{name: «a., namespace: x}"), "metadata.name", "lowercase RFC 1123 subdomain"),
    "1 name that ends with a newline": (manifest(metadata='{name: «"a\\n", namespace: x}'), "metadata.name", "lowercase RFC 1123 subdomain"),
    "1 name of 254": (manifest(metadata=f"{{name: «{'a' * 254}, namespace: x}}"), "metadata.name", "lowercase RFC 1123 subdomain"),
    "1 no namespace": (manifest(metadata="«{name: p}"), "metadata.namespace", "Required value: a case says which namespace its policy is in"),
    "1 namespace is a number": (manifest(metadata="{name: p, namespace: «5}"), "metadata.namespace", "expected text, found a number: 5"),
    "1 namespace with a dot": (manifest(metadata="{name: p, namespace: «a.b}"), "metadata.namespace", "Invalid value: 'a.b': must be a lowercase RFC 1123 label"),
    "1 metadata is a list": (manifest(metadata="«[p]"), "metadata", "expected a mapping with a name and a namespace, found a list"),
    "1 generateName": (manifest(metadata="{name: p, namespace: x, «generateName: q}"), "metadata.generateName", "unknown field"),
    "1 label key": (manifest(metadata="{name: p, namespace: x, labels: {«'a b': c}}"), "metadata.labels.a b", A_KEY),
    "1 label value": (manifest(metadata="{name: p, namespace: x, labels: {a: «5}}"), "metadata.labels.a", "a label's value is text, found a number: 5; quote it"),
    "1 annotation key": (manifest(metadata="{name: p, namespace: x, annotations: {«'a b': c}}"), "metadata.annotations.a b", "Invalid value: 'a b'"),
    "1 annotation is a number": (manifest(metadata="{name: p, namespace: x, annotations: {a: «5}}"), "metadata.annotations.a", "expected text, found a number: 5; quote it"),
    "1 annotations are a list": (manifest(metadata="{name: p, namespace: x, annotations: «[a]}"), "metadata.annotations", "expected a mapping, found a list"),
    # -- 2 selectors
    "2 key misspelt": (manifest("{«podSelecter: {}}"), "spec.podSelecter", "unknown field, expected one of podSelector, policyTypes, ingress, egress; did you mean podSelector?"),
    "2 matchLabels misspelt": (select("«matchLabel: {a: b}"), "spec.podSelector.matchLabel", "did you mean matchLabels?"),
    "2 labels without matchLabels": (select("«pod: a"), "spec.podSelector.pod", "unknown field, expected one of matchLabels, matchExpressions"),
    "2 selector is a list": (manifest("{podSelector: «[]}"), "spec.podSelector", "expected a mapping, found a list"),
    "2 labels are a list": (select("matchLabels: «[a]"), LABELS, "expected a mapping, found a list"),
    "2 key with a space": (select("matchLabels: {«'a b': c}"), f"{LABELS}.a b", A_KEY),
    "2 key with two slashes": (select("matchLabels: {«a/b/c: d}"), f"{LABELS}.a/b/c", A_KEY),
    "2 key without a name": (select("matchLabels: {«a/: d}"), f"{LABELS}.a/", A_KEY),
    "2 key with an empty prefix": (select("matchLabels: {«/a: d}"), f"{LABELS}./a", A_KEY),
    "2 key with a prefix in capitals": (select("matchLabels: {«A.com/b: d}"), f"{LABELS}[A.com/b]", A_KEY),
    "2 key that ends with a dot": (select("matchLabels: {«a.: d}"), f"{LABELS}[a.]", A_KEY),
    "2 key that ends with a newline": (select('matchLabels: {«"a\\n": d}'), f"{LABELS}.a\n", A_KEY),
    "2 key is empty": (select("matchLabels: {«'': d}"), f"{LABELS}.", A_KEY),
    "2 key of 64": (select(f"matchLabels: {{«{LONG}: d}}"), f"{LABELS}.{LONG}", A_KEY),
    "2 prefix of 254": (select(f"matchLabels: {{«{'p' * 254}/a: d}}"), f"{LABELS}.{'p' * 254}/a", A_KEY),
    "2 value is a number": (select("matchLabels: {a: «5}"), f"{LABELS}.a", "a label's value is text, found a number: 5; quote it"),
    "2 value is a bool": (select("matchLabels: {a: «true}"), f"{LABELS}.a", "a label's value is text, found true; quote it"),
    "2 value is null": (select("matchLabels: {a: «null}"), f"{LABELS}.a", "a label's value is text, found nothing"),
    "2 value is a list": (select("matchLabels: {a: «[b]}"), f"{LABELS}.a", "a label's value is text, found a list"),
    "2 value with a space": (select("matchLabels: {a: «b c}"), f"{LABELS}.a", A_VALUE),
    "2 value with a slash": (select("matchLabels: {a: «b/c}"), f"{LABELS}.a", A_VALUE),
    "2 value that begins with a hyphen": (select("matchLabels: {a: «-b}"), f"{LABELS}.a", A_VALUE),
    "2 value that ends with a newline": (select('matchLabels: {a: «"b\\n"}'), f"{LABELS}.a", A_VALUE),
    "2 value of 64": (select(f"matchLabels: {{a: «{LONG}}}"), f"{LABELS}.a", A_VALUE),
    "2 expressions are a mapping": (select("matchExpressions: «{key: a}"), "spec.podSelector.matchExpressions", "expected a list, found a mapping"),
    "2 In without values": (express("«{key: a, operator: In}"), f"{FIRST}.values", "Required value: must be specified when `operator` is In"),
    "2 NotIn with an empty list": (express("{key: a, operator: NotIn, values: «[]}"), f"{FIRST}.values", "Required value: must be specified when `operator` is NotIn"),
    "2 Exists with values": (express("{key: a, operator: Exists, values: «[b]}"), f"{FIRST}.values", "Forbidden: may not be specified when `operator` is Exists"),
    "2 DoesNotExist with values": (express("{key: a, operator: DoesNotExist, values: «[b]}"), f"{FIRST}.values", "Forbidden: may not be specified when `operator` is DoesNotExist"),
    "2 operator in lower case": (express("{key: a, operator: «in, values: [b]}"), f"{FIRST}.operator", "Invalid value: 'in': not a valid selector operator, one of In, NotIn, Exists, DoesNotExist; did you mean In?"),
    "2 operator of another language": (express("{key: a, operator: «Gt, values: ['5']}"), f"{FIRST}.operator", "Invalid value: 'Gt': not a valid selector operator"),
    "2 operator missing": (express("«{key: a, values: [b]}"), f"{FIRST}.operator", "Required value: one of In, NotIn, Exists, DoesNotExist"),
    "2 operator is a list": (express("{key: a, operator: «[In], values: [b]}"), f"{FIRST}.operator", "Invalid value: ['In']"),
    "2 key missing": (express("«{operator: Exists}"), f"{FIRST}.key", "Required value: a label key"),
    "2 key is a number": (express("{key: «5, operator: Exists}"), f"{FIRST}.key", "expected a label key, as text, found a number: 5"),
    "2 key is no key": (express("{key: «a b, operator: Exists}"), f"{FIRST}.key", A_KEY),
    "2 values are text": (express("{key: a, operator: In, values: «b}"), f"{FIRST}.values", "expected a list, found text: 'b'"),
    "2 a value is a number": (express("{key: a, operator: In, values: [«5]}"), f"{FIRST}.values[0]", "expected text, found a number: 5; quote it"),
    "2 a value is no value": (express("{key: a, operator: In, values: [b, «'b c']}"), f"{FIRST}.values[1]", A_VALUE),
    "2 an expression is text": (express("«a"), FIRST, "expected a mapping, found text: 'a'"),
    "2 field of an expression misspelt": (express("{key: a, operator: Exists, «value: b}"), f"{FIRST}.value", "did you mean values?"),
    "2 in a peer's podSelector": (peer("{podSelector: {matchLabels: {a: «5}}}"), f"{FROM}.podSelector.matchLabels.a", "a label's value is text"),
    "2 in a peer's namespaceSelector": (peer("{namespaceSelector: {matchExpressions: [{key: a, operator: «Is}]}}"), f"{FROM}.namespaceSelector.matchExpressions[0].operator", "not a valid selector operator"),
    # -- 3 protocols
    "3 in lower case": (port("{protocol: «tcp, port: 80}"), f"{PORT}.protocol", 'Unsupported value: \'tcp\': supported values: "TCP", "UDP", "SCTP"; did you mean TCP?'),
    "3 ICMP": (port("{protocol: «ICMP}"), f"{PORT}.protocol", "Unsupported value: 'ICMP'"),
    "3 a number": (port("{protocol: «6}"), f"{PORT}.protocol", "Unsupported value: 6"),
    "3 zero": (port("{protocol: «0}"), f"{PORT}.protocol", "Unsupported value: 0"),
    "3 empty": (port("{protocol: «''}"), f"{PORT}.protocol", "Unsupported value: ''"),
    "3 false": (port("{protocol: «false}"), f"{PORT}.protocol", "Unsupported value: False"),
    "3 a list": (port("{protocol: «[TCP]}"), f"{PORT}.protocol", "Unsupported value: ['TCP']"),
    # -- 4 ports
    "4 zero": (port("{port: «0}"), f"{PORT}.port", f"Invalid value: 0: {RANGE}"),
    "4 negative": (port("{port: «-80}"), f"{PORT}.port", f"Invalid value: -80: {RANGE}"),
    "4 too large": (port("{port: «65536}"), f"{PORT}.port", f"Invalid value: 65536: {RANGE}"),
    "4 a number in quotes": (port("{port: «'80'}"), f"{PORT}.port", "one letter at least, and no hyphen at its ends or twice in a row; a number is written without quotes"),
    "4 empty": (port("{port: «''}"), f"{PORT}.port", NOT_A_NAME),
    "4 name in capitals": (port("{port: «HTTP}"), f"{PORT}.port", NOT_A_NAME),
    "4 name of 16": (port("{port: «abcdefghijklmnop}"), f"{PORT}.port", NOT_A_NAME),
    "4 name with two hyphens": (port("{port: «a--b}"), f"{PORT}.port", NOT_A_NAME),
    "4 name that begins with a hyphen": (port("{port: «-a}"), f"{PORT}.port", NOT_A_NAME),
    "4 name that ends with a hyphen": (port("{port: «a-}"), f"{PORT}.port", NOT_A_NAME),
    "4 name without a letter": (port("{port: «8-0}"), f"{PORT}.port", NOT_A_NAME),
    "4 name with an underscore": (port("{port: «a_b}"), f"{PORT}.port", NOT_A_NAME),
    "4 name that ends with a newline": (port('{port: «"http\\n"}'), f"{PORT}.port", NOT_A_NAME),
    "4 fraction": (port("{port: «80.5}"), f"{PORT}.port", "expected a port number or a port name, found a number: 80.5"),
    "4 fraction of nothing": (port("{port: «80.0}"), f"{PORT}.port", "expected a port number or a port name, found a number: 80.0"),
    "4 bool": (port("{port: «true}"), f"{PORT}.port", "expected a port number or a port name, found true"),
    "4 list": (port("{port: «[80]}"), f"{PORT}.port", "expected a port number or a port name, found a list: [80]"),
    "4 a port outside of an item": (manifest("{egress: [{ports: [«80]}]}"), "spec.egress[0].ports[0]", "expected a mapping, found a number: 80"),
    "4 ports are a mapping": (manifest("{egress: [{ports: «{port: 80}}]}"), "spec.egress[0].ports", "expected a list, found a mapping"),
    "4 field misspelt": (port("{«prot: TCP}"), f"{PORT}.prot", "unknown field, expected one of protocol, port, endPort"),
    # -- 5 endPort
    "5 without a port": (port("{endPort: «82}"), f"{PORT}.endPort", "may not be specified when `port` is not specified"),
    "5 with a name": (port("{port: http, endPort: «82}"), f"{PORT}.endPort", "may not be specified when `port` is non-numeric"),
    "5 below the port": (port("{port: 80, endPort: «79}"), f"{PORT}.endPort", "must be greater than or equal to `port`"),
    "5 too large": (port("{port: 80, endPort: «65536}"), f"{PORT}.endPort", RANGE),
    "5 in quotes": (port("{port: 80, endPort: «'82'}"), f"{PORT}.endPort", "expected a port number, found text: '82'"),
    "5 a name": (port("{port: 80, endPort: «https}"), f"{PORT}.endPort", "expected a port number, found text: 'https'"),
    "5 a bool": (port("{port: 80, endPort: «true}"), f"{PORT}.endPort", "expected a port number, found true"),
    "5 in lower case": (port("{port: 80, «endport: 82}"), f"{PORT}.endport", "did you mean endPort?"),
    # -- 6 and 7 peers
    "6 an empty peer": (peer("«{}"), FROM, "Required value: must specify a peer"),
    "6 a null peer": (peer("«null"), FROM, "Required value: must specify a peer"),
    "6 a peer of nulls": (peer("«{podSelector: , ipBlock: }"), FROM, "Required value: must specify a peer"),
    "6 a peer is text": (peer("«x/a"), FROM, "expected a mapping, found text: 'x/a'"),
    "6 from is a mapping": (manifest("{ingress: [{from: «{podSelector: {}}}]}"), "spec.ingress[0].from", "expected a list, found a mapping"),
    "6 peer misspelt": (peer("{«namespaceSelecter: {}}"), f"{FROM}.namespaceSelecter", "did you mean namespaceSelector?"),
    "7 ipBlock beside podSelector": (peer("«{podSelector: {}, ipBlock: {cidr: 10.0.0.0/8}}"), FROM, "Forbidden: may not specify both ipBlock and another peer"),
    "7 ipBlock beside namespaceSelector": (peer("«{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}"), FROM, "Forbidden: may not specify both ipBlock and another peer"),
    "7 to in ingress": (manifest("{ingress: [{«to: []}]}"), "spec.ingress[0].to", "unknown field, expected one of from, ports"),
    "7 from in egress": (manifest("{egress: [{«from: []}]}"), "spec.egress[0].from", "unknown field, expected one of to, ports"),
    "7 port in a rule": (manifest("{egress: [{«port: 80}]}"), "spec.egress[0].port", "did you mean ports?"),
    "7 rules are a mapping": (manifest("{ingress: «{from: []}}"), "spec.ingress", "expected a list, found a mapping"),
    "7 a rule is a list": (manifest("{ingress: [«[]]}"), "spec.ingress[0]", "expected a mapping, found a list"),
    # -- 8 cidr
    "8 missing": (peer("{ipBlock: «{}}"), f"{BLOCK}.cidr", "Required value"),
    "8 missing beside except": (peer("{ipBlock: «{except: [10.0.0.0/8]}}"), f"{BLOCK}.cidr", "Required value"),
    "8 empty": (block("cidr: «''"), f"{BLOCK}.cidr", "Required value"),
    "8 an address": (block("cidr: «10.0.0.1"), f"{BLOCK}.cidr", f"Invalid value: '10.0.0.1': {NOT_A_CIDR}"),
    "8 no address": (block("cidr: «example.com/24"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 prefix too long": (block("cidr: «10.0.0.0/33"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 prefix negative": (block("cidr: «10.0.0.0/-1"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 prefix with a sign": (block("cidr: «10.0.0.0/+8"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 prefix missing": (block("cidr: «10.0.0.0/"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 prefix as a mask": (block("cidr: «10.0.0.0/255.0.0.0"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 prefix in other digits": (block("cidr: «10.0.0.0/٨"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 two prefixes": (block("cidr: «10.0.0.0/8/8"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 three octets": (block("cidr: «10.0.0/8"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 octet too large": (block("cidr: «10.256.0.0/16"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 space before": (block("cidr: «' 10.0.0.0/8'"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 newline behind": (block('cidr: «"10.0.0.0/8\\n"'), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 a number": (block("cidr: «10"), f"{BLOCK}.cidr", "expected a CIDR as text, found a number: 10"),
    "8 a list": (block("cidr: «[10.0.0.0/8]"), f"{BLOCK}.cidr", "expected a CIDR as text, found a list"),
    "8 IPv6 prefix too long": (block("cidr: «'2001:db8::/129'"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 IPv6 in brackets": (block("cidr: «'[2001:db8::]/64'"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 IPv6 with a zone": (block("cidr: «'fe80::%eth0/64'"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 IPv6 too short": (block("cidr: «'2001:db8/32'"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "8 field misspelt": (block("cidr: 10.0.0.0/8, «excepts: []"), f"{BLOCK}.excepts", "did you mean except?"),
    "8 ipBlock is text": (peer("{ipBlock: «10.0.0.0/8}"), BLOCK, "expected a mapping, found text: '10.0.0.0/8'"),
    # -- 9 the strict form
    "9 zero before an octet": (block("cidr: «010.0.0.0/8"), f"{BLOCK}.cidr", "Invalid value: '010.0.0.0/8': must not have leading 0s"),
    "9 zero before another octet": (block("cidr: «10.00.0.0/8"), f"{BLOCK}.cidr", "must not have leading 0s"),
    "9 zero before the prefix": (block("cidr: «10.0.0.0/08"), f"{BLOCK}.cidr", "must not have leading 0s"),
    "9 zero before an IPv6 prefix": (block("cidr: «'2001:db8::/032'"), f"{BLOCK}.cidr", "must not have leading 0s"),
    "9 host bits": (block("cidr: «192.168.0.5/24"), f"{BLOCK}.cidr", "must not have bits set beyond the prefix length; 192.168.0.0/24 is meant?"),
    "9 IPv6 host bits": (block("cidr: «'2001:db8::1/64'"), f"{BLOCK}.cidr", "must not have bits set beyond the prefix length; 2001:db8::/64 is meant?"),
    "9 IPv4-mapped IPv6": (block("cidr: «'::ffff:10.0.0.0/104'"), f"{BLOCK}.cidr", "must not have an IPv4-mapped IPv6 address"),
    "9 IPv4-mapped IPv6 in colons": (block("cidr: «'::ffff:0:0/96'"), f"{BLOCK}.cidr", "must not have an IPv4-mapped IPv6 address"),
    # -- 10 except
    "10 equal": (block("cidr: 10.0.0.0/8, except: [«10.0.0.0/8]"), f"{BLOCK}.except[0]", "Invalid value: '10.0.0.0/8': must be a strict subset of `cidr`"),
    "10 wider": (block("cidr: 10.0.0.0/8, except: [«10.0.0.0/7]"), f"{BLOCK}.except[0]", "must be a strict subset of `cidr`"),
    "10 beside": (block("cidr: 10.0.0.0/8, except: [10.1.0.0/16, «11.0.0.0/16]"), f"{BLOCK}.except[1]", "must be a strict subset of `cidr`"),
    "10 of another family": (block("cidr: 0.0.0.0/0, except: [«'::/1']"), f"{BLOCK}.except[0]", "must be a strict subset of `cidr`"),
    "10 no CIDR": (block("cidr: 10.0.0.0/8, except: [«10.0.0.1]"), f"{BLOCK}.except[0]", NOT_A_CIDR),
    "10 empty": (block("cidr: 10.0.0.0/8, except: [«'']"), f"{BLOCK}.except[0]", NOT_A_CIDR),
    "10 host bits": (block("cidr: 10.0.0.0/8, except: [«10.0.0.1/24]"), f"{BLOCK}.except[0]", "10.0.0.0/24 is meant?"),
    "10 null": (block("cidr: 10.0.0.0/8, except: [«null]"), f"{BLOCK}.except[0]", "expected a CIDR as text, found nothing"),
    "10 text": (block("cidr: 10.0.0.0/8, except: «10.1.0.0/16"), f"{BLOCK}.except", "expected a list, found text"),
    "10 a named address around itself": (block("cidr: $(x/a)/24, except: [«$(x/a)/24]"), f"{BLOCK}.except[0]", "must be a strict subset of `cidr`"),
    "10 a named address in itself": (block("cidr: $(x/a), except: [«$(x/a)]"), f"{BLOCK}.except[0]", "must be a strict subset of `cidr`"),
    "10 a named address with too long a prefix": (block("cidr: «$(x/a)/64"), f"{BLOCK}.cidr", "a network around a named address has a prefix of at most 32, to fit IPv4"),
    "10 a named address of IPv4 with too long a prefix": (block("cidr: «$(x/a over IPv4)/33"), f"{BLOCK}.cidr", "a network around a named address has a prefix of at most 32"),
    "10 a named address of IPv6 with too long a prefix": (block("cidr: «$(x/a over IPv6)/129"), f"{BLOCK}.cidr", "a network around a named address has a prefix of at most 128"),
    "10 a named address of IPv6 in itself": (block("cidr: $(x/a over IPv6), except: [«$(x/a over IPv6)/128]"), f"{BLOCK}.except[0]", "must be a strict subset of `cidr`"),
    "10 a named address of the other family": (block("cidr: $(x/a over IPv6)/4, except: [«$(x/a over IPv4)]"), f"{BLOCK}.except[0]", "must be a strict subset of `cidr`"),
    "10 a named address of another family than the block": (block("cidr: 0.0.0.0/0, except: [«$(x/a over IPv6)]"), f"{BLOCK}.except[0]", "must be a strict subset of `cidr`"),
    "10 a named address of no family": (block("cidr: «$(x/a over IPv5)"), f"{BLOCK}.cidr", NOT_A_CIDR),
    "10 a named address with something behind it": (block("cidr: «$(x/a)x"), f"{BLOCK}.cidr", NOT_A_CIDR),
    # -- 11 policyTypes
    "11 in lower case": (manifest("{policyTypes: [«ingress]}"), "spec.policyTypes[0]", 'Unsupported value: \'ingress\': supported values: "Ingress", "Egress"; did you mean Ingress?'),
    "11 a word": (manifest("{policyTypes: [Ingress, «Both]}"), "spec.policyTypes[1]", "Unsupported value: 'Both'"),
    "11 null": (manifest("{policyTypes: [«null]}"), "spec.policyTypes[0]", "Unsupported value: None"),
    "11 three": (manifest("{policyTypes: «[Ingress, Egress, Ingress]}"), "spec.policyTypes", "may not specify more than two policyTypes"),
    "11 text": (manifest("{policyTypes: «Ingress}"), "spec.policyTypes", "expected a list, found text: 'Ingress'"),
    "11 misspelt": (manifest("{«policyType: [Ingress]}"), "spec.policyType", "did you mean policyTypes?"),
}  # fmt: skip


@pytest.mark.parametrize(("marked", "path", "reason"), REFUSED.values(), ids=REFUSED)
def test_refused(marked: str, path: str, reason: str, unmarked: Callable[[str], tuple[str, list[str]]]) -> None:
    text, (place,) = unmarked(marked)
    source, policy = read(text)
    (problem,) = source.problems
    assert str(problem).startswith(f"p.yaml:{place}: {path}")
    assert (problem.path, policy) == (path, None)
    assert reason in problem.text


def test_all_that_is_wrong_is_told_at_once() -> None:
    text = manifest(
        "{podSelector: {matchLabels: {a: 5}}, policyTypes: [egress], ingress: [{from: [{}], ports: [{port: 0}, {protocol: x}]}],"
        " egress: [{to: [{ipBlock: {cidr: 10.0.0.0}}]}]}",
        metadata="{name: P, namespace: X}",
    )
    source, _ = read(text)
    assert [problem.path for problem in sorted(source.problems)] == [
        "metadata.name",
        "metadata.namespace",
        "spec.podSelector.matchLabels.a",
        "spec.policyTypes[0]",
        "spec.ingress[0].from[0]",
        "spec.ingress[0].ports[0].port",
        "spec.ingress[0].ports[1].protocol",
        "spec.egress[0].to[0].ipBlock.cidr",
    ]


ACCEPTED = {
    "1 name with dots": manifest(metadata="{name: a.b-c.d0, namespace: x}"),
    "1 name of 253": manifest(metadata=f"{{name: {'a' * 253}, namespace: x}}"),
    "1 name that begins with a digit": manifest(metadata="{name: 0a, namespace: x}"),
    "1 labels and annotations": manifest(metadata="{name: p, namespace: x, labels: {a.com/b: ''}, annotations: {a/b: 'Any text, ü.'}}"),
    "2 key and value of 63": select(f"matchLabels: {{{LONG[:63]}: {LONG[:63]}}}"),
    "2 prefix of 253": select(f"matchLabels: {{{'p' * 253}/a: b}}"),
    "2 key with all that it may have": select("matchLabels: {a-1.b/C_d.e-F: G_h.i-J}"),
    "2 empty value": select("matchLabels: {a: ''}"),
    "2 empty value in a list": express("{key: a, operator: In, values: ['']}"),
    "2 Exists with an empty list": express("{key: a, operator: Exists, values: []}"),
    "2 the same key in both": select("matchLabels: {a: b}, matchExpressions: [{key: a, operator: In, values: [c]}]"),
    "3 SCTP": port("{protocol: SCTP, port: 80}"),
    "3 null": port("{protocol: , port: 80}"),
    "4 last port": port("{port: 65535}"),
    "4 name of 15": port("{port: abcdefghijklmno}"),
    "4 name that begins with a digit": port("{port: 8http}"),
    "4 null": port("{port: }"),
    "5 equal": port("{port: 80, endPort: 80}"),
    "5 last": port("{port: 1, endPort: 65535}"),
    "5 null": port("{port: 80, endPort: }"),
    "6 from empty": manifest("{ingress: [{from: []}]}"),
    "7 both selectors": peer("{podSelector: {}, namespaceSelector: {}}"),
    "7 ipBlock beside a null": peer("{podSelector: , ipBlock: {cidr: 10.0.0.0/8}}"),
    "8 one address": block("cidr: 10.0.0.1/32"),
    "8 everybody": block("cidr: 0.0.0.0/0"),
    "8 everybody with IPv6": block("cidr: '::/0'"),
    "9 IPv6 not in its shortest form": block("cidr: '2001:DB8:0:0:0::/64'"),
    "9 IPv6 with zeros before a group": block("cidr: '2001:0db8::/32'"),
    "9 IPv6 with zeros before the first group": block("cidr: '0064:ff9b::/96'"),
    "9 IPv6 with an IPv4 tail": block("cidr: '64:ff9b::10.0.0.0/104'"),
    "10 an address of the block": block("cidr: 10.0.0.0/24, except: [10.0.0.0/32]"),
    "10 half of everybody": block("cidr: 0.0.0.0/0, except: [0.0.0.0/1]"),
    "10 an IPv6 except": block("cidr: '2001:db8::/32', except: ['2001:db8:1::/48']"),
    "10 named addresses of a family": block("cidr: $(x/a over IPv6)/64, except: [$(x/a over IPv6), $(x/b over IPv6)/65, 'fd00::/65']"),
    "10 named addresses": block("cidr: $(x/a)/16, except: [$(x/a), $(x/b)/24, 10.0.0.0/8]"),
    "11 twice the same": manifest("{policyTypes: [Ingress, Ingress]}"),
    "11 empty": manifest("{policyTypes: []}"),
    "13 no spec": "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\n",
    "13 an empty spec": manifest("{}"),
    "13 rules for a direction that is not in policyTypes": manifest("{policyTypes: [Ingress], egress: [{}]}"),
    "13 a selector that selects nothing": express("{key: a, operator: Exists}, {key: a, operator: DoesNotExist}"),
    "13 a rule twice": manifest("{ingress: [{ports: [{port: 80}]}, {ports: [{port: 80}]}]}"),
    "13 a name that no port has": port("{port: nobody}"),
    "13 blocks of both families": peer("{ipBlock: {cidr: 10.0.0.0/8}}, {ipBlock: {cidr: 'fd00::/8'}}"),
    "13 an except twice": block("cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.1.0.0/16, 10.1.2.0/24]"),
    "13 an empty port": port("{}"),
    "13 an empty rule": manifest("{ingress: [{}], egress: [{}]}"),
    "13 null lists": manifest("{podSelector: , policyTypes: , ingress: , egress: }"),
}  # fmt: skip


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(text: str) -> None:
    source, policy = read(text)
    assert [str(problem) for problem in source.problems] == []
    assert policy is not None
    assert policy.manifest == source.data


def test_everything_that_a_policy_says_is_read() -> None:
    text = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: all, namespace: x}
spec:
  podSelector:
    matchLabels: {pod: a}
    matchExpressions: [{key: app, operator: NotIn, values: [db, api]}]
  policyTypes: [Egress, Ingress]
  ingress:
    - from:
        - podSelector: {}
        - namespaceSelector: {matchLabels: {ns: "y"}}
          podSelector: {matchExpressions: [{key: app, operator: Exists}]}
      ports:
        - port: http
        - {protocol: UDP, port: 80, endPort: 90}
  egress:
    - to:
        - ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}
    - ports: [{protocol: SCTP}]
"""
    _, policy = read(text)
    assert policy is not None
    assert (policy.ref, policy.policy_types) == ("x/all", frozenset(Direction))
    assert policy.pod_selector == LabelSelector({"pod": "a"}, (Requirement("app", Operator.NOT_IN, ("db", "api")),))
    exists = LabelSelector({}, (Requirement("app", Operator.EXISTS),))
    assert without_places(policy.ingress) == (
        Rule(
            (Peer(LabelSelector()), Peer(exists, LabelSelector({"ns": "y"}))),
            (PolicyPort(Protocol.TCP, "http"), PolicyPort(Protocol.UDP, 80, 90)),
        ),
    )
    assert without_places(policy.egress) == (
        Rule((Peer(ip_block=IPBlock("10.0.0.0/8", ("10.1.0.0/16",))),)),
        Rule((), (PolicyPort(Protocol.SCTP),)),
    )
    (rule,) = policy.ingress
    places = [policy, rule, *rule.peers, *rule.ports, *policy.egress]
    assert [str(each.location) for each in places] == [
        f"p.yaml:{place}" for place in ("1:1", "10:7", "11:11", "12:11", "15:11", "16:11", "18:7", "20:7")
    ]


def without_places(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            tuple(Peer(each.pod_selector, each.namespace_selector, each.ip_block) for each in rule.peers),
            tuple(PolicyPort(each.protocol, each.port, each.end_port) for each in rule.ports),
        )
        for rule in rules
    )
