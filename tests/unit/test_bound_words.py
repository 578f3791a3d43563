"""What a plan's bound reads like, whichever side of it the plan is on."""

from decimal import Decimal

import pytest

from bouted.cli.bound_words import bound_words
from bouted.planner.design import Estimate, Judge


@pytest.mark.parametrize(
    ("usd", "bound", "told"),
    [
        ("8.00", 8.0, "0 % above $8.00/h, the least by profile look-ups"),
        ("8.40", 8.0, "5 % above $8.00/h, the least by profile look-ups"),
        ("7.90", 8.0, "below $8.00/h, the least by profile look-ups: simulated, less is enough"),
        ("8.00", 0.0, "not known"),
    ],
)
def test_the_bound_is_told_for_plans_above_below_and_without_one(usd: str, bound: float, told: str) -> None:
    estimate = Estimate(
        usd_per_hour=Decimal(usd),
        ttft_p95_s=1.0,
        tpot_p95_s=0.1,
        e2e_p95_s=5.0,
        quality=0.8,
        quality_low=0.79,
        bound_usd_per_hour=bound,
        judge=Judge.SIMULATED,
        spread=0.1,
    )
    assert bound_words(estimate) == told
