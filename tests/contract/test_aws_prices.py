"""The AWS source, real boto3 against a real moto server, keeps the contract; so does its bulk file."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from bouted.providers.aws import AwsPrices

from bouted.market.offers import Market
from bouted.market.source import Diagnoses, KnowsPast, Notices, PriceSource
from bouted.testing.aws import SeededAws, SpotChange, a_product, a_type, seeded_aws
from bouted.testing.http import Asked, Reply, stand_in
from bouted.testing.price_contracts import CONTRACT_NOW, Fault, PriceSourceContract

REGIONS = ["us-east-1", "us-east-2"]
TYPES = ["g6.*", "g6f.*", "g9.*", "p5.48*"]
# On-demand and spot prices of the shipped snapshot, bouted/catalog/data/prices.csv.
SPOT = [
    SpotChange(
        region="us-east-1",
        zone="us-east-1b",
        zone_id="use1-az1",
        instance_type="g6.4xlarge",
        price="0.6637",
        at="2026-05-30T08:00:00Z",
    ),
    SpotChange(
        region="us-east-2",
        zone="us-east-2c",
        zone_id="use2-az3",
        instance_type="g6.4xlarge",
        price="0.5281",
        at="2026-05-31T09:30:00Z",
    ),
    SpotChange(
        region="us-east-1",
        zone="us-east-1b",
        zone_id="use1-az1",
        instance_type="p5.48xlarge",
        price="25.75",
        at="2026-05-29T00:00:00Z",
    ),
]
PRODUCTS = [
    a_product("us-east-1", "g6.4xlarge", "1.3232000000"),
    a_product("us-east-2", "g6.4xlarge", "1.3232000000"),
    a_product("us-east-2", "p5.48xlarge", "55.0400000000"),
]
CODES = {Fault.THROTTLED: "RequestLimitExceeded", Fault.DENIED: "UnauthorizedOperation"}
BROKEN = Reply(said=b"<html>not what was asked for</html>", headers={"Content-Type": "text/html"})


@pytest.fixture(scope="module")
def aws() -> Iterator[SeededAws]:
    with seeded_aws() as running:
        yield running


class TestAws(PriceSourceContract):
    @pytest.fixture(autouse=True)
    def _here(self, aws: SeededAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.aws, self.patch = aws, monkeypatch
        with ExitStack() as self.stack:
            yield

    def make(self, folder: Path) -> PriceSource:
        self.aws.spot, self.aws.products, self.aws.page_rows = list(SPOT), list(PRODUCTS), 100
        self.aws.refuse = lambda asked: ""
        self._point(self.aws.environment())
        return a_source()

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        self.make(folder)
        if fault is Fault.NO_CREDENTIALS:
            self.patch.delenv("AWS_ACCESS_KEY_ID")
        elif fault in CODES:
            self.aws.refuse = lambda asked: CODES[fault]
        elif fault in (Fault.BROKEN, Fault.SLOW):
            answer = BROKEN if fault is Fault.BROKEN else replace(BROKEN, delay_s=0.8)
            url = self.stack.enter_context(stand_in(lambda asked: answer)).url
            self._point({name: url for name in self.aws.environment() if "ENDPOINT" in name})
        else:
            self._spoil(fault)
        return a_source(patience_s=0.4 if fault is Fault.SLOW else 8.0)

    def _spoil(self, fault: Fault) -> None:
        if fault is Fault.EMPTY:
            self.aws.spot, self.aws.products = [], []
        if fault is Fault.HALF:
            self.aws.page_rows = 1
            self.aws.refuse = after_first_page()
        if fault is Fault.WRONG_TYPES:
            self.aws.spot += [replace(SPOT[0], price=price) for price in ("", "free", "1e3", "NaN")]
            self.aws.products += ["[]", '{"product": {"attributes": {"instanceType": 7}}}']  # type: ignore[list-item]
        if fault is Fault.UNKNOWN_GPU:
            self.stack.enter_context(a_type("g9.xlarge", "Mystery 9000", "us-east-1"))
            self.aws.spot.append(replace(SPOT[0], instance_type="g9.xlarge"))
        if fault is Fault.CLOCK_SKEW:
            self.aws.spot = [replace(one, at="2026-06-02T12:00:00Z") for one in SPOT]

    def _point(self, environment: dict[str, str]) -> None:
        for name, value in environment.items():
            self.patch.setenv(name, value)

    def test_prices_come_exactly_as_aws_wrote_them(self, tmp_path: Path) -> None:
        quotes = {quote.id: quote for quote in self.make(tmp_path).fetch(CONTRACT_NOW).quotes}
        assert {name: str(quote.price) for name, quote in quotes.items()} == {
            "aws/use1-az1/g6.4xlarge/spot": "0.6637",
            "aws/use2-az3/g6.4xlarge/spot": "0.5281",
            "aws/use1-az1/p5.48xlarge/spot": "25.75",
            "aws/us-east-1/g6.4xlarge/on_demand": "1.3232000000",
            "aws/us-east-2/g6.4xlarge/on_demand": "1.3232000000",
            "aws/us-east-2/p5.48xlarge/on_demand": "55.0400000000",
        }
        spot = quotes["aws/use1-az1/p5.48xlarge/spot"]
        assert (spot.gpu, spot.gpu_count, spot.region) == ("H100-80GB", 8, "us-east-1")
        assert spot.effective_at is not None
        assert spot.effective_at.isoformat() == "2026-05-29T00:00:00+00:00"

    def test_it_also_diagnoses_itself_knows_its_past_and_hears_notices(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        assert isinstance(source, Diagnoses)
        assert isinstance(source, KnowsPast)
        assert isinstance(source, Notices)


HEADER = (
    '"SKU","TermType","EffectiveDate","Unit","PricePerUnit","Currency","Instance Type","Tenancy",'
    '"Operating System","CapacityStatus","Pre Installed S/W","Region Code","GPU","MarketOption"'
)
PREAMBLE = [f'"line {number} that says what this file is"' for number in range(5)]


def offer_row(region: str, kind: str, price: str, gpus: str, term: str = "OnDemand") -> str:
    cells = [
        "S",
        term,
        "2026-05-01",
        "Hrs",
        price,
        "USD",
        kind,
        "Shared",
        "Linux",
        "Used",
        "NA",
        region,
        gpus,
    ]
    return ",".join(f'"{cell}"' for cell in [*cells, "OnDemand"])


ROWS = {
    "us-east-1": [
        offer_row("us-east-1", "g6.4xlarge", "0.0000", "1", "Reserved"),
        offer_row("us-east-1", "g6.4xlarge", "1.3232000000", "1"),
        offer_row("us-east-1", "g6f.large", "0.2", "0.125"),
        offer_row("us-east-1", "m5.large", "0.096", "NA"),
    ],
    "us-east-2": [offer_row("us-east-2", "p5.48xlarge", "55.0400000000", "8")],
}


class TestAwsBulkFile(PriceSourceContract):
    @pytest.fixture(autouse=True)
    def _here(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        with ExitStack() as self.stack:
            yield

    def make(self, folder: Path) -> PriceSource:
        return self._over(lambda region: Reply(said=offer_file(ROWS[region])))

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        wrong = [offer_row("us-east-1", "g6.xlarge", "", "1"), offer_row("us-east-1", "g6.xlarge", "1", "x")]
        cut = offer_file(ROWS["us-east-1"])
        answers = {
            Fault.EMPTY: Reply(said=offer_file([])),
            Fault.BROKEN: BROKEN,
            Fault.SLOW: replace(BROKEN, delay_s=1.0),
            Fault.THROTTLED: replace(BROKEN, status=429),
            Fault.WRONG_TYPES: Reply(said=offer_file([*ROWS["us-east-1"], *wrong])),
            Fault.HALF: Reply(said=cut[: cut.index(b'"g6f.large"')]),
        }
        if fault not in answers:
            return None
        whole = fault in (Fault.HALF, Fault.WRONG_TYPES)
        lame = Reply(said=b"", status=500) if whole else answers[fault]
        return self._over(lambda region: answers[fault] if region == "us-east-1" else lame)

    def _over(self, answer: Callable[[str], Reply]) -> PriceSource:
        server = self.stack.enter_context(stand_in(lambda asked: answer(region_of(asked))))
        return a_source(on_demand="bulk", bulk_url=server.url)

    def test_without_credentials_there_are_on_demand_prices_of_whole_gpus(self, tmp_path: Path) -> None:
        quotes = self.make(tmp_path).fetch(CONTRACT_NOW).quotes
        assert [(quote.id, str(quote.price), quote.gpu, quote.gpu_count) for quote in quotes] == [
            ("aws/us-east-1/g6.4xlarge/on_demand", "1.3232000000", "L4", 1),
            ("aws/us-east-2/p5.48xlarge/on_demand", "55.0400000000", "H100-80GB", 8),
        ]
        assert all(quote.market is Market.ON_DEMAND for quote in quotes)


def a_source(**options: object) -> AwsPrices:
    quick = {"regions": REGIONS, "types": TYPES, "patience_s": 8.0, "attempts": 1}
    return AwsPrices.from_config({**quick, **options}, config_dir=Path())


def offer_file(rows: list[str]) -> bytes:
    return "\n".join([*PREAMBLE, HEADER, *rows, ""]).encode()


def region_of(asked: Asked) -> str:
    return asked.path.split("/")[-2]


def after_first_page() -> Callable[[str], str]:
    """Refuses spot prices from the second time on."""
    asked: list[str] = []

    def refuse(name: str) -> str:
        asked.append(name)
        return "InternalError" if asked.count("ec2:DescribeSpotPriceHistory") > 1 and "Spot" in name else ""

    return refuse
