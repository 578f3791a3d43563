"""Several calls at once, held to one deadline."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from threading import BoundedSemaphore
from time import monotonic
from typing import TypeVar

from bouted.errors import BoutedError, SourceFailed
from bouted.market.asking import in_thread

T = TypeVar("T")
AT_ONCE = 8


def together(calls: Sequence[Callable[[], T]], until: float) -> list[T | BoutedError]:
    """What each call gave, in order, or why it gave nothing. One not done by `until` is left behind."""
    slots = BoundedSemaphore(AT_ONCE)
    asked: list[Future[T]] = [in_thread(partial(_in_turn, call, slots), "aws") for call in calls]
    heard: list[T | BoutedError] = []
    for one in asked:
        try:
            heard.append(one.result(max(0.0, until - monotonic())))
        except TimeoutError:
            heard.append(SourceFailed("no answer in time"))
        except BoutedError as problem:
            heard.append(problem)
    return heard


def _in_turn(call: Callable[[], T], slots: BoundedSemaphore) -> T:
    with slots:
        return call()
