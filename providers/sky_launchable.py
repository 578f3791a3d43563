"""Which of some offers SkyPilot cannot rent, and why; and how many it can, provider by provider. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bouted.market.offers import Offer

from .sky_resources import SkyNames, choice_of
from .sky_types import NotLaunchable


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many offers of a provider there are, how many SkyPilot rents, and why not the others."""

    provider: str
    offers: int
    launchable: int
    reasons: Mapping[str, int]


def unlaunchable(offers: Sequence[Offer], names: SkyNames) -> dict[str, str]:
    """Why not, by the id of each offer that SkyPilot cannot rent."""
    said = ((offer.id, choice_of(offer, names)) for offer in offers)
    return {offer_id: found.reason for offer_id, found in said if isinstance(found, NotLaunchable)}


def shares(offers: Sequence[Offer], names: SkyNames) -> tuple[Share, ...]:
    """Counted by provider, in the order of their names."""
    why_not = unlaunchable(offers, names)
    return tuple(
        _share(provider, [offer for offer in offers if offer.provider == provider], why_not)
        for provider in sorted({offer.provider for offer in offers})
    )


def _share(provider: str, offers: list[Offer], why_not: Mapping[str, str]) -> Share:
    reasons = Counter(why_not[offer.id] for offer in offers if offer.id in why_not)
    return Share(
        provider=provider,
        offers=len(offers),
        launchable=len(offers) - reasons.total(),
        reasons=reasons,
    )


def as_table(counted: Iterable[Share]) -> str:
    """The shares as a Markdown table."""
    lines = ["| provider | offers | launchable | why not |", "|---|---|---|---|"]
    for share in counted:
        why = "; ".join(f"{n} x {reason}" for reason, n in sorted(share.reasons.items()))
        lines.append(f"| {share.provider} | {share.offers} | {share.launchable} | {why} |")
    return "\n".join(lines)
