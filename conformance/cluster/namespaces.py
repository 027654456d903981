"""Deleting namespaces with all that is in them, quickly and until they are gone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from conformance.cluster.client import ApiError, namespace_path
from conformance.cluster.diagnosis import remaining
from conformance.cluster.waiting import until_none_left

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from conformance.cluster.client import Api

_SIDE_BY_SIDE = 16


def delete_all(api: Api, names: Collection[str], timeout: float) -> Mapping[str, str]:
    """Delete namespaces and wait until they are gone; return those that are not, each with the reason."""
    failed = ask_to_go(api, names)
    return {**failed, **await_gone(api, [name for name in names if name not in failed], timeout)}


def ask_to_go(api: Api, names: Collection[str]) -> Mapping[str, str]:
    """Delete namespaces without waiting; return those that were not accepted, each with the reason."""
    if not names:
        return {}
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        problems = dict(zip(names, pool.map(lambda name: _delete(api, name), names), strict=True))
    return {name: problem for name, problem in problems.items() if problem}


def await_gone(api: Api, names: Collection[str], timeout: float) -> Mapping[str, str]:
    """Wait until namespaces that were deleted are gone; return those that are not, each with the reason."""
    if not names:
        return {}
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        left = until_none_left(lambda: [name for name, there in _there(api, pool, names).items() if there], timeout)
        return {name: _why(api, name) for name in left}


def _delete(api: Api, name: str) -> str:
    """Ask for the deletion, and for that of the pods at once: the namespace's own way there begins with them late.

    The namespace is asked to go first, since no Deployment can make a pod anew in one that is on its way.
    """
    try:
        api.delete(namespace_path(name), propagationPolicy="Background")
        api.delete(namespace_path(name, "pods"))
    except ApiError as error:
        return error.message
    return ""


def _there(api: Api, pool: ThreadPoolExecutor, names: Collection[str]) -> Mapping[str, bool]:
    return dict(zip(names, pool.map(lambda name: _exists(api, name), names), strict=True))


def _exists(api: Api, name: str) -> bool:
    try:
        return api.exists(namespace_path(name))
    except ApiError:
        return True  # not known to be gone


def _why(api: Api, name: str) -> str:
    try:
        return remaining(api.get(namespace_path(name)))
    except ApiError as error:
        return error.message
