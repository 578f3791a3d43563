"""The ranking of layouts by tokens per dollar, as a person reads it. Pure."""

from bouted.cli.columns import columns, paragraph
from bouted.cli.perf_layouts import LaidOut
from bouted.cli.perf_offers import PricedBy
from bouted.cli.perf_words import layout_words, slo_words
from bouted.cli.perf_workload import Workload
from bouted.cli.units import count, share, usd
from bouted.market.offers import Market, Offer
from bouted.perf.estimate import rate_text
from bouted.perf.price import usd_per_gpu_hour
from bouted.perf.ranking import Ranked, Ranking
from bouted.perf.slo import Slo

MOST_ROWS = 20
_HEAD = ("LAYOUT", "REQ/S", "TOKENS/S", "ON-DEMAND $/H", "TOKENS/$", "SPOT $/H", "TOKENS/$", "SOURCE", "+-")
_UNPRICED = ("NO PRICE KNOWN", "REQ/S", "TOKENS/S", "TOKENS/S PER GPU", "SOURCE", "+-")
_PRICES = ("PRICE OF", "MARKET", "$/GPU-H", "INSTANCE", "WHERE", "SEEN", "SOURCE")


def screen(
    ranking: Ranking, laid_out: LaidOut, workload: Workload, priced: PricedBy, slo: Slo | None
) -> list[str]:
    """The whole text: what is ranked, the ranking, the prices behind it, what is left out."""
    parts = [_head(laid_out, workload, priced, slo)]
    parts += [_ranked(ranking.priced), _prices(ranking.priced)] if ranking.priced else []
    parts += [_unpriced(ranking.unpriced)] if ranking.unpriced else []
    parts += [_left_out(ranking, laid_out)]
    return "\n\n".join("\n".join(part) for part in parts if part).splitlines()


def _head(laid_out: LaidOut, workload: Workload, priced: PricedBy, slo: Slo | None) -> list[str]:
    shape = laid_out.replicas[0].shape
    which = "takes" if slo is None else f"takes with {slo_words(slo)}"
    asked = f"{shape.model} {shape.precision}, {shape.engine}; {workload.requests}"
    how = (
        f"output tokens for a dollar at the highest rate that each layout {which}, the cheaper market first; "
        f"prices of {priced.told_by}, an instance shared out over its GPUs"
    )
    return [*paragraph("replica  ", asked), *paragraph("ranked   ", how)]


def _ranked(rows: tuple[Ranked, ...]) -> list[str]:
    lines = columns([_HEAD, *(_row(one) for one in rows[:MOST_ROWS])], right=frozenset({1, 2, 3, 4, 5, 6, 8}))
    return [*lines, *_more(len(rows) - MOST_ROWS)]


def _row(one: Ranked) -> tuple[str, ...]:
    costs = one.replica.costs
    on_demand, spot = (_price(one, market) for market in (Market.ON_DEMAND, Market.SPOT))
    return (*_layout(one), *on_demand, *spot, costs.evidence, share(costs.spread))


def _layout(one: Ranked) -> tuple[str, str, str]:
    shape = one.replica.shape
    return layout_words(shape), rate_text(one.rate_per_s), rate_text(one.output_tokens_per_s)


def _price(one: Ranked, market: Market) -> tuple[str, str]:
    for price in one.prices:
        if price.offer.market is market:
            return usd(price.usd_per_hour), tokens_text(one.tokens_per_usd(price))
    return "-", "-"


def tokens_text(tokens: float) -> str:
    """Tokens for a dollar: `1.23 M`, or thousands below a tenth of a million."""
    return f"{tokens / 1e6:.2f} M" if tokens >= 1e5 else f"{tokens / 1e3:.1f} k"


def _unpriced(rows: tuple[Ranked, ...]) -> list[str]:
    told = [
        (
            *_layout(one),
            rate_text(one.output_tokens_per_s / one.replica.shape.gpu_count),
            one.replica.costs.evidence,
            share(one.replica.costs.spread),
        )
        for one in rows[:MOST_ROWS]
    ]
    return [*columns([_UNPRICED, *told], right=frozenset({1, 2, 3, 5})), *_more(len(rows) - MOST_ROWS)]


def _prices(rows: tuple[Ranked, ...]) -> list[str]:
    """The offers behind the rows that are shown, each once."""
    shown = {price.offer.id: price.offer for one in rows[:MOST_ROWS] for price in one.prices}
    ordered = sorted(shown.values(), key=lambda one: (one.gpu, one.market, usd_per_gpu_hour(one), one.id))
    return columns([_PRICES, *(_offer(one) for one in ordered)], right=frozenset({2}))


def _offer(one: Offer) -> tuple[str, ...]:
    return (
        f"{one.gpu_count}x {one.gpu}",
        one.market.replace("_", "-"),
        usd(usd_per_gpu_hour(one)),
        one.instance_type,
        f"{one.provider}/{one.zone or one.region}",
        f"{one.observed_at:%Y-%m-%d}",
        one.source,
    )


def _left_out(ranking: Ranking, laid_out: LaidOut) -> list[str]:
    lines = []
    if ranking.too_slow:
        names = ", ".join(layout_words(one.replica.shape) for one in ranking.too_slow)
        lines += paragraph("too slow ", f"at any rate: {names}")
    if laid_out.refused:
        refused = count(len(laid_out.refused), "layout")
        lines += paragraph(
            "refused  ", f"{refused} would not start; --json says why, and so does asking for one"
        )
    return lines


def _more(left: int) -> list[str]:
    return [f"... {left:,} more: --json has all"] if left > 0 else []
