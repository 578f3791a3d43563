"""What every price source must keep, as tests. Subclass it and say how to make a sound and a sick one."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from time import monotonic

import pytest

from bouted.errors import BoutedError, NotConfigured, PermissionMissing, Retryable, SourceFailed
from bouted.market.offers import Market
from bouted.market.quotes import Answer, Quote, belongs_to
from bouted.market.source import PriceSource

CONTRACT_NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
PATIENCE_S = 20.0  # a source that meets a slow server gives up by itself well before this


class Fault(StrEnum):
    """What can be wrong on the other side.

    EMPTY: a well-formed answer with nothing in it. HALF: the first part comes, then errors 500.
    THROTTLED: told to slow down, always. SLOW: no answer within the source's own timeout. WRONG_TYPES: among
    right rows, some whose fields have other types or are missing. BROKEN: a body that is not what was asked
    for at all. UNKNOWN_GPU: a row for a GPU that no catalog has, named "Mystery 9000". CLOCK_SKEW: times
    that are a day in the future. DENIED: the credentials may not ask. NO_CREDENTIALS: there are none.
    """

    EMPTY = "empty"
    HALF = "half"
    THROTTLED = "throttled"
    SLOW = "slow"
    WRONG_TYPES = "wrong_types"
    BROKEN = "broken"
    UNKNOWN_GPU = "unknown_gpu"
    CLOCK_SKEW = "clock_skew"
    DENIED = "denied"
    NO_CREDENTIALS = "no_credentials"


class PriceSourceContract:
    """The tests. A subclass named `Test...` overrides `make`, and `faulty` for what can go wrong."""

    def make(self, folder: Path) -> PriceSource:
        """A source that works; `folder` is empty and its own."""
        raise AssertionError("a subclass says how to make its source")

    def faulty(self, folder: Path, fault: Fault) -> PriceSource | None:
        """The same source over the same prices, with this wrong on the other side; None if that cannot be."""
        return None

    def test_it_has_a_name_and_a_rank(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        assert source.name
        assert source.name == source.name.strip()
        assert isinstance(source.rank, int)

    def test_it_gives_quotes_with_different_ids(self, tmp_path: Path) -> None:
        quotes = self.make(tmp_path).fetch(CONTRACT_NOW).quotes
        assert quotes
        assert len({quote.id for quote in quotes}) == len(quotes)

    def test_every_quote_says_which_source_it_is_from_and_in_its_own_words(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        for quote in source.fetch(CONTRACT_NOW).quotes:
            assert belongs_to(quote.source, source.name)
            assert quote.row
            assert quote.currency

    def test_nothing_was_seen_in_the_future(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        for now in (CONTRACT_NOW, CONTRACT_NOW - timedelta(days=3650)):
            _require_past(source.fetch(now), now)

    def test_every_quote_of_a_sound_source_could_be_an_offer(self, tmp_path: Path) -> None:
        answer = self.make(tmp_path).fetch(CONTRACT_NOW)
        assert answer.unread == ()
        assert answer.gaps == ()
        for quote in answer.quotes:
            assert quote.market in (Market.SPOT, Market.ON_DEMAND)
            assert quote.price > 0
            assert quote.gpu_count >= 1
            assert quote.hazard_per_hour is None or 0.0 <= quote.hazard_per_hour <= 1.0
            assert quote.obtainable is None or quote.obtainable >= 0

    def test_asking_twice_gives_the_same_answer_when_nothing_changed(self, tmp_path: Path) -> None:
        source = self.make(tmp_path)
        assert source.fetch(CONTRACT_NOW) == source.fetch(CONTRACT_NOW)

    def test_having_nothing_is_an_error_with_a_message_and_never_an_empty_answer(
        self, tmp_path: Path
    ) -> None:
        with pytest.raises(SourceFailed) as caught:
            self._sick(tmp_path, Fault.EMPTY).fetch(CONTRACT_NOW)
        _require_told(caught.value)

    def test_half_an_answer_says_what_is_missing_or_is_an_error(self, tmp_path: Path) -> None:
        whole = self._sound(tmp_path)
        try:
            answer = self._sick(tmp_path, Fault.HALF).fetch(CONTRACT_NOW)
        except BoutedError as error:
            _require_told(error)
        else:
            assert answer.gaps
            assert all("\n" not in gap for gap in answer.gaps)
            _require_known(answer, whole)

    def test_being_throttled_means_try_again_later(self, tmp_path: Path) -> None:
        with pytest.raises(Retryable) as caught:
            self._sick(tmp_path, Fault.THROTTLED).fetch(CONTRACT_NOW)
        _require_told(caught.value)
        assert caught.value.after_s > 0

    def test_a_slow_server_is_given_up_on(self, tmp_path: Path) -> None:
        source = self._sick(tmp_path, Fault.SLOW)
        began = monotonic()
        with pytest.raises(SourceFailed) as caught:
            source.fetch(CONTRACT_NOW)
        _require_told(caught.value)
        assert monotonic() - began < PATIENCE_S

    def test_rows_of_wrong_types_are_left_out_by_name_and_no_price_is_made_up(self, tmp_path: Path) -> None:
        whole = self._sound(tmp_path)
        answer = self._sick(tmp_path, Fault.WRONG_TYPES).fetch(CONTRACT_NOW)
        assert answer.unread
        for unread in answer.unread:
            assert unread.reason
            assert "\n" not in unread.reason
            assert unread.row
        _require_known(answer, whole)

    def test_an_answer_that_is_something_else_entirely_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(SourceFailed) as caught:
            self._sick(tmp_path, Fault.BROKEN).fetch(CONTRACT_NOW)
        _require_told(caught.value)

    def test_an_unknown_gpu_is_quoted_under_its_own_name(self, tmp_path: Path) -> None:
        quotes = self._sick(tmp_path, Fault.UNKNOWN_GPU).fetch(CONTRACT_NOW).quotes
        assert any("mystery" in quote.gpu.lower() for quote in quotes)

    def test_a_clock_that_is_ahead_moves_nothing_into_the_future(self, tmp_path: Path) -> None:
        _require_past(self._sick(tmp_path, Fault.CLOCK_SKEW).fetch(CONTRACT_NOW), CONTRACT_NOW)

    def test_a_permission_that_is_missing_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(PermissionMissing) as caught:
            self._sick(tmp_path, Fault.DENIED).fetch(CONTRACT_NOW)
        assert caught.value.permission in str(caught.value)
        assert caught.value.hint

    def test_no_credentials_means_not_configured(self, tmp_path: Path) -> None:
        with pytest.raises(NotConfigured) as caught:
            self._sick(tmp_path, Fault.NO_CREDENTIALS).fetch(CONTRACT_NOW)
        _require_told(caught.value)

    def _sound(self, folder: Path) -> Answer:
        sound = folder / "sound"
        sound.mkdir()
        return self.make(sound).fetch(CONTRACT_NOW)

    def _sick(self, folder: Path, fault: Fault) -> PriceSource:
        sick = folder / "sick"
        sick.mkdir()
        source = self.faulty(sick, fault)
        if source is None:
            pytest.skip(f"{fault} cannot happen to this source")
        return source


def _require_told(error: BoutedError) -> None:
    assert error.message
    assert "\n" not in str(error)


def _require_past(answer: Answer, now: datetime) -> None:
    for quote in answer.quotes:
        assert quote.observed_at <= now  # `effective_at` is by the provider's clock, whatever ours says


def _require_known(answer: Answer, whole: Answer) -> None:
    """Every quote of `answer` is one of `whole`: nothing was made up on the way."""
    known = {_said(quote) for quote in whole.quotes}
    assert answer.quotes
    for quote in answer.quotes:
        assert _said(quote) in known


def _said(quote: Quote) -> tuple[object, ...]:
    return quote.id, quote.gpu, quote.gpu_count, quote.price, quote.currency
