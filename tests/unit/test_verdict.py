"""When replicas serve much worse than promised: enough late requests to be sure, like those planned for."""

from dataclasses import replace

import pytest

from bouted.perf.profile import Metric
from bouted.perf.verdict import Record, later_than, p95_s, surely_more, worse_than_promised
from bouted.testing.builders import a_profile, a_shape
from bouted.workload.profile import RequestLength, RequestSample

PROFILE = a_profile(a_shape("small"), idle_s=0.1, max_rate=10.0)
LENGTHS = (RequestLength(prompt_tokens=100, output_tokens=11),)
TTFT_HIGH_S = PROFILE.interval_at(Metric.TTFT, 0.95, 1.0).high
TPOT_HIGH_S = PROFILE.interval_at(Metric.TPOT, 0.95, 1.0).high


def a_sample(ttft_s: float = 0.1, tpot_s: float = 0.01, *, prompt: int = 100) -> RequestSample:
    return RequestSample(
        seq=0,
        arrived_s=0.0,
        model="small",
        replica="x",
        score=0.5,
        prompt_tokens=prompt,
        output_tokens=11,
        ttft_s=ttft_s,
        e2e_s=ttft_s + 10 * tpot_s,
        ok=True,
    )


def a_record(*samples: RequestSample, failed: int = 0) -> Record:
    return Record(good=samples, failed=failed, rate_per_s=1.0)


SURE = [
    (0, 0, False),
    (3, 20, True),
    (2, 20, False),
    (4, 20, True),
    (1, 1, True),
    (60, 1000, False),
    (70, 1000, True),
]


@pytest.mark.parametrize(("hits", "of", "sure"), SURE)
def test_a_few_late_requests_condemn_nobody(hits: int, of: int, sure: bool) -> None:
    assert surely_more(hits, of, 0.05) is sure


def test_as_promised_is_fine() -> None:
    good = a_record(*[a_sample(TTFT_HIGH_S, TPOT_HIGH_S)] * 40)
    assert worse_than_promised(good, PROFILE, LENGTHS, 50) == ""


@pytest.mark.parametrize(("factor", "worse"), [(1.4, False), (1.6, True)])
def test_beyond_the_upper_end_by_the_margin_is_worse(factor: float, worse: bool) -> None:
    late_first = a_record(*[a_sample(ttft_s=TTFT_HIGH_S * factor)] * 40)
    late_tokens = a_record(*[a_sample(tpot_s=TPOT_HIGH_S * factor)] * 40)
    assert worse_than_promised(late_first, PROFILE, LENGTHS, 50).startswith("p95 ttft is") is worse
    assert worse_than_promised(late_tokens, PROFILE, LENGTHS, 50).startswith("p95 tpot is") is worse


def test_it_says_how_late_at_what_load_and_what_was_promised() -> None:
    late = a_record(*[a_sample(ttft_s=9.0)] * 40)
    said = worse_than_promised(late, PROFILE, LENGTHS, 50)
    assert said == f"p95 ttft is 9 s at 1 requests/s, promised at most {TTFT_HIGH_S:.3g} s"


def test_requests_unlike_those_planned_for_say_nothing_about_latency() -> None:
    late = [a_sample(ttft_s=9.0, prompt=400)] * 40
    assert worse_than_promised(a_record(*late), PROFILE, LENGTHS, 50) == ""
    assert worse_than_promised(a_record(*late, failed=30), PROFILE, LENGTHS, 50) == "failed 30 of 70 requests"


def test_failures_count_even_where_nothing_was_promised() -> None:
    assert worse_than_promised(a_record(failed=20), None, (), 50) == "failed 20 of 20 requests"
    assert worse_than_promised(a_record(*[a_sample(9.0)] * 40, failed=2), None, LENGTHS, 50) == ""


def test_answers_in_one_piece_tell_only_how_long_they_took() -> None:
    whole = replace(a_sample(), ttft_s=2.0, e2e_s=2.0)
    record = a_record(*[whole] * 20)
    assert [p95_s(record, metric) for metric in Metric] == [None, None, 2.0]
    assert later_than(record, Metric.E2E, 1.9)
    assert not later_than(record, Metric.TTFT, 0.0)
