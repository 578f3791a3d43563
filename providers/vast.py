"""Prices from Vast's marketplace: machines that can be rented now, on demand and interruptible."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from bouted.errors import Retryable, SourceFailed
from bouted.market.diagnosis import Diagnosis
from bouted.market.quotes import Answer

from .http_asking import PATIENCE_S, Access, HttpAsking, Patience
from .http_diagnosis import diagnose_by_asking
from .json_rows import list_under
from .source_options import Options
from .vast_rows import MB_PER_GIB, read_offers

URL = "https://console.vast.ai/api/v0/bundles/"
LIMIT = 1000  # asked for per page; who asks without a key may get far fewer (64 were seen)
MOST_PAGES = 60
LEAST_GPU_GIB = 14.0  # smaller cards serve no model here, and are half the market


class VastPrices:
    """What Vast's verified hosts ask: the cheapest of each kind per country, and how many there are; rank 6.

    A price is for the machine alone: storage and traffic, which each host prices, come on top. An
    interruptible machine costs its bid, so the quote is the lowest bid that is taken. On demand the hazard
    follows the host's reliability score; interruptible it also depends on what others bid, and is not known.
    """

    name = "vast"
    rank = 6

    def __init__(self, *, url: str, gpus: tuple[str, ...], least_gpu_gib: float, patience: Patience) -> None:
        self._url, self._gpus, self._least_gpu_gib, self._patience = url, gpus, least_gpu_gib, patience

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "VastPrices":
        """A source as a config names it: `gpus` (Vast's names), `least_gpu_gib`, `patience_s`, `url`."""
        asked = Options(cls.name, options)
        url = asked.text("url", URL)
        gpus = asked.texts("gpus", ())
        least_gpu_gib = asked.number("least_gpu_gib", LEAST_GPU_GIB)
        patience = Patience(total_s=asked.number("patience_s", PATIENCE_S, least=0.1))
        asked.close()
        return cls(url=url, gpus=gpus, least_gpu_gib=least_gpu_gib, patience=patience)

    def fetch(self, now: datetime) -> Answer:
        """All that is offered now. What comes after a page that fails, being dearer, is a gap."""
        items: list[Any] = []
        gaps: tuple[str, ...] = ()
        try:
            with HttpAsking(self._patience, Access(), now) as asking:
                for page in self._pages(asking):
                    items += page
        except (SourceFailed, Retryable) as error:
            if not items:
                raise
            gaps = (f"after {len(items)} offers: {error}",)
        quotes, unread = read_offers(items, now, source=self.name)
        if not quotes and not unread:
            raise SourceFailed("Vast has no verified machine to rent")
        return Answer(quotes=quotes, unread=unread, gaps=gaps)

    def diagnose(self, now: datetime) -> Diagnosis:
        """Whether Vast answers."""
        with HttpAsking(self._patience, Access(), now) as asking:
            return diagnose_by_asking("not needed", lambda: asking.post(self._url, self._question(None, 1)))

    def _pages(self, asking: HttpAsking) -> Iterator[list[Any]]:
        """Pages from cheap to dear.

        Vast cuts an answer short without a word and knows no offset, so each page begins at the price where
        the last one ended, until one brings nothing new.
        """
        seen: set[str] = set()
        at_least: Decimal | None = None
        for _ in range(MOST_PAGES):
            page = list_under(asking.post(self._url, self._question(at_least, LIMIT)), "offers")
            fresh = [one for one in page if _key(one) not in seen]
            if not fresh:
                return
            yield fresh
            seen.update(_key(one) for one in fresh)
            dearest = _dearest(page)
            if dearest is None or (at_least is not None and dearest < at_least):
                raise SourceFailed("the offers do not come in order of dph_total")
            at_least = dearest
        raise SourceFailed(f"more than {MOST_PAGES} pages")

    def _question(self, at_least: Decimal | None, limit: int) -> object:
        question: dict[str, object] = {
            "verified": {"eq": True},
            "rentable": {"eq": True},
            "rented": {"eq": False},
            "num_gpus": {"gte": 1},
            "gpu_ram": {"gte": self._least_gpu_gib * MB_PER_GIB},
            "type": "on-demand",
            "order": [["dph_total", "asc"]],
            "limit": limit,
        }
        if self._gpus:
            question["gpu_name"] = {"in": list(self._gpus)}
        if at_least is not None:
            question["dph_total"] = {"gte": float(at_least)}
        return question


def _key(offer: Any) -> str:
    """What tells an offer from others: Vast's id, or all of it where it has none."""
    number = offer.get("id") if isinstance(offer, dict) else None
    return str(number) if isinstance(number, int) else repr(offer)


def _dearest(page: list[Any]) -> Decimal | None:
    prices = [one.get("dph_total") for one in page if isinstance(one, dict)]
    numbers = [Decimal(p) for p in prices if isinstance(p, int | Decimal) and not isinstance(p, bool)]
    return max((number for number in numbers if number.is_finite()), default=None)
