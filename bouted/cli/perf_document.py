"""`bouted perf --json`. Keys are only ever added; money is decimal strings. Pure."""

from typing import Any

from bouted.cli.perf_offers import PricedBy
from bouted.cli.perf_words import SOURCES, load_kind
from bouted.perf.candidates import RefusedShape
from bouted.perf.estimate import Estimate, Latency, Observed
from bouted.perf.offered import Load
from bouted.perf.price import Price
from bouted.perf.ranking import Ranked, Ranking
from bouted.perf.replica import Replica
from bouted.perf.shapes import ReplicaShape


def estimate_document(replica: Replica, load: Load, found: Estimate) -> dict[str, Any]:
    """One replica's estimate, ready for JSON. Latencies are seconds, rates per second."""
    return {
        **_names(replica),
        "load": load_kind(load),
        **_observed(found.observed),
        "max_rate": found.max_rate_per_s,
        "good_rate": found.good_rate_per_s,
        "source": found.evidence.value,
        "source_detail": SOURCES[found.evidence],
        "spread": found.spread,
        "ttft_spread": found.ttft_spread,
        "fits": {
            "weights_gib": replica.fit.weights_gib,
            "reserve_gib": replica.fit.reserve_gib,
            "kv_gib": replica.fit.kv_gib,
            "kv_tokens": replica.fit.kv_capacity_tokens,
            "context_tokens": replica.flags.max_model_len,
        },
        "curve": [_observed(seen) for seen in found.curve],
        "notes": list(found.notes),
    }


def ranking_document(ranking: Ranking, refused: tuple[RefusedShape, ...], priced: PricedBy) -> dict[str, Any]:
    """The whole ranking, ready for JSON."""
    return {
        "prices": priced.told_by,
        "ranked": [_ranked(one) for one in ranking.priced],
        "unpriced": [_ranked(one) for one in ranking.unpriced],
        "too_slow": [_ranked(one) for one in ranking.too_slow],
        "refused": [{**_shape(one.shape), "rule": one.rule.value, "reason": one.reason} for one in refused],
    }


def _names(replica: Replica) -> dict[str, Any]:
    shape = replica.shape
    return {
        "model": shape.model,
        "gpu": shape.gpu,
        "shape": {"tp": shape.tp, "pp": shape.pp, "gpus": shape.gpu_count},
        "precision": shape.precision.value,
        "kv_cache_dtype": replica.flags.kv_cache_dtype.value,
        "engine": shape.engine.value,
    }


def _shape(shape: ReplicaShape) -> dict[str, Any]:
    return {"gpu": shape.gpu, "tp": shape.tp, "pp": shape.pp}


def _observed(seen: Observed) -> dict[str, Any]:
    return {
        "ttft_s": _latency(seen.ttft),
        "tpot_s": _latency(seen.tpot),
        "e2e_s": _latency(seen.e2e),
        "requests_per_s": seen.requests_per_s,
        "output_tokens_per_s": seen.output_tokens_per_s,
    }


def _latency(latency: Latency) -> dict[str, float]:
    return {"p50": latency.p50_s, "p95": latency.p95_s, "low": latency.low_s, "high": latency.high_s}


def _ranked(one: Ranked) -> dict[str, Any]:
    costs = one.replica.costs
    return {
        **_names(one.replica),
        "max_rate": one.rate_per_s,
        "output_tokens_per_s": one.output_tokens_per_s,
        "prices": [_price(one, price) for price in one.prices],
        "source": costs.evidence.value,
        "spread": costs.spread,
    }


def _price(one: Ranked, price: Price) -> dict[str, Any]:
    return {
        "market": price.offer.market.value,
        "usd_per_hour": str(price.usd_per_hour),
        "output_tokens_per_usd": one.tokens_per_usd(price),
        "offer": price.offer.id,
        "observed_at": price.offer.observed_at.isoformat(),
        "source": price.offer.source,
    }
