"""Waiting for a cluster: look again and again until nothing is left to wait for, or until the time is up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from tenacity import Retrying, retry_if_exception, retry_if_result, stop_after_delay, wait_fixed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tenacity import RetryCallState

_Left = TypeVar("_Left", bound="Collection[object]")
_Result = TypeVar("_Result")

#: Between two looks. A look is one small request, or none.
PAUSE = 0.2


def until_none_left(look: Callable[[], _Left], timeout: float) -> _Left:
    """Look until the answer is empty; return the last answer, which holds what is still missing when the time is up."""
    return Retrying(
        retry=retry_if_result(bool),
        wait=wait_fixed(PAUSE),
        stop=stop_after_delay(timeout),
        retry_error_callback=_last,
    )(look)


def retried(call: Callable[[], _Result], passes: Callable[[BaseException], bool], timeout: float) -> _Result:
    """Call again while it raises what is known to pass; whatever is raised last goes through."""
    return Retrying(
        retry=retry_if_exception(passes), wait=wait_fixed(PAUSE), stop=stop_after_delay(timeout), reraise=True
    )(call)


def _last(state: RetryCallState) -> Any:
    return state.outcome and state.outcome.result()
