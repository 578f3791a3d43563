"""Rules that queries are routed by: old ones are read, draws are in proportion, the gateway stays light."""

import json
import subprocess
import sys
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bouted.codec import dump, parse
from bouted.gateway.publish import write_table
from bouted.gateway.query import Query, read_query
from bouted.gateway.scoring import HARDEST, draw_of, judged, models_for
from bouted.gateway.state import RouteState
from bouted.gateway.table import Route, RouteTable
from bouted.quality.curve import QualityCurve
from bouted.quality.evals import EvalRecord, declared_quality
from bouted.quality.features import SIZE
from bouted.quality.fit import fit_scorer
from bouted.quality.route_split import Judged, RouteRule, RouteSplit
from bouted.quality.route_words import in_a_line, in_columns
from bouted.quality.scorer import EVEN, Scorer
from bouted.quality.synthetic import synthetic_records

MODELS = ("small", "medium", "large")
CUT = RouteSplit(
    models=MODELS, shares=(0.5, 0.3, 0.2), rules=(RouteRule(thresholds=(0.5, 0.8)),), scorer_hash="s"
)
PRICED = replace(CUT, rules=(RouteRule(prices=(0.2, 0.1, 0.0)),))
MIXED = replace(
    CUT,
    rules=(RouteRule(weight=0.25, thresholds=(0.0, 0.0)), RouteRule(weight=0.75, thresholds=(1.0, 1.0))),
)
LOT = QualityCurve.from_model(declared_quality({"small": 0.6, "medium": 0.7, "large": 0.9}), 3).route_split(
    (0.5, 0.3, 0.2)
)


def a_query(text: str) -> Query:
    body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
    query = read_query("/v1/chat/completions", json.dumps(body).encode())
    assert query is not None
    return query


def a_table(split: RouteSplit) -> RouteTable:
    return RouteTable(
        version=1,
        plan_id="p",
        published_at=datetime(2026, 7, 1, tzinfo=UTC),
        split=split,
        routes=tuple(Route(replica=m, model=m, endpoint=f"http://{m}", weight=1.0) for m in split.models),
        scorer_file="none.json",
    )


def chosen(split: RouteSplit, found: Judged = HARDEST, queries: int = 3000) -> list[float]:
    """The share of queries of different texts, all judged alike, that each model gets."""
    table = a_table(split)
    firsts = [models_for(table, a_query(f"question {k}"), found)[0] for k in range(queries)]
    return [firsts.count(model) / queries for model in split.models]


def test_splits_that_were_stored_with_thresholds_are_read_as_one_rule() -> None:
    body = json.loads(dump(RouteSplit, CUT))
    for new in ("rules", "seed", "absent"):
        del body[new]
    assert parse(RouteSplit, json.dumps({**body, "thresholds": [0.5, 0.8]})) == CUT


@pytest.mark.parametrize("split", [CUT, PRICED, MIXED, LOT, replace(CUT, absent=("small",))])
def test_a_split_comes_back_as_it_was_written(split: RouteSplit) -> None:
    assert parse(RouteSplit, dump(RouteSplit, split)) == split
    assert split.fits


def test_routers_that_were_stored_with_one_score_still_judge(tmp_path: Path) -> None:
    new, _ = fit_scorer(synthetic_records(1, 60), ("small", "large"), 1)
    gain = (new.weights[:, 1] - new.weights[:, 0]).astype("<f4")
    body = {
        "format": 1,
        "intercept": float(new.intercepts[1] - new.intercepts[0]),
        "weights_f32": b64encode(gain.tobytes()).decode(),
        "knots": new.knots.tolist(),
    }
    path = tmp_path / "scorer.json"
    path.write_text(json.dumps(body))
    old = Scorer.load(path)
    for record in synthetic_records(2, 20):
        assert old.judge(record.prompt).score == pytest.approx(new.judge(record.prompt).score, abs=1e-4)


@given(st.floats(0, 1), st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted))
def test_thresholds_are_prices_on_a_scale_of_one_score(score: float, cuts: list[float]) -> None:
    """Predict m * score for model m: prices that fall by the thresholds cut at the same scores."""
    by_cuts = RouteRule(thresholds=tuple(cuts)).choose(Judged(score=score))
    prices = (0.0, -cuts[0], -cuts[0] - cuts[1])
    by_prices = RouteRule(prices=prices).choose(Judged(score=score, predicted=(0.0, score, 2 * score)))
    assert by_cuts == by_prices or min(abs(score - cut) for cut in cuts) < 1e-9


@given(st.floats(0, 0.999), st.floats(0, 0.999))
def test_the_model_of_the_highest_prediction_plus_price_is_chosen(score: float, draw: float) -> None:
    assert PRICED.model_for(Judged(score=score, predicted=(0.5, 0.55, 0.6)), draw) == "small"
    assert PRICED.model_for(Judged(score=score, predicted=(0.5, 0.65, 0.6)), draw) == "medium"
    tied = Judged(score=score, predicted=(0.25, 0.5, 0.75))
    assert replace(PRICED, rules=(RouteRule(prices=(0.5, 0.25, 0.0)),)).model_for(tied, draw) == "large"
    assert PRICED.model_for(HARDEST, draw) == "large", "what cannot be judged goes to the most able"


def test_rules_are_drawn_in_proportion_to_their_weights() -> None:
    assert chosen(MIXED, Judged(score=0.4)) == pytest.approx([0.75, 0.0, 0.25], abs=0.03)


def test_without_a_router_queries_are_split_by_lot_in_the_planned_shares() -> None:
    assert not LOT.judges
    assert chosen(LOT) == pytest.approx([0.5, 0.3, 0.2], abs=0.03)


def test_a_query_that_is_asked_again_is_routed_as_before_and_a_seed_draws_anew() -> None:
    table, query = a_table(LOT), a_query("again")
    assert len({models_for(table, query, HARDEST) for _ in range(5)}) == 1
    draws = np.array([[draw_of(a_query(f"q{k}"), seed) for k in range(500)] for seed in (0, 1)])
    assert draws.min() >= 0
    assert draws.max() < 1
    assert abs(np.corrcoef(draws)[0, 1]) < 0.15


def test_what_has_no_text_is_drawn_by_its_body() -> None:
    bodies = [json.dumps({"prompt": [k, k + 1, k + 2]}).encode() for k in range(400)]
    queries = [query for body in bodies if (query := read_query("/v1/completions", body)) is not None]
    firsts = [models_for(a_table(LOT), query, HARDEST)[0] for query in queries]
    assert firsts.count("small") / 400 == pytest.approx(0.5, abs=0.08)


def test_a_gateway_that_splits_by_lot_misses_no_router(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_table(tmp_path / "routes.json", a_table(LOT))
    state = RouteState(tmp_path)
    state.refresh()
    assert state.table is not None
    assert not caplog.records


def test_an_absent_model_is_neither_offered_nor_chosen() -> None:
    table = a_table(replace(MIXED, absent=("large",)))
    for k in range(50):
        assert "large" not in models_for(table, a_query(f"q{k}"), Judged(score=0.4))


def test_served_shares_hold_for_a_mix_with_a_trained_router() -> None:
    """The whole way: evals, curve, split, gateway; new prompts of the same make."""
    records = synthetic_records(5, 600)
    scorer, quality = fit_scorer(records, ("small", "large"), 5)
    ends = QualityCurve.from_model(quality, 5)
    split = replace(
        ends.route_split((0.5, 0.5)),
        rules=tuple(
            replace(ends.route_split(shares).rules[0], weight=0.5) for shares in ((0.2, 0.8), (0.8, 0.2))
        ),
    )
    table = a_table(split)
    queries = [a_query(record.prompt) for record in synthetic_records(50, 800)]
    firsts = [models_for(table, query, judged(scorer, query))[0] for query in queries]
    assert firsts.count("small") / 800 == pytest.approx(0.5, abs=0.06)


def test_a_prompt_is_judged_in_well_under_a_millisecond() -> None:
    """For six models; the best of many, as the machine may be busy."""
    rng = np.random.default_rng(1)
    scorer = Scorer(tuple("abcdef"), rng.random((SIZE, 6)).astype(np.float32), np.zeros(6), EVEN)
    prompt = "Prove that the sum of two odd numbers is even, step by step. " * 200
    took = []
    for _ in range(50):
        began = perf_counter()
        scorer.judge(prompt)
        took.append(perf_counter() - began)
    assert min(took) < 0.001


def test_the_gateway_loads_neither_scipy_nor_scikit_learn() -> None:
    code = (
        "import sys, bouted.gateway.app, bouted.gateway.state, bouted.gateway.scoring;"
        "print([m for m in ('scipy', 'sklearn', 'torch', 'sentence_transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("split", "line", "columns"),
    [
        (CUT, "split at router score 0.500, 0.800", ["ROUTER SCORE"]),
        (
            PRICED,
            "split by predicted score plus small +0.200, medium +0.100, large +0.000",
            ["SCORE PRICE"],
        ),
        (
            MIXED,
            "split 25 % of queries at router score 0.000, 0.000;"
            " 75 % of queries at router score 1.000, 1.000",
            ["ROUTER SCORE, 25 %", "ROUTER SCORE, 75 %"],
        ),
        (LOT, "split by lot", []),
        (replace(CUT, rules=CUT.rules * 3), "split by a mix of 3 rules", ["ROUTED BY"]),
    ],
    ids=["thresholds", "prices", "mix", "lot", "many"],
)
def test_a_split_is_told_in_words(split: RouteSplit, line: str, columns: list[str]) -> None:
    assert in_a_line(split) == line
    told = in_columns(split)
    assert [column[0] for column in told] == columns
    assert all(len(column) == 1 + len(split.models) for column in told)


KINDS = (
    "translate a text on",
    "prove a theorem of",
    "write a Python function for",
    "summarise what is known of",
)


def specialist_records(seed: int, count: int) -> tuple[EvalRecord, ...]:
    """Prompts of four kinds in turn, and four models of which each answers one kind well."""
    rng = Random(seed)
    kinds = [k % 4 for k in range(count)]
    topics = ("whales", "rivers", "steam engines", "tax law", "maps", "bread", "tides", "glass", "chess")
    return tuple(
        EvalRecord(
            prompt=f"{KINDS[kind]} {rng.choice(topics)} {rng.choice(topics)}, please {rng.randrange(100)}",
            scores=tuple(
                (name, 0.4 + 0.5 * (m == kind) + 0.1 * rng.random()) for m, name in enumerate("abcd")
            ),
        )
        for kind in kinds
    )


def test_models_with_specialties_are_routed_by_prices_all_the_way_to_the_gateway() -> None:
    scorer, quality = fit_scorer(specialist_records(1, 300), ("a", "b", "c", "d"), 1)
    assert quality.predicted, "the evals support a price per model"
    curve = QualityCurve.from_model(quality, 1)
    split = curve.route_split((0.25, 0.25, 0.25, 0.25))
    fresh = specialist_records(2, 400)
    table = a_table(split)
    queries = [a_query(record.prompt) for record in fresh]
    firsts = [models_for(table, query, judged(scorer, query))[0] for query in queries]
    assert [firsts.count(m) / 400 for m in split.models] == pytest.approx(split.shares, abs=0.08)
    got = np.mean([dict(record.scores)[model] for record, model in zip(fresh, firsts, strict=True)])
    assert float(got) == pytest.approx(curve.mean(split.shares), abs=0.05)
    assert got > 0.85, "lots get 0.575"
