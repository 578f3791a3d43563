"""What was set aside, and why, as rows for text and for JSON. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from bouted.cli.columns import columns
from bouted.cli.price_rows import Wanted
from bouted.market.doubt import MEANING, Outvoted, Quarantined
from bouted.market.quotes import Quote, Unread

UNREAD = "unread"
OUTVOTED = "outvoted"
_HEAD = ("DOUBT", "GPU", "MARKET", "WHERE", "INSTANCE", "PRICE", "SOURCE", "WHY")


def quarantined_document(
    quarantined: Iterable[Quarantined], unread: Iterable[Unread], wanted: Wanted
) -> list[dict[str, Any]]:
    """One object per quote or row set aside: its source's own columns as they were, and the reason."""
    quotes = [
        {
            **dict(one.quote.row),
            **_fields(one.quote),
            "doubt": one.doubt.value,
            "reason": f"{MEANING[one.doubt]}: {one.detail}",
        }
        for one in quarantined
        if wanted.fits(one.quote)
    ]
    rows = [
        {**dict(one.row), "source": one.source, "doubt": UNREAD, "reason": one.reason}
        for one in unread
        if wanted == Wanted()
    ]
    return [*quotes, *rows]


def outvoted_document(outvoted: Iterable[Outvoted], wanted: Wanted) -> list[dict[str, Any]]:
    """One object per sound quote that lost, and who won."""
    return [
        {
            **_fields(one.quote),
            "doubt": OUTVOTED,
            "reason": f"{one.winner.source} says {one.winner.price} and ranks higher or is fresher",
        }
        for one in outvoted
        if wanted.fits(one.quote)
    ]


def quarantined_table(
    quarantined: Sequence[Quarantined], unread: Sequence[Unread], outvoted: Sequence[Outvoted], wanted: Wanted
) -> list[str]:
    """A line for each, and below them how many there are of each kind."""
    rows = [_row(one.doubt.value, one.quote, one.detail) for one in quarantined if wanted.fits(one.quote)]
    if wanted == Wanted():
        rows += [(UNREAD, "", "", "", _shown(one), "", one.source, one.reason) for one in unread]
    rows += [
        _row(OUTVOTED, one.quote, f"{one.winner.source} says {one.winner.price}")
        for one in outvoted
        if wanted.fits(one.quote)
    ]
    if not rows:
        return []
    counts = Counter(row[0] for row in rows)
    meanings = {doubt.value: meaning for doubt, meaning in MEANING.items()} | {
        UNREAD: "rows that could not be read",
        OUTVOTED: "sound, but another source is trusted more",
    }
    told = [f"{n:>6}  {doubt}: {meanings[doubt]}" for doubt, n in counts.most_common()]
    return [*columns([_HEAD, *rows], right=frozenset({5})), "", *told]


def _fields(quote: Quote) -> dict[str, Any]:
    return {
        "offer_id": quote.id,
        "provider": quote.provider,
        "region": quote.region,
        "zone": quote.zone,
        "instance_type": quote.instance_type,
        "gpu": quote.gpu,
        "gpu_count": quote.gpu_count,
        "market": quote.market.value,
        "price": str(quote.price),
        "currency": quote.currency,
        "source": quote.source,
        "observed_at": quote.observed_at.isoformat(),
    }


def _row(doubt: str, quote: Quote, why: str) -> tuple[str, ...]:
    return (
        doubt,
        f"{quote.gpu_count}x {quote.gpu}",
        quote.market.replace("_", "-"),
        f"{quote.provider}/{quote.zone or quote.region}",
        quote.instance_type,
        f"{quote.price} {quote.currency}",
        quote.source,
        why,
    )


def _shown(one: Unread) -> str:
    return " ".join(value for _, value in one.row if value)[:40]
