"""Keeps the on-demand price lists of regions: read rarely, and across looks where a file takes long."""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from time import monotonic

from bouted.errors import BoutedError, SourceFailed
from bouted.market.asking import in_thread

from .aws_listed import PriceList

Reading = tuple[PriceList, BoutedError | None]


class PriceLists:
    """One list per region, read with `read(region, now)` in a thread of its own every `every_s`.

    A list that could not be read whole is read again at the next look; meanwhile what was read before stays,
    as old as it is. Not for several threads.
    """

    def __init__(self, read: Callable[[str, datetime], Reading], every_s: float) -> None:
        self._read = read
        self._every_s = every_s
        self._lists: dict[str, PriceList] = {}
        self._whole: set[str] = set()
        self._reading: dict[str, Future[Reading]] = {}

    def start(self, region: str, now: datetime) -> None:
        """Begin to read the list if it is due and not being read yet."""
        known = self._lists.get(region)
        young = known is not None and 0 <= (now - known.at).total_seconds() < self._every_s
        due = not young or region not in self._whole
        if due and region not in self._reading:
            self._reading[region] = in_thread(partial(self._read, region, now), f"aws:{region}:list")

    def take(self, region: str, now: datetime, until: float) -> tuple[PriceList | None, BoutedError | None]:
        """The newest list there is by `until`, and why it is not newer or not whole."""
        problem = self._finish(region, until)
        known = self._lists.get(region)
        if known is not None and known.at > now:  # the clock was set back: none of this was seen yet
            return None, problem or SourceFailed(f"{region}: on-demand prices are being read again")
        return known, problem

    def _finish(self, region: str, until: float) -> BoutedError | None:
        reading = self._reading.get(region)
        if reading is None:
            return None
        try:
            prices, problem = reading.result(max(0.0, until - monotonic()))
        except TimeoutError:
            return SourceFailed(f"{region}: on-demand prices are still being read")
        except BoutedError as error:
            prices, problem = None, error
        del self._reading[region]
        if problem is None:
            self._whole.add(region)
        else:
            self._whole.discard(region)
        if prices is not None and (problem is None or (prices.listed and region not in self._lists)):
            self._lists[region] = prices
        return problem
