"""Simulated days with faults: whatever happens, what must hold holds.

`SEED=123 pytest tests/sim -k one_seed -s` lives one day again and prints its trace.
"""

import os

import pytest

from bouted.testing.sim.faults import script_of
from bouted.testing.sim.run import simulate
from bouted.testing.sim.shrink import shrink, told

SEEDS = 200
PER_TEST = 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(0, SEEDS, PER_TEST))
def test_nothing_goes_wrong_on_days_with_faults(first: int) -> None:
    for seed in range(first, first + PER_TEST):
        day = simulate(script_of(seed))
        if day.violation is not None:
            pytest.fail(told(shrink(day)), pytrace=False)


@pytest.mark.skipif("SEED" not in os.environ, reason="set SEED to live one day again")
@pytest.mark.timeout(600)
def test_one_seed() -> None:
    day = simulate(script_of(int(os.environ["SEED"])))
    print(told(day, lines=100_000))
    assert day.violation is None, str(day.violation)
