"""A NetworkPolicy manifest, read and refused as the API server reads and refuses it.

The rules are those of the server's own validation, with the addresses in their strict form (Kubernetes 1.36 and later refuse host
bits, leading zeros and IPv4-mapped IPv6; older servers accept them, and implementations differ on what they mean).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any, cast

from conformance.casefile.selectors import check_key, is_dns_label, is_subdomain, label_selector, labels
from conformance.casefile.shape import found, items, mapping, meant, unknown_fields
from conformance.casefile.source import Source
from conformance.model.address import PLACEHOLDER
from conformance.model.policy import Direction, IPBlock, LabelSelector, NetworkPolicy, Peer, PolicyPort, Rule
from conformance.model.world import IPFamily, Protocol, family_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conformance.casefile.source import Path

_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_MOST_PORT_NAME, _LAST_PORT = 15, 65535
_PEERS_FIELD = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
_OCTET_WITH_ZERO = re.compile(r"(^|[.])0[0-9]+([.]|$)")
#: The longest prefix of a network around a named address: one that does not say its family may be of either.
_MOST_NAMED_PREFIX = {None: 32, IPFamily.IPV4: 32, IPFamily.IPV6: 128}


def from_manifest(manifest: Mapping[str, Any]) -> NetworkPolicy:
    """Return the policy of a manifest that the suite wrote itself; CaseFileError where it is none."""
    source = Source("the suite", manifest)
    policy = network_policy(source, (), manifest)
    source.refuse_problems()
    return cast("NetworkPolicy", policy)


def network_policy(source: Source, path: Path, raw: Any) -> NetworkPolicy | None:
    """Read one manifest; None where it is too broken to be one. All problems go to `source`."""
    if not isinstance(raw, dict):
        source.complain(path, f"expected a NetworkPolicy manifest, found {found(raw)}")
        return None
    before = len(source.problems)
    fields: Mapping[str, Any] = raw
    unknown_fields(source, path, fields, ("apiVersion", "kind", "metadata", "spec"))
    for name, wanted in (("apiVersion", "networking.k8s.io/v1"), ("kind", "NetworkPolicy")):
        if fields.get(name) != wanted:
            source.complain((*path, name), f"expected {wanted}, found {found(fields.get(name))}")
    namespace, name = _metadata(source, (*path, "metadata"), fields.get("metadata"))
    here = (*path, "spec")
    spec = mapping(source, here, fields.get("spec"))
    unknown_fields(source, here, spec, ("podSelector", "policyTypes", "ingress", "egress"))
    pod_selector = label_selector(source, (*here, "podSelector"), spec.get("podSelector"))
    rules = {direction: _rules(source, here, spec, direction) for direction in Direction}
    policy_types = _policy_types(
        source, (*here, "policyTypes"), spec.get("policyTypes"), egress=bool(spec.get("egress"))
    )
    if len(source.problems) > before:
        return None
    return NetworkPolicy(
        namespace=namespace,
        name=name,
        pod_selector=pod_selector,
        policy_types=policy_types,
        ingress=rules[Direction.INGRESS],
        egress=rules[Direction.EGRESS],
        manifest=raw,
        location=source.at(path),
    )


def _metadata(source: Source, path: Path, raw: Any) -> tuple[str, str]:
    if raw is not None and not isinstance(raw, dict):
        source.complain(path, f"expected a mapping with a name and a namespace, found {found(raw)}")
        return "", ""
    fields: Mapping[str, Any] = raw or {}
    unknown_fields(source, path, fields, ("name", "namespace", "labels", "annotations"))
    name, namespace = fields.get("name"), fields.get("namespace")
    if name is None or name == "":
        source.complain((*path, "name"), "Required value: a policy has a name")
    elif not isinstance(name, str):
        source.complain((*path, "name"), f"expected text, found {found(name)}; quote it")
    elif not is_subdomain(name):
        source.complain((*path, "name"), f"Invalid value: {name!r}: must be a lowercase RFC 1123 subdomain")
    if namespace is None or namespace == "":
        source.complain((*path, "namespace"), "Required value: a case says which namespace its policy is in")
    elif not isinstance(namespace, str):
        source.complain((*path, "namespace"), f"expected text, found {found(namespace)}; quote it")
    elif not is_dns_label(namespace):
        source.complain((*path, "namespace"), f"Invalid value: {namespace!r}: must be a lowercase RFC 1123 label")
    labels(source, (*path, "labels"), fields.get("labels"))
    for key, value in mapping(source, (*path, "annotations"), fields.get("annotations")).items():
        check_key(source, (*path, "annotations", key), key)
        if not isinstance(value, str):
            source.complain((*path, "annotations", key), f"expected text, found {found(value)}; quote it")
    return str(namespace), str(name)


def _policy_types(source: Source, path: Path, raw: Any, *, egress: bool) -> frozenset[Direction]:
    types = items(source, path, raw)
    if len(types) > len(Direction):
        source.complain(path, f"Invalid value: {raw!r}: may not specify more than two policyTypes")
    for index, item in types:
        if item not in list(Direction):
            source.complain((*path, index), _unsupported(item, Direction))
    if not types:
        return frozenset(Direction) if egress else frozenset({Direction.INGRESS})
    return frozenset(Direction(item) for _, item in types if item in list(Direction))


def _unsupported(value: Any, known: Iterable[str]) -> str:
    wanted = ", ".join(f'"{each}"' for each in known)
    return f"Unsupported value: {value!r}: supported values: {wanted}{meant(value, known)}"


def _rules(source: Source, spec_path: Path, spec: Any, direction: Direction) -> tuple[Rule, ...]:
    path = (*spec_path, direction.lower())
    peers_field = _PEERS_FIELD[direction]
    rules = []
    for index, item in items(source, path, spec.get(direction.lower())):
        here = (*path, index)
        fields = mapping(source, here, item)
        unknown_fields(source, here, fields, (peers_field, "ports"))
        peers_path, ports_path = (*here, peers_field), (*here, "ports")
        rules.append(
            Rule(
                peers=tuple(
                    _peer(source, (*peers_path, i), each)
                    for i, each in items(source, peers_path, fields.get(peers_field))
                ),
                ports=tuple(
                    _port(source, (*ports_path, i), each) for i, each in items(source, ports_path, fields.get("ports"))
                ),
                location=source.at(here),
            )
        )
    return tuple(rules)


def _peer(source: Source, path: Path, raw: Any) -> Peer:
    fields = mapping(source, path, raw)
    if not (raw is None or isinstance(raw, dict)):
        return Peer()
    unknown_fields(source, path, fields, ("podSelector", "namespaceSelector", "ipBlock"))
    present = {name for name, value in fields.items() if value is not None}
    if not present:
        source.complain(path, "Required value: must specify a peer")
    if "ipBlock" in present and present & {"podSelector", "namespaceSelector"}:
        source.complain(path, "Forbidden: may not specify both ipBlock and another peer")

    def selector(name: str) -> LabelSelector | None:
        return label_selector(source, (*path, name), fields[name]) if name in present else None

    return Peer(
        pod_selector=selector("podSelector"),
        namespace_selector=selector("namespaceSelector"),
        ip_block=_ip_block(source, (*path, "ipBlock"), fields["ipBlock"]) if "ipBlock" in present else None,
        location=source.at(path),
    )


def _ip_block(source: Source, path: Path, raw: Any) -> IPBlock:
    fields = mapping(source, path, raw)
    if not isinstance(raw, dict):
        return IPBlock("")
    unknown_fields(source, path, fields, ("cidr", "except"))
    cidr = fields.get("cidr")
    outer = None
    if cidr is None or cidr == "":
        source.complain((*path, "cidr"), "Required value")
    else:
        outer = _cidr(source, (*path, "cidr"), cidr)
    excepts = []
    for index, item in items(source, (*path, "except"), fields.get("except")):
        here = (*path, "except", index)
        inner = _cidr(source, here, item)
        excepts.append(str(item))
        if (outer and inner and not _strictly_inside(inner, outer)) or _not_inside_named(item, cidr):
            source.complain(here, f"Invalid value: {item!r}: must be a strict subset of `cidr`")
    return IPBlock(str(cidr), tuple(excepts))


def _strictly_inside(inner: Any, outer: Any) -> bool:
    return inner.version == outer.version and bool(inner.subnet_of(outer)) and inner.prefixlen > outer.prefixlen


def _not_inside_named(inner: Any, outer: Any) -> bool:
    """Tell whether of two networks, one at least around a named address, it is known that the inner is not within the outer.

    They are of different families, or around one address, and the inner is not the smaller one.
    """
    inside, outside = (PLACEHOLDER.match(text) if isinstance(text, str) else None for text in (inner, outer))
    if (inside or outside) and {_family(inside, inner), _family(outside, outer)} == set(IPFamily):
        return True
    if not inside or not outside or inside["ref"] != outside["ref"] or inside["family"] != outside["family"]:
        return False
    inner_prefix, outer_prefix = (int(each["prefix"] or _most_prefix(each)) for each in (inside, outside))
    return inner_prefix <= outer_prefix


def _family(named: re.Match[str] | None, cidr: Any) -> IPFamily | None:
    """Return the family of a network; None where a named address does not say it."""
    if named:
        return IPFamily(named["family"]) if named["family"] else None
    return family_of(str(cidr))


def _most_prefix(named: re.Match[str]) -> int:
    return _MOST_NAMED_PREFIX[_family(named, "")]


def _cidr(source: Source, path: Path, raw: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """Check a CIDR; None for one that is wrong, and for a named address, which is not known yet."""
    if not isinstance(raw, str):
        source.complain(path, f"expected a CIDR as text, found {found(raw)}")
        return None
    if named := PLACEHOLDER.match(raw):
        if int(named["prefix"] or 0) > (most := _most_prefix(named)):
            text = f"a network around a named address has a prefix of at most {most}"
            more = "" if named["family"] else ", to fit IPv4"
            source.complain(path, f"Invalid value: {raw!r}: {text}{more}")
        return None
    reason = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    address, slash, prefix = raw.partition("/")
    if not slash or not prefix.isdecimal() or "%" in address:
        source.complain(path, f"Invalid value: {raw!r}: {reason}")
        return None
    if _OCTET_WITH_ZERO.search(address) or (len(prefix) > 1 and prefix.startswith("0")):
        source.complain(path, f"Invalid value: {raw!r}: must not have leading 0s")
        return None
    try:
        network = ipaddress.ip_network(raw, strict=False)
    except ValueError:
        source.complain(path, f"Invalid value: {raw!r}: {reason}")
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped:
        source.complain(path, f"Invalid value: {raw!r}: must not have an IPv4-mapped IPv6 address")
    elif ipaddress.ip_address(address) != network.network_address:
        source.complain(
            path, f"Invalid value: {raw!r}: must not have bits set beyond the prefix length; {network} is meant?"
        )
    return network


def _port(source: Source, path: Path, raw: Any) -> PolicyPort:
    fields = mapping(source, path, raw)
    unknown_fields(source, path, fields, ("protocol", "port", "endPort"))
    protocol = fields.get("protocol")
    if protocol is None:
        protocol = Protocol.TCP
    elif protocol not in list(Protocol):
        source.complain((*path, "protocol"), _unsupported(protocol, Protocol))
        protocol = Protocol.TCP
    port = fields.get("port")
    number = _port_value(source, (*path, "port"), port)
    end_port = fields.get("endPort")
    if end_port is not None:
        _check_end_port(source, (*path, "endPort"), port, end_port)
    return PolicyPort(Protocol(protocol), number, end_port, location=source.at(path))


def _port_value(source: Source, path: Path, port: Any) -> int | str | None:
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int | str):
        source.complain(path, f"expected a port number or a port name, found {found(port)}")
        return None
    if isinstance(port, int):
        if not 0 < port <= _LAST_PORT:
            source.complain(path, f"Invalid value: {port}: must be between 1 and 65535, inclusive")
    else:
        check_port_name(source, path, port)
    return port


def check_port_name(source: Source, path: Path, name: str, *, key: bool = False) -> None:
    """Complain about what is not the name of a port."""
    if len(name) > _MOST_PORT_NAME or not _PORT_NAME.fullmatch(name) or "--" in name:
        hint = "; a number is written without quotes" if name.isdecimal() else ""
        text = "a port name has at most 15 of a-z0-9-, one letter at least, and no hyphen at its ends or twice in a row"
        source.complain(path, f"Invalid value: {name!r}: {text}{hint}", key=key)


def _check_end_port(source: Source, path: Path, port: Any, end_port: Any) -> None:
    if isinstance(end_port, bool) or not isinstance(end_port, int):
        source.complain(path, f"expected a port number, found {found(end_port)}")
    elif port is None:
        source.complain(path, f"Invalid value: {end_port}: may not be specified when `port` is not specified")
    elif isinstance(port, str):
        source.complain(path, f"Invalid value: {end_port}: may not be specified when `port` is non-numeric")
    elif isinstance(port, int) and end_port < port:
        source.complain(path, f"Invalid value: {end_port}: must be greater than or equal to `port`")
    elif not 0 < end_port <= _LAST_PORT:
        source.complain(path, f"Invalid value: {end_port}: must be between 1 and 65535, inclusive")
