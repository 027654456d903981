"""The notation of expectations: everything that it can say, and everything that it refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from conformance.casefile.rows import RowError, expectation, row, span
from conformance.casefile.source import parse
from conformance.model.flow import Flow
from conformance.model.source import Location
from conformance.model.world import IPFamily, Protocol

TCP, UDP, SCTP = Protocol


@pytest.mark.parametrize(
    ("text", "sources", "destinations"),
    [
        ("x/a -> y/b", ("x/a",), ("y/b",)),
        ("x/a->y/b", ("x/a",), ("y/b",)),
        ("  x/a   ->   y/b  ", ("x/a",), ("y/b",)),
        ("* -> *", ("*",), ("*",)),
        ("x/* -> */a", ("x/*",), ("*/a",)),
        ("*/* -> ext", ("*/*",), ("ext",)),
        ("ext -> x/a", ("ext",), ("x/a",)),
        ("x/a, x/b,y/* -> z/c , z/a", ("x/a", "x/b", "y/*"), ("z/c", "z/a")),
        ("x/a -> web.x.svc", ("x/a",), ("web.x.svc",)),
        ("x/a -> *.x.svc, web.*.svc, *.*.svc, *.svc", ("x/a",), ("*.x.svc", "web.*.svc", "*.*.svc", "*.svc")),
        ("long-name-1/pod-2 -> x/a.b-c", ("long-name-1/pod-2",), ("x/a.b-c",)),
    ],
)
def test_places(text: str, sources: tuple[str, ...], destinations: tuple[str, ...]) -> None:
    read = row(text)
    assert (read.sources, read.destinations) == (sources, destinations)
    assert (read.sources_negated, read.destinations_negated, read.ports, read.protocols) == (False, False, None, None)
    assert read.text == text


@pytest.mark.parametrize(
    ("text", "negated"),
    [("!x/a -> y/b", (True, False)), ("x/a -> !y/b", (False, True)), ("! x/a, x/b -> !*", (True, True))],
)
def test_exclamation_mark_is_for_the_whole_list(text: str, negated: tuple[bool, bool]) -> None:
    read = row(text)
    assert (read.sources_negated, read.destinations_negated) == negated
    assert not any("!" in each for each in (*read.sources, *read.destinations))


@pytest.mark.parametrize(
    ("what", "ports", "protocols"),
    [
        ("80", {80}, None),
        ("80/TCP", {80}, {TCP}),
        ("80/TCP,UDP", {80}, {TCP, UDP}),
        ("80-82", {80, 81, 82}, None),
        ("80-80/SCTP", {80}, {SCTP}),
        ("79,81-82/UDP", {79, 81, 82}, {UDP}),
        (" 79 , 81 ", {79, 81}, None),
        ("*/UDP", None, {UDP}),
        ("*", None, None),
    ],
)
def test_ports(what: str, ports: set[int] | None, protocols: set[Protocol] | None) -> None:
    read = row(f"x/a -> y/b:{what}")
    assert (read.ports, read.protocols) == (ports, protocols)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected SOURCES -> DESTINATIONS[:PORTS[/PROTOCOL]]"),
        ("x/a", "expected SOURCES -> DESTINATIONS"),
        ("x/a - y/b", "expected SOURCES -> DESTINATIONS"),
        ("x/a => y/b", "expected SOURCES -> DESTINATIONS"),
        ("-> y/b", "expected SOURCES -> DESTINATIONS"),
        ("x/a ->", "expected SOURCES -> DESTINATIONS"),
        ("x/a <- y/b", "expected SOURCES -> DESTINATIONS"),
        ("x/a -> y/b -> z/c", "'y/b -> z/c' names no pods"),
        ("x/a, -> y/b", "'' names no pods"),
        ("x/a x/b -> y/b", "'x/a x/b' names no pods"),
        ("X/a -> y/b", "'X/a' names no pods"),
        ("x/ -> y/b", "'x/' names no pods"),
        ("x/a/b -> y/b", "'x/a/b' names no pods"),
        ("x/a* -> y/b", "'x/a*' names no pods"),
        ("x_y/a -> y/b", "'x_y/a' names no pods"),
        ("x/-a -> y/b", "'x/-a' names no pods"),
        ("x/a, !x/b -> y/b", "'!x/b' names no pods: expected x/a, x/*, */a, *, ext or web.x.svc, with ! in front of the whole list"),
        ("!!x/a -> y/b", "'!x/a' names no pods"),
        ("x/a -> web.svc", "'web.svc' names no pods"),
        ("x/a -> a.b.x.svc", "'a.b.x.svc' names no pods"),
        ("web.x.svc -> x/a", "a Service sends nothing, so it can only be a destination"),
        ("!*.svc -> x/a", "a Service sends nothing, so it can only be a destination"),
        ("x/a\n -> y/b", None),
        ("x/a -> y/b\n", None),
        ("x/a -> y/b:", "'' is no port"),
        ("x/a -> y/b:http", "'http' is no port: expected 80, 80-82, 80,82 or *, with /TCP, /UDP or /SCTP behind it"),
        ("x/a -> y/b:80/tcp", "'80/tcp' is no port"),
        ("x/a -> y/b:TCP", "'TCP' is no port"),
        ("x/a -> y/b:80/", "'80/' is no port"),
        ("x/a -> y/b:/TCP", "'/TCP' is no port"),
        ("x/a -> y/b:80-", "'80-' is no port"),
        ("x/a -> y/b:80,,81", "'80,,81' is no port"),
        ("x/a -> y/b:80/TCP/UDP", "'80/TCP/UDP' is no port"),
        ("x/a -> y/b:80/TCP,81/UDP", "'80/TCP,81/UDP' is no port"),
        ("x/a -> y/b:80, y/c:81", "'80,y/c:81' is no port"),
        ("x/a -> y/b:80/ICMP", "'ICMP': a protocol is TCP, UDP or SCTP"),
        ("x/a -> y/b:82-80", "'82-80' holds no port: the lower number comes first"),
        ("x/a -> y/b:79,82-80", "'82-80' holds no port"),
        ("x/a:80 -> y/b", "'x/a:80' names no pods"),
        ("x/a -> y/b over IPv5", "'IPv5' is no family of addresses: it is over IPv4 or over IPv6, and over both without"),
        ("x/a -> y/b over IPv4,IPv6", "'IPv4,IPv6' is no family"),
        ("x/a -> y/b over ipv6", "'ipv6' is no family"),
        ("x/a over IPv6 -> y/b", "expected SOURCES -> DESTINATIONS"),
        ("x/a -> y/b:٨٠", "'٨٠' is no port"),
    ],
)  # fmt: skip
def test_what_is_no_row(text: str, said: str | None) -> None:
    if said is None:  # space around a row means nothing, whichever it is
        assert row(text).sources == ("x/a",)
        return
    with pytest.raises(RowError) as caught:
        row(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("x/a -> y/b", None),
        ("x/a -> y/b over IPv6", IPFamily.IPV6),
        ("!x/a -> y/*:80-81/TCP over IPv4", IPFamily.IPV4),
        ("over/a -> over.x.svc:80  over  IPv6 ", IPFamily.IPV6),
    ],
)
def test_a_row_may_be_of_one_family(text: str, family: IPFamily | None) -> None:
    read = row(text)
    assert read.family is family
    assert not any("IPv" in each for each in (*read.sources, *read.destinations))
    flow = Flow("over/a" if text.startswith("over") else "x/b", "y/b", 80, TCP)
    matching = {
        each
        for each in (None, *IPFamily)
        if replace(read, sources=("*",), destinations=("*",), sources_negated=False).matches(replace(flow, family=each))
    }
    assert matching == ({family} if family else {None, *IPFamily})


def test_span() -> None:
    assert list(span("80")) == [80]
    assert list(span("80-82")) == [80, 81, 82]


def test_an_expectation_keeps_its_rows_with_their_places() -> None:
    source = parse("default: deny\nallow:\n  - x/a -> *\n  - '* -> x/a'\ndeny: ['* -> x/a:81']\n", "f.yaml")
    read = expectation(source, (), source.data)
    assert read is not None
    assert (read.default, source.problems) == (False, [])
    assert [(each.text, each.location) for each in (*read.allow, *read.deny)] == [
        ("x/a -> *", Location("f.yaml", 3, 5)),
        ("* -> x/a", Location("f.yaml", 4, 5)),
        ("* -> x/a:81", Location("f.yaml", 5, 8)),
    ]


def test_every_bad_row_is_told() -> None:
    source = parse("default: deny\nallow: [x/a, 80, '* -> *', null]\ndeny: '* -> x/a'\n", "f.yaml")
    expectation(source, (), source.data)
    assert [str(each) for each in source.problems] == [
        "f.yaml:2:9: allow[0]: 'x/a': expected SOURCES -> DESTINATIONS[:PORTS[/PROTOCOL]][ over FAMILY], such as x/a -> y/b:80/TCP",
        "f.yaml:2:14: allow[1]: expected a row such as 'x/a -> y/b:80/TCP', found a number: 80",
        "f.yaml:2:28: allow[3]: expected a row such as 'x/a -> y/b:80/TCP', found nothing",
        "f.yaml:3:7: deny: expected a list, found text: '* -> x/a'",
    ]
