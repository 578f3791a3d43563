"""What `bouted perf` looks like, for one layout and for a ranking."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from bouted.catalog.gpus import Evidence
from bouted.catalog.load import load_catalog
from bouted.catalog.precision import Precision
from bouted.cli.perf_document import estimate_document, ranking_document
from bouted.cli.perf_layouts import LaidOut
from bouted.cli.perf_offers import PricedBy
from bouted.cli.perf_rank_rows import screen as ranking_screen
from bouted.cli.perf_rows import screen
from bouted.cli.perf_workload import Workload
from bouted.market.offers import Market, Offer
from bouted.perf.candidates import RefusedShape
from bouted.perf.costs import StepCosts, roofline
from bouted.perf.estimate import CURVE, Estimate, Latency, Observed
from bouted.perf.flags import EngineFlags
from bouted.perf.mix import request_mix
from bouted.perf.offered import Alone, Closed, Load, Open
from bouted.perf.price import prices_of
from bouted.perf.ranking import Ranked, Ranking
from bouted.perf.replica import Replica
from bouted.perf.shapes import Engine, Fit, ReplicaShape, Rule
from bouted.perf.slo import Slo
from bouted.testing.prices import an_offer
from bouted.workload.profile import RequestLength

Golden = Callable[[str, str], None]

SEEN = datetime(2026, 4, 20, tzinfo=UTC)
SLO = Slo(ttft_s=0.3, tpot_s=0.05)
LENGTHS = (RequestLength(prompt_tokens=1024, output_tokens=256),)
MIX = request_mix(LENGTHS, 1.0, 1)


def a_workload(load: Load) -> Workload:
    return Workload(
        lengths=LENGTHS, mix=MIX, load=load, requests="1,024 tokens in, 256 out", longest_tokens=1280
    )


def some_costs(evidence: Evidence, spread: float) -> StepCosts:
    return roofline(
        overhead_s=0.002,
        weights_s=0.013,
        compute_s_per_token=2e-5,
        kv_capacity_tokens=468_832,
        max_batch=1024,
        max_step_tokens=8192,
        evidence=evidence,
        spread=spread,
    )


def a_replica(
    gpu: str, tp: int, pp: int = 1, *, evidence: Evidence = Evidence.INTERPOLATED, spread: float = 0.2
) -> Replica:
    catalog = load_catalog()
    flags = EngineFlags(max_model_len=1280)
    return Replica(
        model=catalog.model("llama-3.1-70b"),
        gpu=catalog.gpu(gpu),
        shape=ReplicaShape(
            model="llama-3.1-70b", gpu=gpu, tp=tp, pp=pp, precision=Precision.BF16, engine=Engine.VLLM
        ),
        flags=flags,
        fit=Fit(weights_gib=32.85, reserve_gib=3.02, kv_gib=35.77, kv_capacity_tokens=468_832, flags=flags),
        costs=some_costs(evidence, spread),
    )


def a_latency(p50_s: float, p95_s: float, spread: float = 0.2) -> Latency:
    return Latency(p50_s=p50_s, p95_s=p95_s, low_s=p50_s / (1 + spread), high_s=p50_s * (1 + spread))


def seen_at(share: float) -> Observed:
    stretch = 1 / (1.06 - share)
    return Observed(
        ttft=a_latency(0.0787 * stretch, 0.0787 * stretch**1.5, 0.8),
        tpot=a_latency(0.0162 * stretch, 0.0162 * stretch**1.2),
        e2e=a_latency(4.21 * stretch, 4.21 * stretch**1.2),
        requests_per_s=10.4 * share,
        output_tokens_per_s=2662.4 * share,
    )


def an_estimate(share: float, good: float | None = None, *notes: str) -> Estimate:
    return Estimate(
        observed=seen_at(share),
        curve=tuple(seen_at(part) for part in CURVE),
        max_rate_per_s=10.4,
        good_rate_per_s=good,
        evidence=Evidence.INTERPOLATED,
        spread=0.2,
        ttft_spread=0.8,
        notes=notes,
    )


def test_the_screen_of_one_layout_without_a_load(golden: Golden) -> None:
    golden(
        "perf-alone",
        "\n".join(screen(a_replica("H100-80GB", 4), a_workload(Alone()), an_estimate(0.06), None)),
    )


def test_the_screen_of_one_layout_under_load_with_an_slo(golden: Golden) -> None:
    note = "at the slow end of the interval the highest rate is 8.7 req/s, and this load unstable"
    found = an_estimate(0.87, 6.9, note)
    lines = screen(a_replica("H100-80GB", 2, 2), a_workload(Open(rate_per_s=9.05)), found, SLO)
    golden("perf-open", "\n".join(lines))


def test_the_document_of_one_layout(golden: Golden) -> None:
    found = an_estimate(0.5, 6.9, "a note")
    told = estimate_document(a_replica("H100-80GB", 4), Closed(clients=64), found)
    golden("perf-json", json.dumps(told | {"curve": told["curve"][:1]}, indent=2))


def an_instance(gpu: str, gpus: int, usd: str, market: Market) -> Offer:
    return an_offer(
        Decimal(usd),
        gpu=gpu,
        gpu_count=gpus,
        market=market,
        instance_type=f"{gpus}x{gpu}",
        observed_at=SEEN,
        source="snapshot: a test, 2026-04-20",
    )


OFFERS = (
    an_instance("H100-80GB", 8, "31.92", Market.ON_DEMAND),
    an_instance("H100-80GB", 8, "12.00", Market.SPOT),
    an_instance("H200", 8, "20.72", Market.ON_DEMAND),
)


def ranked(replica: Replica, rate: float) -> Ranked:
    return Ranked(
        replica=replica,
        rate_per_s=rate,
        output_tokens_per_s=256 * rate,
        prices=prices_of(replica.shape, OFFERS),
    )


def a_ranking() -> tuple[Ranking, LaidOut]:
    ranking = Ranking(
        priced=(
            ranked(a_replica("H100-80GB", 4), 10.4),
            ranked(a_replica("H200", 2), 6.38),
            ranked(a_replica("H100-80GB", 2, 2, evidence=Evidence.ROOFLINE, spread=0.4), 0.25),
        ),
        unpriced=(ranked(a_replica("B300", 1), 7.4),),
        too_slow=(ranked(a_replica("A40", 8), 0.0),),
    )
    shape = a_replica("T4", 1).shape
    reason = "needs 131.4 GiB for weights + 0.4 GiB KV on 1 x 11.6 GiB usable"
    refused = RefusedShape(shape=shape, rule=Rule.MEMORY, reason=reason)
    everyone = (*ranking.priced, *ranking.unpriced, *ranking.too_slow)
    return ranking, LaidOut(replicas=tuple(one.replica for one in everyone), refused=(refused,))


def test_the_screen_of_a_ranking(golden: Golden) -> None:
    ranking, laid_out = a_ranking()
    priced = PricedBy(offers=OFFERS, told_by="the dated snapshot that ships")
    golden("perf-all", "\n".join(ranking_screen(ranking, laid_out, a_workload(Alone()), priced, SLO)))


def test_a_long_ranking_shows_its_head_and_says_how_much_is_left() -> None:
    ranking, laid_out = a_ranking()
    long = Ranking(priced=ranking.priced[:1] * 22, unpriced=(), too_slow=())
    priced = PricedBy(offers=OFFERS, told_by="a test")
    lines = ranking_screen(long, laid_out, a_workload(Alone()), priced, None)
    assert sum(line.startswith("4x H100-80GB tp4") for line in lines) == 20
    assert "... 2 more: --json has all" in lines


def test_the_document_of_a_ranking(golden: Golden) -> None:
    ranking, laid_out = a_ranking()
    priced = PricedBy(offers=OFFERS, told_by="the dated snapshot that ships")
    golden("perf-all-json", json.dumps(ranking_document(ranking, laid_out.refused, priced), indent=2))
