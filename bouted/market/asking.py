"""Asks one price source, in a thread of its own, and turns whatever comes of it into a value."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Thread
from typing import TypeVar

from bouted.errors import (
    BoutedError,
    Misconfigured,
    NotConfigured,
    PermissionMissing,
    Retryable,
    SourceBroken,
)
from bouted.market.quotes import Answer
from bouted.market.source import PriceSource

log = logging.getLogger(__name__)

T = TypeVar("T")


NOTHING = Answer(quotes=())


class Result(StrEnum):
    """How asking ended. IDLE: the source is not configured here, which is nobody's fault."""

    ANSWERED = "answered"
    PARTIAL = "partial"
    IDLE = "idle"
    THROTTLED = "throttled"
    DENIED = "denied"
    FAILED = "failed"

    @property
    def good(self) -> bool:
        """There are quotes."""
        return self in (Result.ANSWERED, Result.PARTIAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What asking one source came to. `error` is one line, "" if all is well; `answer` has quotes if good.

    A throttled source may be asked again after `retry_after_s`. `needs_person`: waiting will not help.
    """

    result: Result
    answer: Answer = NOTHING
    error: str = ""
    retry_after_s: float = 0.0
    needs_person: bool = False


NO_ANSWER = Outcome(result=Result.FAILED, error="gave no answer in time")


def ask(source: PriceSource, now: datetime) -> Outcome:
    """Ask and wait. Never raises: a bug in a source is an outcome too, logged with its traceback."""
    try:
        answer = source.fetch(now)
    except NotConfigured as error:
        return Outcome(result=Result.IDLE, error=str(error))
    except PermissionMissing as error:
        return Outcome(result=Result.DENIED, error=str(error))
    except Retryable as error:
        return Outcome(result=Result.THROTTLED, error=str(error), retry_after_s=error.after_s)
    except BoutedError as error:
        person = isinstance(error, SourceBroken | Misconfigured)
        return Outcome(result=Result.FAILED, error=str(error), needs_person=person)
    except Exception as error:  # the edge of a thread: a plug-in's bug must not take the others' prices along
        log.exception("price source %s", source.name)
        told = " ".join(str(error).split())
        return Outcome(result=Result.FAILED, error=f"bug in the source: {type(error).__name__}: {told}")
    if not answer.quotes:
        rows = answer.unread
        why = f"every row is broken: {rows[0].reason}" if rows else "gave no quotes"
        return Outcome(result=Result.FAILED, answer=answer, error=why)
    result = Result.PARTIAL if answer.gaps else Result.ANSWERED
    return Outcome(result=result, answer=answer, error="; ".join(answer.gaps[:3]))


def in_thread(call: Callable[[], T], name: str) -> "Future[T]":
    """`call` in a daemon thread, so that one that hangs delays nobody's exit."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # whoever asks for the result gets it
            future.set_exception(error)

    Thread(target=run, name=name, daemon=True).start()
    return future


def start_asking(source: PriceSource, now: datetime) -> "Future[Outcome]":
    """Ask in a thread of its own."""
    return in_thread(lambda: ask(source, now), f"prices:{source.name}")
