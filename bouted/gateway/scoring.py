"""Which models may answer a query, best choice first. Pure."""

from hashlib import blake2b

from bouted.gateway.query import Query
from bouted.gateway.table import RouteTable
from bouted.quality.route_split import Judged, RouteSplit
from bouted.quality.scorer import Scorer

AUTO = "auto"
# Above every threshold: without a scorer, or without text to score, the most able model answers.
HARDEST = Judged(score=1.0)
# For splits whose draw alone decides: below every threshold but 0.
UNJUDGED = Judged(score=0.0)
DRAWN_CHARS = 4000


def judged(scorer: Scorer | None, query: Query) -> Judged:
    """How hard the query is, and how well each model would answer it."""
    return HARDEST if scorer is None or not query.text else scorer.judge(query.text)


def draw_of(query: Query, seed: int) -> float:
    """A number from 0 up to but not 1 that depends on the query's text alone: asked again, it is the same."""
    said = query.text[:DRAWN_CHARS].encode("utf-8", "replace") or query.raw[:DRAWN_CHARS]
    digest = blake2b(said, digest_size=6, salt=(seed % 2**64).to_bytes(8, "big")).digest()
    return float(int.from_bytes(digest, "big") / 2**48)


def models_for(table: RouteTable, query: Query, found: Judged) -> tuple[str, ...]:
    """The models to try: the chosen one, then abler ones upwards, then the others downwards.

    A client may name a model of the table; any other name means `auto`.
    """
    split = table.split
    if query.model in split.served:
        return by_preference(split, query.model)
    if any(route.model == query.model for route in table.routes):
        return (query.model, *by_preference(split, split.served[-1]))
    draw = draw_of(query, split.seed) if len(split.rules) > 1 else 0.0
    return by_preference(split, split.model_for(found if split.judges else UNJUDGED, draw))


def by_preference(split: RouteSplit, first: str) -> tuple[str, ...]:
    """`first`, the abler models ascending, then the less able ones descending."""
    served = split.served
    at = served.index(first)
    return (*served[at:], *reversed(served[:at]))


def unserved_models(table: RouteTable) -> tuple[str, ...]:
    """Models that are to get a share of the queries and have no replica."""
    routed = {route.model for route in table.routes}
    shares = zip(table.split.served, table.split.served_shares, strict=True)
    return tuple(model for model, share in shares if share > 0 and model not in routed)


def model_names(table: RouteTable | None) -> tuple[str, ...]:
    """What a client may ask for."""
    if table is None:
        return (AUTO,)
    extra = sorted({route.model for route in table.routes} - set(table.split.served))
    return (AUTO, *table.split.served, *extra)
