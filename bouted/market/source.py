"""The one door through which prices come in."""

from datetime import datetime
from typing import Protocol

from bouted.market.offers import Offer


class PriceSource(Protocol):
    """Asks one place for prices.

    `rank` settles disagreement: for one offer id the higher rank wins. `fetch` blocks, is called in
    a thread, and returns every offer the source believes in now. It raises SourceFailed when there
    is nothing usable (an empty answer is a failure, never "all prices are gone") and Misconfigured
    when a person must act. It never returns a price it made up.
    """

    name: str
    rank: int

    def fetch(self, now: datetime) -> tuple[Offer, ...]:
        """Offers as of `now`."""
        ...
