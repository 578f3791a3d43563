"""Asks every price source how it is set up, all at once."""

import logging
from concurrent.futures import wait
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from bouted.errors import BoutedError
from bouted.market.asking import in_thread
from bouted.market.diagnosis import Diagnosis
from bouted.market.source import Diagnoses, Feed

log = logging.getLogger(__name__)

NOTHING_TO_ASK = Diagnosis(credential="not needed", reachable=None)
LATE = Diagnosis(credential="", reachable=False, problem="gave no answer in time", hint="check the network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What one source found out about itself."""

    name: str
    diagnosis: Diagnosis


def examine(feeds: tuple[Feed, ...], now: datetime) -> tuple[Examined, ...]:
    """A diagnosis per source, in their order; each is given its own `timeout_s`."""
    asked = [
        (feed, in_thread(partial(_diagnosed, feed, now), f"doctor:{feed.source.name}")) for feed in feeds
    ]
    found = []
    for feed, future in asked:
        done, _ = wait((future,), timeout=feed.timeout_s)
        found.append(Examined(name=feed.source.name, diagnosis=future.result() if done else LATE))
    return tuple(found)


def _diagnosed(feed: Feed, now: datetime) -> Diagnosis:
    if not isinstance(feed.source, Diagnoses):
        return NOTHING_TO_ASK
    try:
        return feed.source.diagnose(now)
    except BoutedError as error:
        return Diagnosis(credential="", reachable=False, problem=error.message, hint=error.hint)
    except Exception as error:  # the edge of a thread: a plug-in's bug must not take the others along
        log.exception("price source %s", feed.source.name)
        told = f"bug in the source: {type(error).__name__}: {error}"
        return Diagnosis(credential="", reachable=None, problem=told)
