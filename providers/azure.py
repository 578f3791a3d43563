"""Prices from Azure's Retail Prices API: list and spot, in whole regions, with no credential at all."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from bouted.errors import BoutedError, Misconfigured, Retryable, SourceFailed
from bouted.market.diagnosis import Diagnosis
from bouted.market.quotes import Answer

from .azure_rows import read_rows
from .http_asking import PATIENCE_S, Access, HttpAsking, Patience
from .http_diagnosis import diagnose_by_asking
from .json_rows import list_under
from .source_options import PATH, Options

URL = "https://prices.azure.com/api/retail/prices"
API_VERSION = "2023-01-01-preview"
REGIONS = ("eastus", "westus2", "northeurope", "swedencentral")
MOST_PAGES = 40  # per region; the filter usually leaves one or two


class AzurePrices:
    """What Azure asks for its GPU sizes in the regions of the config; rank 6.

    The list says nothing of what can be had, nor how often spot is taken. A region that fails, or of which
    the list knows no GPU size, is a gap. Prices are Microsoft's list prices, not those of an agreement.
    """

    name = "azure"
    rank = 6

    def __init__(self, *, url: str, regions: tuple[str, ...], patience: Patience) -> None:
        self._url, self._regions, self._patience = url, regions, patience

    @classmethod
    def from_config(cls, options: Mapping[str, Any], *, config_dir: Path) -> "AzurePrices":
        """A source as a config names it: `regions`, `patience_s` for all of a fetch, `url`."""
        asked = Options(cls.name, options)
        url = asked.text("url", URL)
        regions = asked.texts("regions", REGIONS)
        patience = Patience(total_s=asked.number("patience_s", PATIENCE_S, least=0.1))
        asked.close()
        if not regions:
            raise Misconfigured(f"{PATH}.{cls.name}.regions", "names no region")
        return cls(url=url, regions=regions, patience=patience)

    def fetch(self, now: datetime) -> Answer:
        """The quotes of every region that answered."""
        with HttpAsking(self._patience, Access(), now) as asking:
            items, gaps, failure = self._regions_of(asking)
        quotes, unread = read_rows(items, now, source=self.name)
        if not quotes and not unread:
            raise failure or SourceFailed(f"no GPU size is listed in {', '.join(self._regions)}")
        listed = {quote.region for quote in quotes} | {dict(one.row).get("armRegionName") for one in unread}
        failed = {gap.partition(":")[0] for gap in gaps}
        empty = [region for region in self._regions if region not in listed | failed]
        return Answer(
            quotes=quotes,
            unread=unread,
            gaps=(*gaps, *(f"{region}: no GPU size is listed" for region in empty)),
        )

    def diagnose(self, now: datetime) -> Diagnosis:
        """Whether the price list can be reached."""
        with HttpAsking(self._patience, Access(), now) as asking:
            return diagnose_by_asking("not needed", lambda: self._first_page(asking, self._regions[0]))

    def _regions_of(self, asking: HttpAsking) -> tuple[list[Any], list[str], BoutedError | None]:
        """The rows of all regions, the gaps, and the last failure. Throttled once, nobody is asked again."""
        items: list[Any] = []
        gaps: list[str] = []
        failure: BoutedError | None = None
        for region in self._regions:
            if isinstance(failure, Retryable):
                gaps.append(f"{region}: not asked after {failure}")
                continue
            error = self._read_region(asking, region, items)
            if error is not None:
                failure = error
                gaps.append(f"{region}: {error}")
        return items, gaps, failure

    def _read_region(self, asking: HttpAsking, region: str, items: list[Any]) -> BoutedError | None:
        """Adds a region's rows to `items`, page by page; what stopped it before the end, if anything.

        Pages are cut by position, so a price that changes meanwhile moves rows: one may come twice.
        """
        try:
            body = self._first_page(asking, region)
            seen = {self._url}
            for _ in range(MOST_PAGES):
                items += list_under(body, "Items")
                link = body.get("NextPageLink")
                if not link:
                    return None
                if link in seen or not self._is_ours(link):
                    return SourceFailed("its link to the next page leads elsewhere")
                seen.add(link)
                body = asking.get(link)
        except (SourceFailed, Retryable) as error:
            return error
        return SourceFailed(f"more than {MOST_PAGES} pages")

    def _first_page(self, asking: HttpAsking, region: str) -> Any:
        quoted = region.replace("'", "''")
        wanted = (
            f"serviceName eq 'Virtual Machines' and armRegionName eq '{quoted}'"
            " and priceType eq 'Consumption' and contains(armSkuName, 'Standard_N')"
        )
        return asking.get(self._url, {"api-version": API_VERSION, "$filter": wanted})

    def _is_ours(self, link: object) -> bool:
        """Whether a link stays on the host that was asked."""
        try:
            there, here = httpx.URL(str(link)), httpx.URL(self._url)
        except httpx.InvalidURL:
            return False
        return (there.scheme, there.host, there.port) == (here.scheme, here.host, here.port)
