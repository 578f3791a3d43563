"""What every price source must keep. Subclass in a test file and say how to make one and how to break it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bouted.errors import BoutedError
from bouted.market.collect import belongs_to
from bouted.market.offers import Market
from bouted.market.source import PriceSource

CONTRACT_NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


class PriceSourceContract:
    """The tests. A subclass named `Test...` overrides `make`, and `broken` where the source can fail."""

    def make(self, folder: Path) -> PriceSource:
        """A source that works; `folder` is empty and its own."""
        raise AssertionError("a subclass says how to make its source")

    def broken(self, folder: Path) -> PriceSource | None:
        """A source that has nothing usable, or None where that cannot happen."""
        return None

    def test_it_has_a_name_and_a_rank(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        assert source.name
        assert source.name == source.name.strip()
        assert isinstance(source.rank, int)

    def test_it_gives_offers_with_different_ids(self, tmp_path: Path) -> None:
        offers = self.make(tmp_path).fetch(CONTRACT_NOW)
        assert offers
        assert len({offer.id for offer in offers}) == len(offers)

    def test_every_offer_says_which_source_it_is_from(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        assert all(belongs_to(offer, source.name) for offer in source.fetch(CONTRACT_NOW))

    def test_no_offer_was_seen_in_the_future(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        for now in (CONTRACT_NOW, CONTRACT_NOW - timedelta(days=3650)):
            assert all(offer.observed_at <= now for offer in source.fetch(now))

    def test_every_offer_can_be_bought_at_a_price_above_zero(self, tmp_path: Path) -> None:
        for offer in self.make(tmp_path).fetch(CONTRACT_NOW):
            assert offer.market in (Market.SPOT, Market.ON_DEMAND)
            assert offer.usd_per_hour > 0
            assert 0.0 <= offer.hazard_per_hour <= 1.0

    def test_spot_is_below_on_demand_in_the_same_place(self, tmp_path: Path) -> None:
        offers = self.make(tmp_path).fetch(CONTRACT_NOW)
        on_demand = {
            offer.id.rsplit("/", 1)[0]: offer.usd_per_hour
            for offer in offers
            if offer.market is Market.ON_DEMAND
        }
        for offer in offers:
            place = offer.id.rsplit("/", 1)[0]
            if offer.market is Market.SPOT and place in on_demand:
                assert offer.usd_per_hour < on_demand[place]

    def test_asking_twice_gives_the_same_answer_when_nothing_changed(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        assert source.fetch(CONTRACT_NOW) == source.fetch(CONTRACT_NOW)

    def test_having_nothing_is_an_error_with_a_message_and_never_an_empty_answer(
        self, tmp_path: Path
    ) -> None:
        source = self.broken(tmp_path)
        if source is None:
            return
        with pytest.raises(BoutedError) as caught:
            source.fetch(CONTRACT_NOW)
        assert caught.value.message
        assert "\n" not in str(caught.value)
