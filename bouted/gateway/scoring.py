"""Which models may answer a query, best choice first. Pure."""

from bouted.gateway.query import Query
from bouted.gateway.table import RouteTable
from bouted.planner.plan import RouteSplit
from bouted.quality.scorer import Scorer

AUTO = "auto"
# Above every threshold: without a scorer, or without text to score, the most able model answers.
HARDEST = 1.0


def score_of(scorer: Scorer | None, query: Query) -> float:
    """How hard the query is, 0..1."""
    return HARDEST if scorer is None or not query.text else scorer.score(query.text)


def models_for(table: RouteTable, query: Query, score: float) -> tuple[str, ...]:
    """The models to try: the chosen one, then abler ones upwards, then the others downwards.

    A client may name a model of the table; any other name means `auto`.
    """
    routed = {route.model for route in table.routes}
    if query.model in table.split.models:
        return by_preference(table.split, query.model)
    if query.model in routed:
        return (query.model, *by_preference(table.split, table.split.models[-1]))
    return by_preference(table.split, table.split.model_for(score))


def by_preference(split: RouteSplit, first: str) -> tuple[str, ...]:
    """`first`, the abler models ascending, then the less able ones descending."""
    at = split.models.index(first)
    return (*split.models[at:], *reversed(split.models[:at]))


def unserved_models(table: RouteTable) -> tuple[str, ...]:
    """Models that are to get a share of the queries and have no replica."""
    routed = {route.model for route in table.routes}
    shares = zip(table.split.models, table.split.shares, strict=True)
    return tuple(model for model, share in shares if share > 0 and model not in routed)


def model_names(table: RouteTable | None) -> tuple[str, ...]:
    """What a client may ask for."""
    if table is None:
        return (AUTO,)
    extra = sorted({route.model for route in table.routes} - set(table.split.models))
    return (AUTO, *table.split.models, *extra)
