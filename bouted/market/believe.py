"""From what the sources claim to what is believed: doubts first, then rank and freshness. Pure."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import partial

from bouted.market.alone import USD, Peers, Verdict, doubt_alone, in_usd
from bouted.market.belief import Belief, Said, Trust
from bouted.market.ceilings import Ceilings
from bouted.market.doubt import Outvoted, Quarantined
from bouted.market.memory import Claim, Key, Memory
from bouted.market.offers import Confidence, Market, Offer
from bouted.market.quotes import Quote
from bouted.market.regions import PriceMap
from bouted.market.siblings import Proportions
from bouted.market.standing import in_force
from bouted.market.steps import Together, judge_step, settled_price

# Where a source is silent: of small machines more can be had at once than of large ones (what was refused
# is learned); spot is lost about once a day, on-demand about never.
DEFAULT_OBTAINABLE = ((1, 8), (2, 6))
DEFAULT_OBTAINABLE_LARGE = 4
DEFAULT_HAZARD_PER_HOUR = {Market.SPOT: 0.05, Market.ON_DEMAND: 0.0005, Market.OWNED: 0.0}


def believe(said: tuple[Said, ...], memory: Memory, trust: Trust, now: datetime) -> Belief:
    """Judge every quote and settle on one offer per id, sorted by id.

    A quote that is set aside, and an offer that a failed source does not mention, leave that source's last
    accepted price in force, aged. `memory` is that of the last belief; an empty one means nothing is known.
    """
    sound, doubted = _sound(said, memory, trust)
    claims, waiting = _through_time(said, sound, memory, now)
    ranked, old = in_force(said, claims, trust, now)
    ceilings = Ceilings(ranked)
    winners = {quote.id: quote for quote in ranked}  # the last one stays: best rank, then freshest
    lost = (Outvoted(quote=q, winner=winners[q.id]) for q in ranked if winners[q.id] is not q)
    return Belief(
        offers=tuple(_offer(winners[key], ceilings) for key in sorted(winners)),
        quarantined=tuple(
            sorted((*doubted, *waiting, *old), key=lambda one: (one.quote.id, one.quote.source))
        ),
        outvoted=tuple(sorted(lost, key=lambda one: (one.quote.id, one.quote.source))),
        memory=claims,
    )


def _sound(
    said: tuple[Said, ...], memory: Memory, trust: Trust
) -> tuple[dict[str, list[Quote]], list[Quarantined]]:
    """By source, in dollars, the quotes that nothing in this look speaks against; and the others."""
    accepted = _accepted(memory)
    silent = (quote for source in said if not source.quotes for quote in accepted[source.name])
    peers = Peers((*(quote for source in said for quote in source.quotes), *silent), trust.usd_per)
    doubted: list[Quarantined] = []
    sound: dict[str, list[Quote]] = {}
    for source in said:
        quotes = _sift(source.quotes, lambda q: doubt_alone(q, in_usd(q, trust.usd_per), peers), doubted)
        quotes = [_in_dollars(quote, trust) for quote in quotes]
        if source.hand_kept:
            sound[source.name] = quotes
            continue
        settled = [(q, float(settled_price(q, memory.get((source.name, q.id))))) for q in quotes]
        far = PriceMap(settled).far_under()
        sound[source.name] = _sift(quotes, partial(_far, far), doubted)
    for source in sorted(said, key=lambda one: one.rank):
        others = [
            quote for one in said if one is not source for quote in (*accepted[one.name], *sound[one.name])
        ]
        ceilings = Ceilings([*others, *accepted[source.name], *sound[source.name]])
        sound[source.name] = _sift(sound[source.name], ceilings.doubt, doubted)
    return sound, doubted


def _through_time(
    said: tuple[Said, ...], sound: Mapping[str, list[Quote]], memory: Memory, now: datetime
) -> tuple[dict[Key, Claim], list[Quarantined]]:
    """The claims after this look, those of vanished offers left out; and the quotes that must wait."""
    prices: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for (name, offer), claim in memory.items():
        if claim.accepted is not None:
            prices[offer][name] = claim.accepted.price
    for name, quotes in sound.items():
        prices_of = {quote.id: quote.price for quote in quotes}
        for offer, price in prices_of.items():
            prices[offer][name] = price
    claims: dict[Key, Claim] = {}
    waiting: list[Quarantined] = []
    for source in said:
        mentioned = {quote.id for quote in source.quotes}
        claims |= {
            key: claim
            for key, claim in memory.items()
            if key[0] == source.name and (key[1] in mentioned or not source.whole)
        }
        together = Together(_moves(source.name, sound[source.name], memory))
        proportions = Proportions((quote, float(quote.price)) for quote in sound[source.name])
        for quote in sound[source.name]:
            key = (source.name, quote.id)
            others = tuple(price for name, price in prices[quote.id].items() if name != source.name)
            if source.hand_kept:
                claims[key] = Claim(accepted=quote)
                continue
            odd = proportions.doubt(quote, float(quote.price))
            claims[key], verdict = judge_step(quote, memory.get(key), together, others, now, odd)
            if verdict is not None:
                waiting.append(Quarantined(quote=quote, doubt=verdict[0], detail=verdict[1]))
    return claims, waiting


def _sift(
    quotes: Iterable[Quote], rule: Callable[[Quote], Verdict | None], doubted: list[Quarantined]
) -> list[Quote]:
    """The quotes that pass `rule`; the others are added to `doubted`."""
    passed = []
    for quote in quotes:
        verdict = rule(quote)
        if verdict is None:
            passed.append(quote)
        else:
            doubted.append(Quarantined(quote=quote, doubt=verdict[0], detail=verdict[1]))
    return passed


def _far(far: Mapping[tuple[tuple[str, str], str], Verdict], quote: Quote) -> Verdict | None:
    on_demand = quote.market is Market.ON_DEMAND
    return far.get(((quote.provider, quote.instance_type), quote.region)) if on_demand else None


def _in_dollars(quote: Quote, trust: Trust) -> Quote:
    usd = in_usd(quote, trust.usd_per)
    return quote if usd is None or quote.currency == USD else replace(quote, price=usd, currency=USD)


def _accepted(memory: Memory) -> Mapping[str, list[Quote]]:
    """The accepted quotes of each source."""
    found: dict[str, list[Quote]] = defaultdict(list)
    for (name, _), claim in memory.items():
        if claim.accepted is not None:
            found[name].append(claim.accepted)
    return found


def _moves(name: str, quotes: list[Quote], memory: Memory) -> Iterator[tuple[Quote, Decimal]]:
    for quote in quotes:
        claim = memory.get((name, quote.id))
        if claim is not None and claim.accepted is not None:
            yield quote, claim.accepted.price


def _offer(quote: Quote, ceilings: Ceilings) -> Offer:
    hazard = quote.hazard_per_hour
    return Offer(
        provider=quote.provider,
        region=quote.region,
        zone=quote.zone,
        instance_type=quote.instance_type,
        gpu=quote.gpu,
        gpu_count=quote.gpu_count,
        market=quote.market,
        usd_per_hour=quote.price,
        obtainable=_default_obtainable(quote) if quote.obtainable is None else quote.obtainable,
        hazard_per_hour=DEFAULT_HAZARD_PER_HOUR[quote.market] if hazard is None else hazard,
        source=quote.source,
        observed_at=quote.observed_at,
        confidence=Confidence.LOW if ceilings.no_discount(quote) else quote.confidence,
    )


def _default_obtainable(quote: Quote) -> int:
    fitting = (count for gpus, count in DEFAULT_OBTAINABLE if quote.gpu_count <= gpus)
    return next(fitting, DEFAULT_OBTAINABLE_LARGE)
