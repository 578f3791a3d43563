"""Which offers the supply rules let in."""

from dataclasses import dataclass
from fnmatch import fnmatchcase

from bouted.market.offers import Market, Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyRules:
    """Allow- and deny-lists; an empty allow-list allows all. Regions and GPUs may be globs, in any case."""

    clouds: tuple[str, ...] = ()
    regions_allow: tuple[str, ...] = ()
    regions_deny: tuple[str, ...] = ()
    gpus_allow: tuple[str, ...] = ()
    gpus_deny: tuple[str, ...] = ()


def matches_any(name: str, globs: tuple[str, ...]) -> bool:
    """Whether any glob matches `name`, case aside."""
    return any(fnmatchcase(name.lower(), glob.lower()) for glob in globs)


def _passes(name: str, allow: tuple[str, ...], deny: tuple[str, ...]) -> bool:
    return (not allow or matches_any(name, allow)) and not matches_any(name, deny)


def allowed_offers(offers: tuple[Offer, ...], rules: SupplyRules) -> tuple[Offer, ...]:
    """The offers that `rules` let in, in their order. Owned machines pass: listing them allows them."""
    return tuple(
        offer
        for offer in offers
        if offer.market is Market.OWNED
        or (
            (not rules.clouds or offer.provider in rules.clouds)
            and _passes(offer.region, rules.regions_allow, rules.regions_deny)
            and _passes(offer.gpu, rules.gpus_allow, rules.gpus_deny)
        )
    )
