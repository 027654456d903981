"""The typed part of a case file: every field misspelt, missing or of another type, said in an author's words and in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.errors import CaseFileError

if TYPE_CHECKING:
    from collections.abc import Callable

HEAD_FIELDS = {
    "apiVersion": "netpol-conformance/v1",
    "kind": "Case",
    "id": "K7QD",
    "requirement": "A pod MUST NOT.",
    "spec": "https://kubernetes.io/docs/",
    "tier": "core",
    "features": "[ingress]",
    "steps": "[{name: open, expect: {default: allow}}]",
}


def head(**changes: str | None) -> str:
    fields = HEAD_FIELDS | changes
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)


@pytest.mark.parametrize("missing", HEAD_FIELDS)
def test_every_field_of_the_head_is_needed(missing: str, refused: Callable[..., None]) -> None:
    refused("«" + head(**{missing: None}), (missing, "missing"))


HEAD = {
    "apiVersion": ("«netpol-conformance/v2", "apiVersion", "expected 'netpol-conformance/v1', found text: 'netpol-conformance/v2'; did you mean netpol-conformance/v1?"),
    "kind": ("«case", "kind", "expected 'Case', found text: 'case'; did you mean Case?"),
    "id in lower case": ("«k7qd", "id", "'k7qd': an id is four characters of A-Z and 0-9"),
    "id of five": ("«K7QDX", "id", "'K7QDX': an id is four characters"),
    "id of digits": ("«1234", "id", "expected text, found a number: 1234; quote it"),
    "id in other letters": ("«ÄÖÜß", "id", "an id is four characters"),
    "requirement without a must": ("«A pod must not.", "requirement", "a requirement is a sentence with MUST, SHOULD or MAY"),
    "requirement with a longer word": ("«A MUSTARD.", "requirement", "a requirement is a sentence with MUST"),
    "requirement null": ("«null", "requirement", "expected text, found nothing"),
    "requirement is a list": ("«[A pod MUST NOT.]", "requirement", "expected text, found a list"),
    "spec without encryption": ("«http://kubernetes.io", "spec", "a link begins with https://"),
    "tier": ("«extnded", "tier", "expected 'core', 'extended' or 'observed', found text: 'extnded'; did you mean extended?"),
    "features misspelt": ("[«ingres]", "features[0]", "found text: 'ingres'; did you mean ingress?"),
    "features in capitals": ("[ingress, «Egress]", "features[1]", "did you mean egress?"),
    "features in one text": ("«ingress egress", "features", "expected a list, found text: 'ingress egress'"),
    "features null": ("«null", "features", "expected a list, found nothing"),
    "steps are a mapping": ("«{name: open}", "steps", "expected a list, found a mapping"),
    "steps are empty": ("«[]", "steps", "at least one is needed"),
    "a step is text": ("[«open]", "steps[0]", "expected a mapping, found text: 'open'"),
    "a step is null": ("[«null]", "steps[0]", "expected a mapping, found nothing"),
}  # fmt: skip


@pytest.mark.parametrize(("value", "path", "said"), HEAD.values(), ids=HEAD)
def test_head(value: str, path: str, said: str, refused: Callable[..., None]) -> None:
    refused(head(**{path.partition("[")[0]: value}), (path, said))


PARTS = {
    "top: field misspelt": ("«feature: [ingress]", ["feature"], ["unknown field, expected one of apiVersion, kind, id, requirement, spec, tier, features, defects, covers, probe, families, world, steps; did you mean features?"]),
    "top: field of nobody": ("«timeout: 5", ["timeout"], ["unknown field, expected one of"]),
    "top: field of Python": ("«api_version: x", ["api_version"], ["unknown field"]),
    "defects": ("defects: [M01, «M1, «m18, «M41, «M00]", ["defects[1]", "defects[2]", "defects[3]", "defects[4]"], ["'M1': a class of defects is M01 to M40"] + ["M01 to M40"] * 3),
    "covers": ("covers: [upstream:1, recipe:deny-all, «foo, «'a b:c']", ["covers[2]", "covers[3]"], ["'foo': whose test it is and which, such as upstream:1", "such as upstream:1"]),
    "probe": ("probe: [«80, «80/tcp, «TCP/80, 80/TCP, «800000/TCP]", ["probe[0]", "probe[1]", "probe[2]", "probe[4]"], ["expected text, found a number: 80; a port is written 80/TCP"] + ["a port is written 80/TCP, and several 79-83/UDP"] * 3),
    "probe empty": ("probe: «[]", ["probe"], ["at least one is needed"]),
    "probe null": ("probe:«", ["probe"], ["expected a list, found nothing"]),
    "world null": ("world:«", ["world"], ["expected a mapping, found nothing"]),
    "world is a list": ("world: «[x/d]", ["world"], ["expected a mapping, found a list"]),
    "world: field misspelt": ("world: {«pod: []}", ["world.pod"], ["unknown field, expected one of namespaces, pods, services; did you mean pods?"]),
    "world.namespaces: fields": ("world: {namespaces: [«{«nam: w}]}", ["world.namespaces[0].name", "world.namespaces[0].nam"], ["missing", "unknown field, expected one of name, labels; did you mean name?"]),
    "world.namespaces: names": ("world: {namespaces: [{name: «W}, {name: «a_b}, {name: «a.b}, {name: «''}, {name: «5}]}", [f"world.namespaces[{n}].name" for n in range(5)], ["a name is lowercase letters, digits and hyphens"] * 4 + ["expected text, found a number: 5; quote it"]),
    "world.namespaces: a name of 64": (f"world: {{namespaces: [{{name: «{'a' * 64}}}]}}", ["world.namespaces[0].name"], ["at most 63 characters"]),
    "world.namespaces: labels": ("world: {namespaces: [{name: w, labels: {a: «5, «'b c': d}}]}", ["world.namespaces[0].labels.a", "world.namespaces[0].labels.b c"], ["a label's value is text, found a number: 5; quote it", "a label key is a name"]),
    "world.pods: fields": ("world: {pods: [«{name: d, «label: {}}]}", ["world.pods[0].namespace", "world.pods[0].label"], ["missing", "did you mean labels?"]),
    "world.pods: name with a slash": ("world: {pods: [{namespace: x, name: «x/d}]}", ["world.pods[0].name"], ["a name is lowercase letters"]),
    "world.pods: node": ("world: {pods: [{namespace: x, name: d, node: «10}, {namespace: x, name: e, node: «-1}, {namespace: x, name: f, node: «'1'}, {namespace: x, name: g, node: «1.0}]}", [f"world.pods[{n}].node" for n in range(4)], ["must be at most 9, found a number: 10", "must be at least 0, found a number: -1", "expected a whole number, found text: '1'", "expected a whole number, found a number: 1.0"]),
    "world.pods: portNames": ("world: {pods: [{namespace: x, name: d, portNames: {http: «80, dns: «80-81/UDP, int: «82/tcp}}]}", [f"world.pods[0].portNames.{n}" for n in ("http", "dns", "int")], ["expected text, found a number: 80; a port is written 80/TCP", "a port is written 80/TCP", "a port is written 80/TCP"]),
    "world.pods: names of ports": ("world: {pods: [{namespace: x, name: d, portNames: {«Http: 80/TCP, «a--b: 81/TCP, «'80': 82/TCP}}]}", [f"world.pods[0].portNames.{n}" for n in ("Http", "a--b", "80")], ["a port name has at most 15 of a-z0-9-"] * 3),
    "world.pods: names of what is not served": ("world: {pods: [{namespace: x, name: d, portNames: {web: «8080/TCP, one: «78/SCTP}}]}", ["world.pods[0].portNames.web", "world.pods[0].portNames.one"], ["the pod does not serve 8080/TCP, so the name would be of nothing", "the pod does not serve 78/SCTP"]),
    "world.pods: two names of one port": ("world: {pods: [{namespace: x, name: d, portNames: {web: 80/TCP, http: «80/TCP}}]}", ["world.pods[0].portNames.http"], ["80/TCP has the name web already"]),
    "world.pods: other containers": ("world: {pods: [{namespace: x, name: d, portNames: {web: 80/TCP}, secondContainer: {app: «80/TCP}, sidecar: {web: «81/TCP, int: «82/tcp}}]}", ["world.pods[0].secondContainer.app", "world.pods[0].sidecar.web", "world.pods[0].sidecar.int"], ["80/TCP has the name web already", "web is the name of 80/TCP already; which of them is meant is left open", "'82/tcp': "]),
    "world.pods: readiness": ("world: {pods: [{namespace: x, name: d, readiness: «80}]}", ["world.pods[0].readiness"], ["expected text, found a number: 80"]),
    "world.pods: fromStart": ("world: {pods: [{namespace: x, name: d, fromStart: [«x/a, «'x/a:80', x/a:80/TCP]}]}", ["world.pods[0].fromStart[0]", "world.pods[0].fromStart[1]"], ["'x/a': what a pod tries is written x/a:80/TCP"] * 1 + ["'x/a:80': what a pod tries is written x/a:80/TCP"]),
    "world.services: fields": ("world: {services: [««{namespace: x, name: web}]}", ["world.services[0].ports", "world.services[0].selector"], ["missing", "missing"]),
    "world.services: empty": ("world: {services: [{namespace: x, name: web, selector: «{}, ports: «[]}]}", ["world.services[0].selector", "world.services[0].ports"], ["at least one is needed"] * 2),
    "world.services: selector": ("world: {services: [{namespace: x, name: web, selector: {app: «1}, ports: [{port: 80}]}]}", ["world.services[0].selector.app"], ["a label's value is text, found a number: 1; quote it"]),
    "world.services: port": ("world: {services: [{namespace: x, name: web, selector: {app: web}, ports: [{port: «0}, {port: «'80'}, «{«prt: 80}]}]}", ["world.services[0].ports[0].port", "world.services[0].ports[1].port", "world.services[0].ports[2].port", "world.services[0].ports[2].prt"], ["must be at least 1, found a number: 0", "expected a whole number, found text: '80'", "missing", "did you mean port?"]),
    "world.services: targetPort": ("world: {services: [{namespace: x, name: web, selector: {app: web}, ports: [{port: 80, targetPort: «0}, {port: 81, targetPort: «70000}, {port: 82, targetPort: «true}, {port: 83, targetPort: «HTTP}, {port: 84, targetPort: «[80]}]}]}", [f"world.services[0].ports[{n}].targetPort" for n in range(5)], ["must be at least 1, found a number: 0", "must be at most 65535, found a number: 70000", "expected a whole number or text, found true", "a port name has at most 15", "expected a whole number or text, found a list: [80]"]),
    "world.services: one port twice": ("world: {services: [{namespace: x, name: web, selector: {app: web}, ports: [{port: 80}, {port: 80, protocol: UDP}, «{port: 80, targetPort: 81}]}]}", ["world.services[0].ports[2]"], ["the Service has a port 80/TCP already"]),
    "world.services: protocol": ("world: {services: [{namespace: x, name: web, selector: {app: web}, ports: [{port: 80, protocol: «tcp}]}]}", ["world.services[0].ports[0].protocol"], ["expected 'TCP', 'UDP' or 'SCTP', found text: 'tcp'; did you mean TCP?"]),
}  # fmt: skip


@pytest.mark.parametrize(("part", "paths", "said"), PARTS.values(), ids=PARTS)
def test_parts(
    part: str, paths: list[str], said: list[str], whole: Callable[..., str], refused: Callable[..., None]
) -> None:
    refused(whole(part), *zip(paths, said, strict=True))


STEPS = {
    "fields misspelt": ("«exepct: {default: allow}", ["exepct"], ["unknown field, expected one of name, restart, remove, create, replace, label, delete, apply, expect, hold, oneSided; did you mean expect?"]),
    "expect: fields": ("expect: «{«defalt: allow, «denny: []}", ["expect.default", "expect.defalt", "expect.denny"], ["missing", "unknown field, expected one of default, allow, deny; did you mean default?", "did you mean deny?"]),
    "expect: default": ("expect: {default: «allowed}", ["expect.default"], ["expected 'allow' or 'deny', found text: 'allowed'; did you mean allow?"]),
    "expect: default is a bool": ("expect: {default: «true}", ["expect.default"], ["expected 'allow' or 'deny', found true"]),
    "expect: null": ("expect:«", ["expect"], ["expected a mapping, found nothing; a step that is not read has no `expect`"]),
    "expect: a list": ("expect: «[allow]", ["expect"], ["expected a mapping, found a list"]),
    "expect: rows in one text": ("expect: {default: allow, deny: «'* -> *'}", ["expect.deny"], ["expected a list, found text: '* -> *'"]),
    "expect: rows null": ("expect: {default: allow, deny: «null}", ["expect.deny"], ["expected a list, found nothing"]),
    "expect: a row that is a number": ("expect: {default: allow, deny: [«80]}", ["expect.deny[0]"], ["expected a row such as 'x/a -> y/b:80/TCP', found a number: 80"]),
    "expect: a row that is none": ("expect: {default: allow, deny: ['* -> x/a', «'x/a'], allow: [«'x/a -> x/b:http']}", ["expect.deny[1]", "expect.allow[0]"], ["'x/a': expected SOURCES -> DESTINATIONS", "'http' is no port"]),
    "apply: null": ("apply:«", ["apply"], ["expected a list, found nothing"]),
    "apply: a name": ("apply: [«x/deny]", ["apply[0]"], ["expected a NetworkPolicy manifest, found text: 'x/deny'"]),
    "apply: a mapping": ("apply: «{kind: NetworkPolicy}", ["apply"], ["expected a list, found a mapping"]),
    "delete: text": ("delete: «x/deny", ["delete"], ["expected a list, found text: 'x/deny'"]),
    "remove: a number": ("remove: [x/a, «5]", ["remove[1]"], ["expected text, found a number: 5; quote it"]),
    "replace: a mapping": ("replace: «{x/a: b}", ["replace"], ["expected a list, found a mapping"]),
    "label: no labels": ("label: {x/a: «blue}", ["label.x/a"], ["expected a mapping, found text: 'blue'"]),
    "label: values": ("label: {x/a: {str: «5, int: «true, ok: null}, z: {«'a b': c, d: «'e f'}}", ["label.x/a.str", "label.x/a.int", "label.z.a b", "label.z.d"], ["a label's value is text, found a number: 5; quote it", "a label's value is text, found true", "a label key is a name", "a label value is empty or"]),
    "create: fields": ("create: {«service: []}", ["create.service"], ["unknown field, expected one of namespaces, pods, services; did you mean services?"]),
    "create: labels": ("create: {pods: [{namespace: x, name: d, labels: {a: «5}}]}", ["create.pods[0].labels.a"], ["a label's value is text, found a number: 5; quote it"]),
    "create: serves": ("create: {pods: [{namespace: x, name: d, serves: [«dns]}]}", ["create.pods[0].serves[0]"], ["a port is written 80/TCP"]),
    "create: portNames": ("create: {pods: [{namespace: x, name: d, portNames: {web: «8080/TCP}}]}", ["create.pods[0].portNames.web"], ["the pod does not serve 8080/TCP"]),
}  # fmt: skip


@pytest.mark.parametrize(("part", "paths", "said"), STEPS.values(), ids=STEPS)
def test_steps(
    part: str, paths: list[str], said: list[str], whole: Callable[..., str], refused: Callable[..., None]
) -> None:
    text = whole(steps=f"steps:\n  - name: open\n    expect: {{default: allow}}\n  - name: broken\n    {part}\n")
    refused(text, *zip([f"steps[1].{path}" for path in paths], said, strict=True))


def test_a_step_has_a_name(whole: Callable[..., str], refused: Callable[..., None]) -> None:
    refused(
        whole(steps="steps:\n  - «expect: {default: allow}\n  - {name: «'', expect: {default: allow}}\n"),
        ("steps[0].name", "missing"),
        ("steps[1].name", "must not be empty"),
    )


@pytest.mark.parametrize(
    "text", ["", "# nothing but a comment\n", "hello\n", "- a\n", "5\n"], ids=["empty", "comment", "text", "list", "number"]
)  # fmt: skip
def test_what_is_no_case_at_all(text: str, load: Callable[..., object]) -> None:
    with pytest.raises(CaseFileError) as caught:
        load(text)
    assert caught.value.problems == ("case.yaml:1:1: expected a case: a mapping with apiVersion, kind, id, ...",)


def test_broken_yaml_is_told_once(load: Callable[..., object]) -> None:
    with pytest.raises(CaseFileError) as caught:
        load("apiVersion: [\nkind: Case\n")
    (problem,) = caught.value.problems
    assert problem.startswith("case.yaml:3:1: not YAML: ")
