"""Azure's prices keep the contract, over a stand-in that pages the way the Retail Prices API does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from bouted.providers.azure import MOST_PAGES, AzurePrices
from bouted.providers.http_asking import Patience

from bouted.errors import Misconfigured, SourceFailed
from bouted.market.offers import Market
from bouted.market.source import PriceSource
from bouted.testing.http import Asked, Reply, StandIn, stand_in
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract

QUICK = Patience(total_s=5.0, try_s=0.3, sleep=lambda _: None)
REGIONS = ("eastus", "westus2")
Answering = Callable[[Asked], Reply]


def meter(size: str, price: float, region: str, **changes: Any) -> dict[str, Any]:
    """A row as the API gives it; the prices in these tests are those of the catalog of 2026-04-22."""
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price,
        "unitPrice": price,
        "armRegionName": region,
        "location": region,
        "effectiveStartDate": "2025-11-01T00:00:00Z",
        "meterId": f"{size}-{region}-{price}",
        "meterName": size.removeprefix("Standard_"),
        "productName": "Virtual Machines NC Series",
        "skuName": size.removeprefix("Standard_"),
        "serviceName": "Virtual Machines",
        "unitOfMeasure": "1 Hour",
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": size,
        **changes,
    }


def rows_of(region: str) -> list[dict[str, Any]]:
    return [
        meter("Standard_NC4as_T4_v3", 0.526, region),
        meter("Standard_NC4as_T4_v3", 0.15254, region, meterName="NC4as T4 v3 Spot"),
        meter("Standard_NC24ads_A100_v4", 3.673, region),
        meter("Standard_ND96isr_H100_v5", 98.32, region),
    ]


def paged(rows: Callable[[str], list[dict[str, Any]]] = rows_of, *, size: int = 2) -> Answering:
    """Answers with `size` rows at a time, as the API does with 1,000."""

    def answer(asked: Asked) -> Reply:
        region = asked.query["$filter"].split("armRegionName eq '")[1].split("'")[0]
        skip = int(asked.query.get("$skip", 0))
        page = rows(region)[skip : skip + size]
        more = skip + size < len(rows(region))
        port = asked.headers["host"].partition(":")[2]
        link = f"http://127.0.0.1:{port}{asked.path}?$filter={asked.query['$filter']}&$skip={skip + size}"
        return Reply(said={"Items": page, "NextPageLink": link if more else None, "Count": len(page)})

    return answer


def second_page_fails(asked: Asked) -> Reply:
    return Reply(said="oops", status=500) if "$skip" in asked.query else paged()(asked)


def odd_rows(region: str) -> list[dict[str, Any]]:
    good = meter("Standard_NC8as_T4_v3", 0.752, region)
    return [
        *rows_of(region),
        {**good, "retailPrice": "0.752"},
        {**good, "retailPrice": None},
        {**good, "armSkuName": 7},
        {**good, "effectiveStartDate": []},
        {key: value for key, value in good.items() if key != "currencyCode"},
    ]


def ahead(region: str) -> list[dict[str, Any]]:
    return [{**row, "effectiveStartDate": "2026-06-02T12:00:00Z"} for row in rows_of(region)]


SICK: dict[Fault, Answering] = {
    Fault.EMPTY: paged(lambda region: []),
    Fault.HALF: second_page_fails,
    Fault.THROTTLED: lambda asked: Reply(said={}, status=429, headers={"Retry-After": "0"}),
    Fault.SLOW: lambda asked: Reply(said={}, delay_s=1.0),
    Fault.WRONG_TYPES: paged(odd_rows),
    Fault.BROKEN: lambda asked: Reply(said=b"<html>We are sorry</html>"),
    Fault.CLOCK_SKEW: paged(ahead),
}


class TestAzure(PriceSourceContract):
    """UNKNOWN_GPU cannot be: the list names sizes, and what a size has comes from our own table.
    DENIED and NO_CREDENTIALS cannot be either: nobody logs in."""

    @pytest.fixture(autouse=True)
    def servers(self) -> Iterator[None]:
        with ExitStack() as self.stack:
            yield

    def make(self, folder: Path) -> PriceSource:
        return self.over(paged())

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        return self.over(SICK[fault]) if fault in SICK else None

    def over(self, answer: Answering) -> AzurePrices:
        server = self.stack.enter_context(stand_in(answer))
        return azure(server)


def azure(server: StandIn) -> AzurePrices:
    return AzurePrices(url=f"{server.url}/api/retail/prices", regions=REGIONS, patience=QUICK)


def test_a_region_is_asked_for_by_itself_and_its_pages_are_followed() -> None:
    with stand_in(paged()) as server:
        answer = azure(server).fetch(CONTRACT_NOW)
    assert len(server.asked) == 4
    assert {quote.region for quote in answer.quotes} == set(REGIONS)
    assert all("contains(armSkuName, 'Standard_N')" in asked.query["$filter"] for asked in server.asked)
    spot = [quote for quote in answer.quotes if quote.market is Market.SPOT]
    assert [str(quote.price) for quote in spot] == ["0.15254", "0.15254"]


def test_a_region_that_fails_is_a_gap_and_the_others_are_kept() -> None:
    def answer(asked: Asked) -> Reply:
        return Reply(said={}, status=500) if "eastus" in asked.query["$filter"] else paged()(asked)

    with stand_in(answer) as server:
        half = azure(server).fetch(CONTRACT_NOW)
    assert {quote.region for quote in half.quotes} == {"westus2"}
    assert half.gaps == ("eastus: 127.0.0.1 answered HTTP 500",)


def test_a_region_without_any_gpu_size_is_a_gap() -> None:
    with stand_in(paged(lambda region: rows_of(region) if region == "eastus" else [])) as server:
        assert azure(server).fetch(CONTRACT_NOW).gaps == ("westus2: no GPU size is listed",)


def test_a_server_that_throttles_is_not_asked_about_the_next_region() -> None:
    def answer(asked: Asked) -> Reply:
        if "westus2" in asked.query["$filter"]:
            return Reply(said={}, status=429, headers={"Retry-After": "600"})
        return paged()(asked)

    with stand_in(answer) as server:
        source = AzurePrices(url=server.url, regions=("eastus", "westus2", "x"), patience=QUICK)
        half = source.fetch(CONTRACT_NOW)
    assert [gap.partition(":")[0] for gap in half.gaps] == ["westus2", "x"]
    assert len(server.asked) == 3  # two pages, and one that was told to wait too long to wait for


@pytest.mark.parametrize("link", ["http://evil.example/more", "//evil.example", "/more", "http://[", 7])
def test_a_link_that_leads_elsewhere_is_not_followed(link: object) -> None:
    with stand_in(lambda asked: Reply(said={"Items": rows_of("eastus"), "NextPageLink": link})) as server:
        answer = azure(server).fetch(CONTRACT_NOW)
    assert answer.gaps[0] == "eastus: its link to the next page leads elsewhere"
    assert len(server.asked) == 2


def test_pages_without_an_end_are_given_up_on() -> None:
    def answer(asked: Asked) -> Reply:
        page = int(asked.query.get("page", 0)) + 1
        link = f"http://{asked.headers['host']}/?page={page}"
        return Reply(said={"Items": rows_of("eastus"), "NextPageLink": link})

    with stand_in(answer) as server:
        source = AzurePrices(url=f"{server.url}/", regions=("eastus",), patience=QUICK)
        assert source.fetch(CONTRACT_NOW).gaps == (f"eastus: more than {MOST_PAGES} pages",)


def test_the_doctor_learns_that_no_credential_is_needed_and_whether_azure_answers() -> None:
    with stand_in(paged()) as server:
        well = azure(server).diagnose(CONTRACT_NOW)
    assert (well.credential, well.reachable, well.problem) == ("not needed", True, "")
    with stand_in(lambda asked: Reply(said={}, status=500)) as server:
        ill = azure(server).diagnose(CONTRACT_NOW)
    assert (ill.reachable, ill.problem) == (False, "127.0.0.1 answered HTTP 500")


def test_the_config_says_which_regions(tmp_path: Path) -> None:
    with stand_in(paged()) as server:
        options = {"url": server.url, "regions": ["swedencentral"]}
        answer = AzurePrices.from_config(options, config_dir=tmp_path).fetch(CONTRACT_NOW)
    assert {quote.region for quote in answer.quotes} == {"swedencentral"}
    with pytest.raises(Misconfigured, match=r"prices\.sources\.azure\.region: no such option"):
        AzurePrices.from_config({"region": "x"}, config_dir=tmp_path)
    with pytest.raises(Misconfigured, match=r"regions: names no region"):
        AzurePrices.from_config({"regions": []}, config_dir=tmp_path)


def test_nothing_listening_is_a_failure_that_names_the_host() -> None:
    with stand_in(paged()) as server:
        source = azure(server)
    with pytest.raises(SourceFailed, match=r"127\.0\.0\.1 cannot be reached"):
        source.fetch(CONTRACT_NOW)
