"""Keeps the on-demand price lists of regions: read rarely, and across looks where a file takes long."""

from collections.abc import Callable
from concurrent.futures import Future, wait
from datetime import datetime
from functools import partial
from time import monotonic

from bouted.errors import BoutedError, SourceFailed
from bouted.market.asking import in_thread

from .aws_listed import PriceList

Reading = tuple[PriceList, BoutedError | None]
RETRY_S = 900.0  # after a list could not be read whole: an offer file has some hundred megabytes


class PriceLists:
    """One list per region, read with `read(region, now)` in a thread of its own every `every_s`.

    A list that could not be read whole is read again after a while; meanwhile what was read before stays, as
    old as it is. Not for several threads.
    """

    def __init__(self, read: Callable[[str, datetime], Reading], every_s: float) -> None:
        self._read = read
        self._every_s = every_s
        self._lists: dict[str, PriceList] = {}
        self._problems: dict[str, BoutedError] = {}
        self._begun: dict[str, datetime] = {}
        self._reading: dict[str, Future[Reading]] = {}

    def start(self, region: str, now: datetime) -> None:
        """Begin to read the list if it is due and not being read yet."""
        begun = self._begun.get(region)
        pause_s = RETRY_S if region in self._problems else self._every_s
        due = begun is None or not 0 <= (now - begun).total_seconds() < pause_s
        if due and region not in self._reading:
            self._begun[region] = now
            self._reading[region] = in_thread(partial(self._read, region, now), f"aws:{region}:list")

    def take(self, region: str, now: datetime, until: float) -> tuple[PriceList | None, BoutedError | None]:
        """The newest list there is by `until`, and why it is not newer or not whole."""
        reading = self._reading.get(region)
        problem: BoutedError | None = None
        if reading is not None and wait([reading], max(0.0, until - monotonic())).done:
            del self._reading[region]
            self._finish(region, *reading.result())
        elif reading is not None:
            problem = SourceFailed(f"{region}: on-demand prices are still being read")
        known = self._lists.get(region)
        if known is not None and known.at > now:  # the clock was set back: none of this was seen yet
            known = None
        return known, problem or self._problems.get(region)

    def _finish(self, region: str, prices: PriceList, problem: BoutedError | None) -> None:
        if problem is None:
            self._lists[region] = prices
            self._problems.pop(region, None)
        else:
            self._problems[region] = problem
            if prices.listed:
                self._lists.setdefault(region, prices)
