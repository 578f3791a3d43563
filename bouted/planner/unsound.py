"""The rows of a planning problem with a figure that is no number: NaN, infinite or wrongly negative. Pure."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from itertools import chain
from math import inf, isfinite

from bouted.perf.profile import LoadPoint, Metric, Profile
from bouted.planner.goals import ClassTargets, Targets
from bouted.planner.problem import PlanningProblem

ANY = -inf

Figure = tuple[str, float | Decimal | None]
Row = tuple[str, str]
"""What is wrong, named by its row, and where to mend it."""

_PRICES = "see its source: bouted prices; a source that is wrong can be left out under prices.sources"
_PROFILES = "see what the estimate is made of: bouted perf"
_EVALS = "mend the line of that prompt in routing.evals_file"
_LOAD = "see what the gateway measured: bouted status"
_CONFIG = "see: bouted check"


def unsound_rows(problem: PlanningProblem) -> Iterator[Row]:
    """Every figure that no plan can be made with, in the order of the problem's fields."""
    parts = (
        (_offers(problem), _PRICES),
        (chain.from_iterable(map(_profile, problem.profiles.profiles)), _PROFILES),
        (_workload(problem), _LOAD),
        (_quality(problem), _EVALS),
        (_wanted(problem), _CONFIG),
    )
    for texts, hint in parts:
        yield from ((text, hint) for text in texts)


def bad_figures(row: str, figures: Iterable[Figure], *, least: float = 0.0) -> Iterator[str]:
    """Those that are not finite or below `least`, in words that begin with the row. None is no figure."""
    for name, value in figures:
        if value is not None and not (isfinite(value) and value >= least):
            yield f"{row}: {name} {value}"


def _offers(problem: PlanningProblem) -> Iterator[str]:
    held = [node.offer for node in problem.incumbent.nodes] if problem.incumbent is not None else []
    for offer in {offer.id: offer for offer in (*held, *problem.offers)}.values():
        figures = (("usd_per_hour", offer.usd_per_hour), ("hazard_per_hour", offer.hazard_per_hour))
        yield from bad_figures(f"offer {offer.id}", figures)
    for life in problem.price_lives:
        yield from bad_figures(f"offer {life.offer_id}", (("price life in hours", life.hours),))


def _profile(profile: Profile) -> Iterator[str]:
    costs, row = profile.costs, f"shape {profile.shape.id}, step costs"
    yield from bad_figures(row, _numbered("tokens", costs.tokens))
    yield from bad_figures(row, _numbered("tokens_s", costs.tokens_s))
    yield from bad_figures(row, (("spread", costs.spread), ("front_end_s", costs.front_end_s)))
    slopes = (("pair_s", costs.pair_s), ("seq_s", costs.seq_s), ("kv_s", costs.kv_s))
    yield from bad_figures(row, (*slopes, ("prompt_s", costs.prompt_s)), least=ANY)
    for at, point in enumerate(profile.points):
        seconds = (point.rate_per_s, *point.ttft_s, *point.tpot_s, *point.e2e_s)
        if not (all(map(isfinite, seconds)) and min(seconds) >= 0):
            yield from _point(f"shape {profile.shape.id}, load point {at + 1}", point)


def _point(row: str, point: LoadPoint) -> Iterator[str]:
    yield from bad_figures(row, (("rate_per_s", point.rate_per_s),))
    for name, seconds in (("ttft_s", point.ttft_s), ("tpot_s", point.tpot_s), ("e2e_s", point.e2e_s)):
        yield from bad_figures(row, _numbered(name, seconds))


def _workload(problem: PlanningProblem) -> Iterator[str]:
    load = problem.workload
    rates = (("rate_per_s", load.rate_per_s), ("rate_low_per_s", load.rate_low_per_s))
    rest = (("rate_high_per_s", load.rate_high_per_s), ("arrival_cv", load.arrival_cv))
    yield from bad_figures("workload", (*rates, *rest))
    for at, length in enumerate(load.lengths):
        tokens = (("prompt_tokens", length.prompt_tokens), ("output_tokens", length.output_tokens))
        yield from bad_figures(f"workload, request {at + 1}", tokens)


def _quality(problem: PlanningProblem) -> Iterator[str]:
    quality = problem.quality
    for at, (router_score, scores) in enumerate(zip(quality.router_scores, quality.scores, strict=False)):
        row = f"evals, prompt {at + 1} by router score"
        yield from bad_figures(row, (("router score", router_score),), least=ANY)
        yield from bad_figures(row, _scores(quality.models, scores))
    for at, scores in enumerate(quality.predicted):
        row = f"evals, prompt {at + 1} by router score, predicted"
        yield from bad_figures(row, _scores(quality.models, scores), least=ANY)


def _wanted(problem: PlanningProblem) -> Iterator[str]:
    """Shares, targets and money: the config's own checks leave nothing here, other callers may."""
    targets, budget, spot = problem.targets, problem.budget, problem.spot
    yield from bad_figures("targets", (*_latencies(targets), ("quality_min", targets.quality_min)))
    for one in targets.classes:
        yield from bad_figures(f"targets, class {one.name}", _latencies(one))
    dollars = (("usd_per_hour", budget.usd_per_hour), ("surge_usd_per_hour", budget.surge_usd_per_hour))
    yield from bad_figures("budget", dollars)
    shares = (("max_share", spot.max_share), ("max_share_per_pool", spot.pool_max_share))
    yield from bad_figures("spot", (*shares, ("max_share_per_zone", spot.zone_max_share)))
    if problem.incumbent is not None:
        named = [(f"share of {share.model}", share.share) for share in problem.incumbent.shares]
        yield from bad_figures("the plan in force", named)
    yield from bad_figures("weights", [(f"GiB of {item.model}", item.gib) for item in problem.weights])


def _latencies(targets: Targets | ClassTargets) -> list[Figure]:
    return [(f"{metric}_p95_s", targets.of(metric)) for metric in Metric]


def _numbered(name: str, values: Iterable[float]) -> list[Figure]:
    return [(f"{name}[{at}]", value) for at, value in enumerate(values)]


def _scores(models: tuple[str, ...], scores: tuple[float, ...]) -> list[Figure]:
    return [(f"score of {model}", score) for model, score in zip(models, scores, strict=False)]
