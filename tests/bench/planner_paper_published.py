"""What the paper (2602.10729) reports, for comparison: never read by any planner.

Tables 1 and 3 and section 7.2; `P95_S` is table 3's cost x target / $30 and what the stated means imply. A
cell that the paper does not let one work out is None.
"""

from enum import StrEnum


class Method(StrEnum):
    """Who planned the fleet."""

    ALONE = "Stand-Alone-Homo"
    ALONE_MIXED = "Stand-Alone-Hetero"
    ROUTED = "RouteLLM"
    HOMOGENEOUS = "BOute-Homo"
    PAPER = "BOute (direct method)"
    FIXED = "exact MILP at fixed routing"
    OURS = "bouted"


BASELINES = (Method.ALONE, Method.ALONE_MIXED, Method.ROUTED, Method.HOMOGENEOUS)

CELLS = (
    ("GSM8K", 87.0),
    ("GSM8K", 89.0),
    ("GSM8K", 91.0),
    ("MT-Bench", 8.1),
    ("MT-Bench", 8.3),
    ("MT-Bench", 8.5),
)
P95_S: dict[Method, tuple[float | None, ...]] = {
    Method.ALONE: (16.5, 16.5, 16.5, 26.6, 26.6, 26.6),
    Method.ALONE_MIXED: (15.0, 15.0, 15.0, 24.5, 24.5, 24.5),
    Method.ROUTED: (14.3, None, 21.0, 18.6, None, 22.0),
    Method.HOMOGENEOUS: (10.2, None, 14.4, 12.1, None, 19.2),
    Method.PAPER: (8.6, 9.5, 12.9, 10.3, 10.9, 15.6),
}
"""At $30/h, by cell."""

COST_CELLS = (("GSM8K", 87.0, 8.0), ("GSM8K", 91.0, 12.0), ("MT-Bench", 8.1, 10.0), ("MT-Bench", 8.5, 15.0))
"""Data set, floor, P95 target in the paper's seconds."""
COST_USD_PER_HOUR: dict[Method, tuple[float, ...]] = {
    Method.ALONE: (61.83, 41.21, 79.93, 53.29),
    Method.ALONE_MIXED: (56.24, 37.50, 73.54, 49.02),
    Method.ROUTED: (53.55, 52.38, 55.90, 44.00),
    Method.HOMOGENEOUS: (38.41, 36.07, 36.33, 38.31),
    Method.PAPER: (32.25, 32.18, 30.98, 31.23),
}

MEAN_GAIN_PERCENT, MAX_GAIN_PERCENT = 59.0, 157.0
"""The mean is over two data sets x four baselines, alike: (57*2 + 50 + 14 + 115*2 + 42 + 20) / 8."""
SAVING_PERCENT = {Method.ROUTED: 38.0, Method.HOMOGENEOUS: 15.0}
SAVING_OVER_ALL_PERCENT = 33.5
