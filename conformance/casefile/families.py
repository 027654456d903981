"""The families of addresses that a case names: what else in the case must fit them, and what it tries over them."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from conformance.model import address
from conformance.model.case import ApplyPolicy, CreatePod
from conformance.model.default_world import default_world
from conformance.model.flow import flows
from conformance.model.world import IPFamily, Phase

if TYPE_CHECKING:
    from conformance.casefile.source import Path, Source
    from conformance.model.case import Action, Case
    from conformance.model.flow import Flow
    from conformance.model.world import Protocol, World

    Probe = tuple[tuple[int, Protocol], ...]

#: The features that a case needs for its families, and for no other reason.
_NEEDED = {
    (): frozenset[str](),
    (IPFamily.IPV4,): frozenset[str](),
    (IPFamily.IPV6,): frozenset({"ipv6"}),
    (IPFamily.IPV4, IPFamily.IPV6): frozenset({"ipv6", "dual-stack"}),
}


def tried(case: Case, world: World) -> tuple[Flow, ...]:
    """Return the flows that a case tries in a world to which no target has given addresses yet."""
    of = _tried_by_default if _as_by_default(world) else partial(_tried, world)
    return of(case.probe, case.families, external=case.external)


@cache  # labels and policies make no difference, and most cases change nothing else
def _tried_by_default(probe: Probe, families: tuple[IPFamily, ...], *, external: bool) -> tuple[Flow, ...]:
    return _tried(default_world(), probe, families, external=external)


def _tried(world: World, probe: Probe, families: tuple[IPFamily, ...], *, external: bool) -> tuple[Flow, ...]:
    if families:
        world = address.with_sample_addresses(world, tuple(IPFamily))
    return flows(world, probe, external=external, families=families)


def _as_by_default(world: World) -> bool:
    """Tell whether a world has the same servers as the default one, and nothing but those."""
    usual = default_world()
    return (
        not world.services
        and world.pods.keys() == usual.pods.keys()
        and all(
            pod.phase is Phase.RUNNING and pod.servers == usual.pods[ref].servers for ref, pod in world.pods.items()
        )
    )


def check(source: Source, case: Case) -> None:
    """See that the features fit the families; problems go to the source."""
    if case.families not in _NEEDED:
        source.complain(
            ("families",), "expected [IPv4], [IPv6] or [IPv4, IPv6]; without it, the cluster's first family is tried"
        )
        return
    needed = _NEEDED[case.families]
    named = f"families [{', '.join(case.families)}]" if case.families else "no families"
    for feature in sorted(needed - case.features):
        source.complain(("features",), f"{named} and no feature {feature}: a cluster may not have such addresses")
    for feature in sorted((case.features - needed) & {"ipv6", "dual-stack"}):
        source.complain(("features",), f"feature {feature} and {named}: no flow would need it")


def check_action(source: Source, path: Path, case: Case, action: Action) -> None:
    """See that the addresses that an action names, and what it tries from a start, fit the families; problems go to the source."""
    if case.families not in _NEEDED:
        return
    if isinstance(action, CreatePod) and action.pod.from_start and case.families:
        source.complain(
            (*path, "fromStart"), "from its start a pod tries the first family only; a case with families has none"
        )
    if isinstance(action, ApplyPolicy):
        for ref, family in sorted(address.refs(action.policy), key=str):
            if problem := _unfit(ref, family, case):
                source.complain(path, problem)


def _unfit(ref: str, family: IPFamily | None, case: Case) -> str:
    if case.families and family is None:
        return f"$({ref}) is an address of any family here: write $({ref} over IPv6) or $({ref} over IPv4)"
    if family and family not in case.families:
        return f"$({ref} over {family}): the case has no {family} among its families, so there may be no such address"
    return ""
