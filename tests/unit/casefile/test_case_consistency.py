"""What is well formed and still cannot be: names that are not there, rows without effect, steps that show nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.model.flow import Flow
from conformance.model.world import IPFamily, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.model.case import Case

    Load, Whole, Refused = Callable[[str], Case], Callable[..., str], Callable[..., None]


def policy(text: str = "{podSelector: {}}", namespace: str = "x", name: str = "deny") -> str:
    metadata = f"{{name: {name}, namespace: {namespace}}}"
    return f"{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {metadata}, spec: {text}}}"


def peer(cidr: str) -> str:
    return policy(f"{{ingress: [{{from: [{{ipBlock: {{cidr: {cidr}}}}}]}}]}}")


NOT_THERE = {
    "delete a policy that was never applied": ("delete: [«x/deny]", "delete[0]", "there is no policy x/deny at this point"),
    "remove a pod": ("remove: [x/a, «x/q]", "remove[1]", "there is no pod x/q at this point"),
    "remove a pod twice": ("remove: [x/a, «x/a]", "remove[1]", "there is no pod x/a at this point"),
    "remove a namespace": ("remove: [«w]", "remove[0]", "there is no namespace w at this point"),
    "remove a pod of a namespace that is gone": ("remove: [x, «x/a]", "remove[1]", "there is no pod x/a at this point"),
    "replace a pod": ("replace: [«y/q]", "replace[0]", "there is no pod y/q at this point"),
    "replace a namespace": ("replace: [«z]", "replace[0]", "there is no pod z at this point"),
    "label a pod": ("label: {z: {a: b}, «x/q: {a: b}}", "label.x/q", "there is no pod x/q at this point"),
    "label a namespace": ("label: {«w: {a: b}}", "label.w", "there is no namespace w at this point"),
    "label what was removed in the same step": ("remove: [x/a]\n    label: {«x/a: {a: b}}", "label.x/a", "there is no pod x/a at this point"),
    "create a pod nowhere": ("create: {pods: [«{namespace: w, name: d}]}", "create.pods[0]", "there is no namespace w at this point"),
    "create a Service nowhere": ("create: {services: [«{namespace: w, name: s, selector: {a: b}, ports: [{port: 80}]}]}", "create.services[0]", "there is no namespace w at this point"),
    "create a pod that is there": ("create: {pods: [{namespace: x, name: d}, «{namespace: x, name: a}]}", "create.pods[1]", "pod x/a is there already"),
    "create a namespace that is there": ("create: {namespaces: [«{name: z}]}", "create.namespaces[0]", "namespace z is there already"),
    "create the canaries' namespace": ("create: {namespaces: [«{name: canary}]}", "create.namespaces[0]", "namespace canary is there already"),
    "create a Service twice": ("create: {services: [{namespace: x, name: s, selector: {a: b}, ports: [{port: 80}]}, «{namespace: x, name: s, selector: {a: c}, ports: [{port: 81}]}]}", "create.services[1]", "Service s.x.svc is there already"),
    "apply nowhere": (f"apply: [{policy(namespace='x')}, «{policy(namespace='w')}]", "apply[1]", "there is no namespace w at this point"),
    "apply where it was": (f"remove: [x]\n    apply: [«{policy()}]", "apply[0]", "there is no namespace x at this point"),
    "address of nobody": (f"apply: [«{peer('$(x/q)')}]", "apply[0]", "$(x/q) is the address of nothing: there is no pod or endpoint x/q at this point"),
    "address of a namespace": (f"apply: [«{peer('$(y)/16')}]", "apply[0]", "$(y) is the address of nothing"),
    "address of a pod that was removed": (f"remove: [x/b]\n    apply: [«{peer('$(x/b)')}]", "apply[0]", "$(x/b) is the address of nothing"),
    "a name nearly right": ("label: {«x/aa: {a: b}}", "label.x/aa", "there is no pod x/aa at this point; did you mean x/a?"),
}  # fmt: skip


@pytest.mark.parametrize(("part", "path", "said"), NOT_THERE.values(), ids=NOT_THERE)
def test_names_that_are_not_there(part: str, path: str, said: str, whole: Whole, refused: Refused) -> None:
    text = whole(steps=f"steps:\n  - name: open\n    expect: {{default: allow}}\n  - name: broken\n    {part}\n")
    refused(text, (f"steps[1].{path}", said))


RESTARTS = {
    "without the feature": ("[ingress]", "restart: «implementation\n    expect: {default: allow}", "this disturbs all that the target enforces: the case needs the feature disruptive"),
    "that is not read": ("[ingress, disruptive]", "restart: «implementation", "this step and the one before need an `expect`"),
    "beside two changes": ("[ingress, disruptive]", f"restart: «implementation\n    apply: [{policy()}, {policy(name='other')}]\n    expect: {{default: deny, allow: ['* -> y/*', '* -> z/*']}}", "one policy may change, or the labels of one pod or namespace, and nothing else"),
    "beside a pod that is replaced": ("[ingress, disruptive]", "restart: «implementation\n    replace: [x/a]\n    expect: {default: allow}", "and nothing else"),
}  # fmt: skip


@pytest.mark.parametrize(("features", "part", "said"), RESTARTS.values(), ids=RESTARTS)
def test_a_restart_that_cannot_be_judged(features: str, part: str, said: str, whole: Whole, refused: Refused) -> None:
    text = whole(steps=f"steps:\n  - name: open\n    expect: {{default: allow}}\n  - name: restarted\n    {part}\n")
    refused(text.replace("[ingress]", features), ("steps[1].restart", said))


def test_a_restart_after_a_step_that_is_not_read_cannot_be_judged(whole: Whole, refused: Refused) -> None:
    steps = "  - {name: unread, label: {x/a: {a: b}}}\n  - {name: restarted, restart: «implementation, expect: {default: allow}}"
    text = whole(steps=f"steps:\n{steps}\n").replace("[ingress]", "[ingress, disruptive]")
    refused(text, ("steps[1].restart", "only what was seen before can be judged"))


def test_a_disruptive_case_restarts(whole: Whole, refused: Refused) -> None:
    text = whole(steps="steps:\n  - {name: open, expect: {default: allow}}\n")
    refused(text.replace("[ingress]", "«[ingress, disruptive]"), ("features", "none restarts the implementation"))


IN_WORLD = {
    "a namespace twice": ("namespaces: [{name: w}, «{name: w}]", "namespaces[1]", "namespace w is there already"),
    "a pod in no namespace": ("pods: [«{namespace: w, name: d}]", "pods[0]", "there is no namespace w at this point"),
    "a Service in no namespace": ("services: [«{namespace: w, name: s, selector: {a: b}, ports: [{port: 80}]}]", "services[0]", "there is no namespace w"),
    "a default pod again": ("pods: [{namespace: x, name: d}, «{namespace: x, name: a}]", "pods[1]", "pod x/a is there already"),
}  # fmt: skip


@pytest.mark.parametrize(("part", "path", "said"), IN_WORLD.values(), ids=IN_WORLD)
def test_in_the_world(part: str, path: str, said: str, whole: Whole, refused: Refused) -> None:
    refused(whole(f"world:\n  {part}\n"), (f"world.{path}", said))


def test_everything_is_made_before_it_is_used_whatever_the_order_of_writing(load: Load, whole: Whole) -> None:
    """remove, create, replace, label, delete, apply: the order is fixed, and not that of the file."""
    step = f"""\
steps:
  - name: applied
    apply: [{policy(name="old")}]
    expect: {{default: allow, deny: ["* -> x/*"]}}
  - name: all at once
    apply: [{policy(namespace="w")}]
    delete: [x/old]
    label: {{w/d: {{a: b}}, w: {{c: d}}}}
    replace: [w/d]
    create: {{pods: [{{namespace: w, name: d}}], namespaces: [{{name: w}}], services: [{{namespace: w, name: s, selector: {{a: b}}, ports: [{{port: 80}}]}}]}}
    remove: ["y"]
    expect: {{default: allow, deny: ["* -> w/d", "* -> s.w.svc"]}}
"""
    case = load(whole(steps=step))
    assert [type(each).__name__ for each in case.steps[1].actions] == [
        "DeleteNamespace",
        "CreateNamespace",
        "CreatePod",
        "CreateService",
        "ReplacePod",
        "LabelPod",
        "LabelNamespace",
        "DeletePolicy",
        "ApplyPolicy",
    ]


IDLE = {
    "a pod that is not there": ("«* -> x/q", "x/q is the destination of none of the flows that this step tries"),
    "a source that is not there": ("«q/a -> *", "q/a is the source of none of the flows that this step tries"),
    "a namespace without its slash": ("«x -> y/a", "x is the source of none of the flows that this step tries"),
    "one of a list that is not there": ("«x/a, x/q -> y/a", "x/q is the source of none of the flows that this step tries"),
    "one behind an exclamation mark that is not there": ("«!x/q -> y/a", "x/q is the source of none of the flows that this step tries"),
    "a destination behind an exclamation mark that is not there": ("«x/a -> !y/q", "y/q is the destination of none of the flows that this step tries"),
    "a Service that is not there": ("«* -> web.x.svc", "web.x.svc is the destination of none of the flows that this step tries"),
    "every Service, where there is none": ("«* -> *.svc", "*.svc is the destination of none of the flows that this step tries"),
    "a pod to itself": ("«x/a -> x/a", "matches none of the flows that this step tries"),
    "everything but everything": ("«!* -> x/a", "matches none of the flows that this step tries"),
    "a port that is not tried": ("«* -> x/a:82", "matches none of the flows that this step tries"),
    "one of two ports that is not tried": ("«* -> x/a:80,82", "names ports that this step does not try there: 82"),
    "a range beyond what is tried": ("«* -> x/a:80-90/TCP", "names ports that this step does not try there: 82, 83, 84 and 6 more"),
    "a protocol that is not tried": ("«* -> x/a:80/SCTP", "matches none of the flows that this step tries"),
    "outside, without the feature": ("«ext -> x/a", "ext is the source of none of the flows that this step tries; ext is tried only by cases with an external-… feature"),
    "outside as a destination, without the feature": ("«x/a -> ext", "ext is the destination of none of the flows that this step tries; ext is tried only by cases with an external-… feature"),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["allow", "deny"])
@pytest.mark.parametrize(("row", "said"), IDLE.values(), ids=IDLE)
def test_rows_without_effect(row: str, said: str, kind: str, whole: Whole, refused: Refused) -> None:
    mark, text = row[0], row[1:]
    steps = f"steps:\n  - name: open\n    expect:\n      default: allow\n      {kind}:\n        - {mark}'{text}'\n"
    refused(whole(steps=steps), (f"steps[0].expect.{kind}[0]", f"{text!r}: {said}"))


def test_outside_may_be_named_with_the_feature(load: Load, whole: Whole) -> None:
    text = whole().replace("[ingress]", "[ingress, external-client, external-server]")
    steps = text.replace("{default: allow}", "{default: allow, deny: ['ext -> x/a', 'x/b -> ext']}")
    assert load(steps).external


def test_a_pod_that_was_removed_is_not_tried(whole: Whole, refused: Refused) -> None:
    steps = "steps:\n  - name: gone\n    remove: [x/a]\n    expect: {default: allow, deny: [«'* -> x/a']}\n"
    refused(whole(steps=steps), ("steps[0].expect.deny[0]", "x/a is the destination of none"))


NODE_PORT = "{namespace: x, name: web, type: NodePort, selector: {app: web}, ports: [{port: 8080, targetPort: 80}]}"


def with_node_port(whole: Whole, features: str, pods: str = "", mark: str = "") -> str:
    text = whole(f"world:\n  pods: [{pods}]\n  services: [{NODE_PORT}]\n").replace("[ingress]", features)
    return text.replace("- name: open", f"- {mark}name: open")


def test_a_node_port_is_tried_from_outside(load: Load, whole: Whole) -> None:
    text = with_node_port(whole, "[ingress, node-port, external-client]")
    assert load(text.replace("{default: allow}", "{default: allow, deny: ['ext -> web.x.svc:8080/TCP']}"))


@pytest.mark.parametrize(
    ("features", "lacking"),
    [
        ("[node-port]", "add external-client"),
        ("[external-client]", "add node-port"),
        ("[ingress]", "add node-port and external-client"),
    ],
)
def test_a_node_port_is_a_feature(features: str, lacking: str, whole: Whole, refused: Refused) -> None:
    text = with_node_port(whole, "«" + features)
    refused(
        text,
        (
            "features",
            f"web.x.svc is of type NodePort, and its node ports are tried from outside the cluster: {lacking}",
        ),
    )


@pytest.mark.parametrize(("node", "covers"), [(0, False), (1, True), (2, False)])
def test_backends_on_every_node_leave_no_node_port_to_try(
    node: int, covers: bool, load: Load, whole: Whole, refused: Refused
) -> None:
    pod = f"{{namespace: x, name: d, labels: {{app: web}}, node: {node}}}"
    text = with_node_port(whole, "[node-port, external-client]", pod, "«" if covers else "")
    if covers:
        refused(
            text,
            ("steps[0]", "the node ports of web.x.svc would not be tried, since every node has one of its backends"),
        )
    else:
        assert load(text)


PROBES = {
    "nobody serves the port": ("«90/TCP", "nobody serves 90/TCP, so it would never be tried"),
    "nobody serves the protocol": ("«78/SCTP", "nobody serves 78/SCTP, so it would never be tried"),
    "nobody serves the end of the range": ("«82-85/UDP", "nobody serves 84/UDP, 85/UDP, so it would never be tried"),
    "the range is the wrong way round": ("«82-80/TCP", "'82-80/TCP' holds no port: the lower number comes first"),
}


@pytest.mark.parametrize(("probe", "said"), PROBES.values(), ids=PROBES)
def test_ports_that_would_never_be_tried(probe: str, said: str, whole: Whole, refused: Refused) -> None:
    refused(whole(f"probe: [79/TCP, {probe}]"), ("probe[1]", said))


def test_a_step_that_tries_nothing(whole: Whole, refused: Refused) -> None:
    steps = "steps:\n  - name: alone\n    remove: [x, 'y', z/a, z/b]\n    expect: «{default: allow}\n"
    refused(whole(steps=steps), ("steps[0].expect", "this step tries no flow at all"))


def test_a_case_that_reads_nothing(whole: Whole, refused: Refused) -> None:
    steps = "steps:\n  «- name: one\n  - name: two\n    replace: [x/a]\n"
    refused(whole(steps=steps), ("steps", "no step says what must be seen: give one an `expect`"))


def test_a_problem_does_not_cause_others(whole: Whole, refused: Refused) -> None:
    """What could not be made is left out, and the rest of the case is still looked at."""
    steps = f"""\
steps:
  - name: one
    apply: [«{policy(namespace="w")}]
    expect: {{default: allow}}
  - name: two
    delete: [«w/deny]
    label: {{«x/q: {{}}}}
    expect: {{default: allow, deny: [«'* -> w/*']}}
"""
    refused(
        whole(steps=steps),
        ("steps[0].apply[0]", "there is no namespace w"),
        ("steps[1].delete[0]", "there is no policy w/deny"),
        ("steps[1].label.x/q", "there is no pod x/q"),
        ("steps[1].expect.deny[0]", "w/* is the destination of none"),
    )


def test_what_a_case_covers_is_in_a_list(whole: Whole, refused: Refused) -> None:
    refused(
        whole("covers: [upstream:1, «upstreem:1, «upstream:99, «cyclonus:rules-ingress-non]\n"),
        ("covers[1]", "there is no list 'upstreem', only "),
        ("covers[2]", "the list upstream has no row '99'"),
        ("covers[3]", "the list cyclonus has no row 'rules-ingress-non'; did you mean rules-ingress-none?"),
    )


def test_the_list_that_was_meant_is_named(whole: Whole, refused: Refused) -> None:
    refused(whole("covers: [«upstreem:1]\n"), ("covers[0]", "; did you mean upstream?"))


# -- families of addresses

BOTH, SIX = "families: [IPv4, IPv6]", "families: [IPv6]"


FAMILIES = {
    "IPv6 needs its feature": (SIX, "ingress", "families [IPv6] and no feature ipv6: a cluster may not have such addresses"),
    "both need two": (BOTH, "ingress, ipv6", "families [IPv4, IPv6] and no feature dual-stack"),
    "IPv6 alone is no dual stack": (SIX, "ingress, ipv6, dual-stack", "feature dual-stack and families [IPv6]: no flow would need it"),
    "a feature without families": ("", "ingress, ipv6", "feature ipv6 and no families: no flow would need it"),
}  # fmt: skip


@pytest.mark.parametrize(("families", "features", "said"), FAMILIES.values(), ids=FAMILIES)
def test_families_and_features_that_do_not_fit(
    families: str, features: str, said: str, whole: Whole, refused: Refused
) -> None:
    text = whole(families).replace("features: [ingress]", f"features: «[{features}]")
    refused(text, ("features", said))


@pytest.mark.parametrize("families", ["[IPv4, IPv4]", "[IPv6, IPv4]", "[IPv6, IPv6]"])
def test_families_that_are_none(families: str, whole: Whole, refused: Refused) -> None:
    refused(whole(f"families: «{families}"), ("families", "expected [IPv4], [IPv6] or [IPv4, IPv6]"))


def dual(step: str, whole: Whole) -> str:
    text = whole(f"{BOTH}\nsteps:\n  - name: open\n    expect: {{default: allow}}\n  - name: second\n    {step}\n")
    return text.replace("features: [ingress]", "features: [ingress, ipv6, dual-stack]")


@pytest.mark.parametrize(
    ("step", "path", "said"),
    [
        (f"apply: [«{peer('$(x/b)')}]", "apply[0]", "$(x/b) is an address of any family here: write $(x/b over IPv6)"),
        (f"apply: [«{peer('$(x/q over IPv6)')}]", "apply[0]", "$(x/q) is the address of nothing"),
        (
            "create: {pods: [{namespace: x, name: d, fromStart: «['x/a:80/TCP']}]}",
            "create.pods[0].fromStart",
            "from its start a pod tries the first family only",
        ),
    ],
)
def test_what_does_not_fit_families(step: str, path: str, said: str, whole: Whole, refused: Refused) -> None:
    refused(dual(step, whole), (f"steps[1].{path}", said))


def test_what_needs_families(whole: Whole, refused: Refused) -> None:
    rows = "expect: {default: allow, deny: [«'* -> x/a over IPv6']}"
    steps = f"steps:\n  - name: deny\n    apply: [«{peer('$(x/b over IPv6)')}]\n    {rows}\n"
    refused(
        whole(steps=steps),
        ("steps[0].apply[0]", "$(x/b over IPv6): the case has no IPv6 among its families"),
        ("steps[0].expect.deny[0]", "only a case with IPv6 among its `families` tries flows over IPv6"),
    )


def test_rows_of_one_family_match_what_a_case_of_both_tries(load: Load, whole: Whole) -> None:
    step = f"apply: [{peer('$(x/b over IPv6)/64')}]\n    expect: {{default: allow, deny: ['* -> x/* over IPv4', '* -> x/a over IPv6']}}"
    case = load(dual(step, whole))
    assert case.families == tuple(IPFamily)
    expect = case.steps[1].expect
    assert expect is not None
    (x_b, x_a), (v4, v6) = ("x/b", "x/a"), IPFamily
    told = {
        str(flow): expect.allows(flow)
        for ref in (x_b, x_a)
        for over in (v4, v6)
        if (flow := Flow("y/a", ref, 80, Protocol.TCP, over))
    }
    assert [flow for flow, passes in told.items() if passes] == ["y/a -> x/b:80/TCP over IPv6"]
