"""Reads what is believed of every offer in one quick connection, so that `bouted prices` answers at once.

For SQLite this needs the standard library only, for PostgreSQL its driver; SQLAlchemy takes longer to import
than five thousand offers take to read.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from bouted.market.offers import Confidence, Market, Offer
from bouted.store.names import SCHEMA_REVISION
from bouted.store.readonly import is_there, read_only, revision_of
from bouted.store.silence import LINK
from bouted.store.urls import sqlite_path

_OFFERS = (
    "SELECT provider, region, zone, instance_type, gpu, gpu_count, market, usd_per_hour, obtainable, "
    "hazard_per_hour, source, last_observed_at, confidence FROM offers "
    # What a source no longer offers, or is too old to believe, has a past and no place in a list of offers.
    "WHERE NOT EXISTS (SELECT 1 FROM price_sources) OR EXISTS (SELECT 1 FROM price_claims "
    "WHERE price_claims.offer_id = offers.id AND price_claims.verdict = 'believed')"
)
_REVISION = "SELECT version_num FROM alembic_version"


def read_offers(url: str) -> tuple[Offer, ...]:
    """The same as `bouted.store.prices.believed_offers`; empty when there is no database yet.

    An older database is first upgraded, as by opening it. Misconfigured, with a hint, when the database
    cannot be read or is from a newer bouted; Retryable while it is locked.
    """
    path = sqlite_path(url)
    if path is None:
        return _from_server(url)
    if not is_there(path, url):
        return ()
    with read_only(path, url) as connection:
        if revision_of(connection, url) == SCHEMA_REVISION:
            return _offers(connection.execute(_OFFERS))
    return _upgraded(url)


def _from_server(url: str) -> tuple[Offer, ...]:
    """Over the bare driver where the URL is one that it reads; by way of SQLAlchemy elsewhere."""
    scheme, _, rest = url.partition("://")
    if scheme not in ("postgresql", "postgresql+psycopg"):
        return _upgraded(url)
    try:
        import psycopg
        from psycopg.conninfo import conninfo_to_dict, make_conninfo
    except ModuleNotFoundError:
        return _upgraded(url)  # which says what to install
    try:
        said = f"postgresql://{rest}"
        limits = {name: value for name, value in LINK.items() if name not in conninfo_to_dict(said)}
        with psycopg.connect(make_conninfo(said, **limits)) as connection:
            revision = connection.execute(_REVISION).fetchone()
            if revision is not None and revision[0] == SCHEMA_REVISION:
                return _offers(connection.execute(_OFFERS))
    except psycopg.Error:
        pass  # opening it says what is wrong, in one line with a hint
    return _upgraded(url)


def _upgraded(url: str) -> tuple[Offer, ...]:
    """The long way: opens the store, which upgrades it or refuses it."""
    from bouted.store.open import open_store
    from bouted.store.prices import believed_offers

    store = open_store(url)
    try:
        return believed_offers(store)
    finally:
        store.close()


def _offers(rows: Iterable[tuple[Any, ...]]) -> tuple[Offer, ...]:
    offers = (_offer(*row) for row in rows)
    return tuple(sorted(offers, key=lambda offer: offer.id))  # a server may sort by a language's rules


def _offer(
    provider: str,
    region: str,
    zone: str,
    instance_type: str,
    gpu: str,
    gpu_count: int,
    market: str,
    usd_per_hour: str,
    obtainable: int,
    hazard_per_hour: float,
    source: str,
    observed_at: str | datetime,
    confidence: str,
) -> Offer:
    if isinstance(observed_at, str):
        observed_at = datetime.fromisoformat(observed_at).replace(tzinfo=UTC)
    return Offer(
        provider=provider,
        region=region,
        zone=zone,
        instance_type=instance_type,
        gpu=gpu,
        gpu_count=gpu_count,
        market=Market(market),
        usd_per_hour=Decimal(usd_per_hour),
        obtainable=obtainable,
        hazard_per_hour=hazard_per_hour,
        source=source,
        observed_at=observed_at.astimezone(UTC),
        confidence=Confidence(confidence),
    )
