"""Give a new pod an address that a pod which has ended still has in its status.

No API asks for an address. But every implementation hands them out from a range for each node, and sooner or later again. So more pods
like the one that has ended are made and end, until a new pod's address is one of theirs. They all stay, as finished Jobs do.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from conformance.errors import ActionFailed, CannotShow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.cluster.pods import Placed, Pods
    from conformance.model.world import Pod

#: How many pods are made in each round. A node's first range is often of 64 addresses; where it is larger, the case is not worth the time.
#: Addresses often go round: with rounds of one size the new pod could be given only those again that it had itself, for ever.
_ROUNDS = (12, 13, 11, 14, 10, 12, 9, 15)
_AT_ONCE = max(_ROUNDS)


class EndedPods:
    """The pods that were made to end like one of a case: by the ref of that one, which they are deleted with."""

    def __init__(self, pods: Pods) -> None:
        self._pods = pods
        self._alike: dict[str, list[Pod]] = {}

    def address_of(self, ended: Pod, wanting: Pod, from_start: Sequence[str] = ()) -> Placed:
        """Make `wanting` with the address of `ended`, or of one made like it; CannotShow where that takes too many pods.

        `from_start` is what `wanting` tries from its start; see `Pods.create`.
        """
        alike = self._alike.setdefault(ended.ref, [])
        addresses = set(ended.addresses)
        for count in _ROUNDS:
            self._pods.create(wanting, ActionFailed, from_start)
            placed = self._pods.wait([wanting], ActionFailed)[wanting.ref]
            if addresses.intersection(placed.addresses):
                return placed
            self._pods.delete(wanting, ActionFailed)
            more = [replace(ended, name=f"{ended.name}-{len(alike) + number}") for number in range(count)]
            alike.extend(more)
            with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                list(pool.map(lambda pod: self._pods.create(pod, ActionFailed), more))
            for each in self._pods.wait(more, ActionFailed).values():
                addresses.update(each.addresses)
        raise CannotShow(f"no address of {len(addresses)} pods that have ended on one node was given to a new pod")

    def forget(self, ref: str) -> None:
        """Delete what was made like a pod, together with it."""
        alike = self._alike.pop(ref, [])
        if alike:
            with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
                list(pool.map(lambda pod: self._pods.delete(pod, ActionFailed), alike))
