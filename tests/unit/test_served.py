"""Gateway samples become service by shape: whole windows of replicas that served all through them."""

from dataclasses import replace

import pytest

from bouted.perf.served import service_by_shape
from bouted.perf.service import Statistic
from bouted.testing.builders import a_shape
from bouted.workload.profile import RequestSample

SMALL, LARGE = a_shape("small"), a_shape("large", "H100-80GB")


def sample(replica: str, *, tpot_s: float = 0.02, ttft_s: float = 0.2, tokens: int = 101) -> RequestSample:
    return RequestSample(
        seq=1,
        arrived_s=1000.0,
        model="small",
        replica=replica,
        score=0.5,
        prompt_tokens=300,
        output_tokens=tokens,
        ttft_s=ttft_s,
        e2e_s=ttft_s + tpot_s * (tokens - 1),
        ok=True,
    )


def test_equal_replicas_are_taken_together_and_their_rate_is_of_each() -> None:
    samples = [sample("a")] * 40 + [sample("b", tpot_s=0.04)] * 20 + [sample("c", tpot_s=0.1)] * 30
    found = service_by_shape(samples, {"a": SMALL, "b": SMALL, "c": LARGE}, 60.0)
    small, large = found[SMALL], found[LARGE]
    assert (small.requests, small.rate_per_s) == (60, 0.5)
    assert (large.requests, large.rate_per_s) == (30, 0.5)
    assert small.tpot_s == pytest.approx(0.02)
    assert large.tpot_s == pytest.approx(0.1)
    assert (small.prompt_tokens, small.output_tokens, small.ttft_s) == (300, 101, 0.2)
    assert small.statistic is Statistic.MEDIAN


def test_a_replica_that_got_no_request_still_counts() -> None:
    found = service_by_shape([sample("a")] * 30, {"a": SMALL, "b": SMALL}, 60.0)
    assert found[SMALL].rate_per_s == 0.25


def test_replicas_that_did_not_serve_all_through_are_left_out() -> None:
    assert service_by_shape([sample("new")] * 30, {"a": SMALL}, 60.0) == {}


def test_failures_are_counted_and_whole_answers_tell_nothing_of_tokens() -> None:
    failed = replace(sample("a"), ok=False)
    whole = replace(sample("a"), ttft_s=2.0, e2e_s=2.0)
    short = sample("a", tokens=3, tpot_s=9.0)
    samples = [sample("a")] * 10 + [failed] * 3 + [whole] * 5 + [short] * 2
    service = service_by_shape(samples, {"a": SMALL}, 10.0)[SMALL]
    assert (service.requests, service.failed, service.rate_per_s) == (10, 3, 2.0)
    assert service.tpot_s == pytest.approx(0.02)
    assert service_by_shape([whole, failed], {"a": SMALL}, 10.0) == {}
