"""The one door through which prices come in, and the smaller ones beside it that a source may have."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from bouted.market.diagnosis import Diagnosis
from bouted.market.notices import Notice
from bouted.market.quotes import Answer, Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A source and its pace: asked every `every_s`, given up on after `timeout_s`.

    `hand_kept` says that a person writes these prices: they are taken at their word, so a contract may be far
    under the list and a new price holds at once. What cannot be a price is still set aside.
    """

    source: "PriceSource"
    every_s: float
    timeout_s: float
    hand_kept: bool = False


class PriceSource(Protocol):
    """Asks one place for prices.

    `rank` settles disagreement: for one offer the higher rank wins. `fetch` blocks and is called in a thread,
    one call at a time. It returns what the source claims now, one quote per offer id, and raises

    - NotConfigured when there are no credentials: nobody asked for this source to work here;
    - PermissionMissing, naming the permission, when it was refused;
    - Retryable when it was told to slow down;
    - SourceFailed when there is nothing usable (an empty answer is a failure, never "all prices are gone"),
      SourceBroken when a person must mend it first.

    Half an answer is an answer with `gaps`. It never returns a price it made up.
    """

    name: str
    rank: int

    def fetch(self, now: datetime) -> Answer:
        """Quotes as of `now`; none was observed later than `now`."""
        ...


@runtime_checkable
class Diagnoses(Protocol):
    """A source that can say how it is set up: for `bouted doctor`."""

    def diagnose(self, now: datetime) -> Diagnosis:
        """Credential, reach, missing permissions, quotas. Never raises for what it is there to find out."""
        ...


@runtime_checkable
class KnowsPast(Protocol):
    """A source that can tell what its prices were before anybody asked."""

    def spot_history(self, now: datetime, since: datetime) -> tuple[Quote, ...]:
        """Every change of a spot price between `since` and `now` that it still knows, oldest first.

        `effective_at` of a quote is when that price began. Raises as `fetch` does.
        """
        ...


@runtime_checkable
class Notices(Protocol):
    """A source that hears of machines about to be lost."""

    def notices(self, wait_s: float) -> tuple[Notice, ...]:
        """What came in, waiting up to `wait_s` for the first; each is given again until acknowledged."""
        ...

    def acknowledge(self, notices: tuple[Notice, ...]) -> None:
        """These have been acted on: they are not given again."""
        ...
