"""Config sections about how much may be held at once: spot shares, and quotas of the clouds' accounts."""

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from bouted.config.fields import Share, Text, Whole, known_name, one_of, refusal, shown, surroundings
from bouted.config.hardware import described_by
from bouted.config.section import Section
from bouted.market.offers import Market
from bouted.planner.terms import Quota, SpotRules


class SpotSettings(Section):
    """The largest share of a model's capacity that may stand on spot: in all, in one pool, in one zone.

    A pool is an instance type in a zone: the clouds take machines by the pool.
    """

    max_share: Share = 0.7
    max_share_per_pool: Share = 1.0
    max_share_per_zone: Share = 1.0

    def rules(self) -> SpotRules:
        """The same for planning."""
        return SpotRules(
            max_share=self.max_share,
            pool_max_share=self.max_share_per_pool,
            zone_max_share=self.max_share_per_zone,
        )


def gpu_name(value: str, info: ValidationInfo) -> str:
    """`value`, refused unless the catalog or the config describes such a GPU."""
    return known_name("GPU in the catalog", surroundings(info).gpus, value, described_by())


def _rented(market: Market) -> Market:
    if market is Market.OWNED:
        raise refusal("must be spot or on_demand, got 'owned'", "count says how many machines you own")
    return market


class QuotaSettings(Section):
    """At most `gpus` GPUs of a type may be held at once at `cloud`, in regions that match the glob."""

    cloud: Text
    region: Text = "*"
    gpu: Annotated[Text, AfterValidator(gpu_name)]
    market: Annotated[Market, one_of(Market), AfterValidator(_rented)]
    gpus: Annotated[Whole, Field(ge=0, le=1_000_000)]

    def value(self) -> Quota:
        """The same for planning."""
        return Quota(
            provider=self.cloud, region=self.region, gpu=self.gpu, market=self.market, gpus=self.gpus
        )


def said_once(quotas: tuple[QuotaSettings, ...]) -> tuple[QuotaSettings, ...]:
    """`quotas`, refused where two limit the same."""
    seen: list[tuple[str, str, str, Market]] = []
    for quota in quotas:
        what = (quota.cloud, quota.region, quota.gpu, quota.market)
        if what in seen:
            raise refusal(
                f"limits {quota.gpu} {quota.market} at {quota.cloud}, regions {shown(quota.region)}, twice",
                "keep one",
            )
        seen.append(what)
    return quotas
