"""Deleting namespaces with all that is in them, quickly and until they are gone.

Each is named together with its uid: one that somebody else has made under the same name meanwhile is not touched.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from conformance.cluster.client import NOT_FOUND, ApiError, namespace_path
from conformance.cluster.diagnosis import remaining
from conformance.cluster.waiting import until_none_left

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from conformance.cluster.client import Api

_SIDE_BY_SIDE = 16


def delete_all(api: Api, uids: Mapping[str, str], timeout: float) -> Mapping[str, str]:
    """Delete namespaces and wait until they are gone; return those that are not, each with the reason."""
    failed = ask_to_go(api, uids)
    return {**failed, **await_gone(api, {name: uids[name] for name in uids if name not in failed}, timeout)}


def ask_to_go(api: Api, uids: Mapping[str, str]) -> Mapping[str, str]:
    """Delete namespaces without waiting; return those that were not accepted, each with the reason."""
    if not uids:
        return {}
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        problems = dict(zip(uids, pool.map(lambda each: _delete(api, *each), uids.items()), strict=True))
    return {name: problem for name, problem in problems.items() if problem}


def await_gone(api: Api, uids: Mapping[str, str], timeout: float) -> Mapping[str, str]:
    """Wait until namespaces that were deleted are gone; return those that are not, each with the reason."""
    if not uids:
        return {}
    with ThreadPoolExecutor(max_workers=_SIDE_BY_SIDE) as pool:
        left = until_none_left(lambda: _still_there(api, pool, uids), timeout)
        return {name: _why(api, name) for name in left}


def _delete(api: Api, name: str, uid: str) -> str:
    """Ask for the deletion, and for that of the pods at once: the namespace's own way there begins with them late.

    The namespace is asked to go first, since no Deployment can make a pod anew in one that is on its way.
    """
    try:
        if api.delete(namespace_path(name), propagationPolicy="Background", preconditions={"uid": uid}):
            api.delete(namespace_path(name, "pods"))
    except ApiError as error:
        return error.message
    return ""


def _still_there(api: Api, pool: ThreadPoolExecutor, uids: Mapping[str, str]) -> Collection[str]:
    there = zip(uids, pool.map(lambda each: _is_there(api, *each), uids.items()), strict=True)
    return [name for name, is_there in there if is_there]


def _is_there(api: Api, name: str, uid: str) -> bool:
    try:
        return bool(api.get(namespace_path(name))["metadata"]["uid"] == uid)
    except ApiError as error:
        return error.status != NOT_FOUND  # without an answer it is not known to be gone


def _why(api: Api, name: str) -> str:
    try:
        return remaining(api.get(namespace_path(name)))
    except ApiError as error:
        return error.message
