from math import inf

import numpy as np
import pytest

from bouted.perf.figures import figures
from bouted.perf.simulate import RequestTimes
from bouted.perf.slo import Slo

PROMPT, OUTPUT = np.array([100, 100, 10, 10, 10]), np.array([11, 11, 1, 5, 7])


def run() -> RequestTimes:
    """Five requests: 0 fails before its first token, 4 in the middle; the rest end at 4, 5 and 6 s."""
    first = np.array([inf, 2.0, 5.0, 4.0, 4.5])
    end = np.array([inf, 4.0, 5.0, 6.0, inf])
    arrived = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    return RequestTimes(
        arrived_s=arrived,
        ttft_s=first - arrived,
        tpot_s=np.array([inf, 0.2, 0.0, 0.5, inf]),
        e2e_s=end - arrived,
        queue_s=np.array([inf, 0.0, 0.5, 1.0, 0.0]),
        preemptions=np.array([0, 2, 0, 1, 0]),
        replica=np.array([-1, 0, 0, 0, 0]),
        ok=np.isfinite(end),
    )


def test_latencies_are_of_requests_answered_whole_and_tpot_of_more_than_one_token() -> None:
    got = figures(run(), PROMPT, OUTPUT)
    assert (got.requests, got.failed, got.preemptions) == (5, 2, 3)
    assert (got.ttft.mean_s, got.ttft.p50_s) == pytest.approx((5 / 3, 1.0))
    assert (got.tpot.mean_s, got.tpot.p50_s) == pytest.approx((0.35, 0.35))
    assert (got.e2e.mean_s, got.e2e.p50_s) == pytest.approx((3.0, 3.0))
    assert got.queue.mean_s == pytest.approx(0.5)
    assert got.ttft.p50_s < got.ttft.p95_s < got.ttft.p99_s < 3.0


def test_rates_count_from_the_first_arrival_to_the_last_token() -> None:
    got = figures(run(), PROMPT, OUTPUT)
    assert got.requests_per_s == pytest.approx(3 / 6)
    assert got.output_tokens_per_s == pytest.approx(17 / 6)
    assert got.total_tokens_per_s == pytest.approx(137 / 6)


def test_requests_left_out_count_nowhere() -> None:
    got = figures(run(), PROMPT, OUTPUT, skip=2)
    assert (got.requests, got.failed, got.preemptions) == (3, 1, 1)
    assert got.requests_per_s == pytest.approx(2 / 4)
    assert got.good_share == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("slo", "good"),
    [(None, 3), (Slo(ttft_s=1.0), 2), (Slo(tpot_s=0.2), 2), (Slo(e2e_s=2.9), 0),
     (Slo(ttft_s=3, tpot_s=0.4), 2), (Slo(ttft_s=1.0, tpot_s=0.4, e2e_s=3.0), 1)],
)  # fmt: skip
def test_a_good_request_is_answered_whole_and_keeps_to_every_part_of_the_objective(
    slo: Slo | None, good: int
) -> None:
    got = figures(run(), PROMPT, OUTPUT, slo=slo)
    assert got.good_share == pytest.approx(good / 5)
    assert got.goodput_per_s == pytest.approx(good / 6)


def test_a_run_in_which_nobody_is_answered_has_infinite_latencies_and_no_throughput() -> None:
    got = figures(run(), PROMPT, OUTPUT, skip=4)
    assert got.e2e.p95_s == got.tpot.mean_s == inf
    assert got.requests_per_s == got.goodput_per_s == 0.0
    with pytest.raises(ValueError, match="5 requests, of which the first 5"):
        figures(run(), PROMPT, OUTPUT, skip=5)
