"""Why a GPU type is not in a plan: what the cheapest fleet with one would cost, or why there is none.

The cheapest fleet with at least one node of an offer costs that node's price and what the cheapest fleet
costs to which such a node is given: so each question is the same problem with one node nearly free.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from bouted.market.offers import Offer
from bouted.perf.profile import QUANTILES, Profile
from bouted.planner.capacity import LOOSEST, Capacities
from bouted.planner.design import Design
from bouted.planner.inside import Ask, Fleet, Inside
from bouted.planner.judge import ProfilesJudge
from bouted.planner.planned import ModelShare
from bouted.planner.pools import may_run
from bouted.planner.problem import PlanningProblem
from bouted.quality.curve import QualityCurve

GIVEN_USD_PER_HOUR = Decimal("0.0001")
# Fleets are solved to within 0.2 %: smaller differences than this are none.
AS_CHEAP = Decimal("0.005")
MOST_SPLITS = 4
# Each replica within the targets, or some beyond them where the whole is not.
FACTORS = (1.0, LOOSEST)
P95 = QUANTILES.index(0.95)


class Verdict(StrEnum):
    """Why a GPU type is not used."""

    USED = "used"
    NOT_ON_SALE = "not_on_sale"
    SOLD_OUT = "sold_out"
    NOT_ALLOWED = "not_allowed"
    NO_ROOM = "no_room"
    TOO_SLOW = "too_slow"
    DEARER = "dearer"
    AS_CHEAP = "as_cheap"
    NO_FLEET = "no_fleet"


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyNot:
    """The answer for one GPU type.

    `more_usd_per_hour` is how much dearer the cheapest fleet with a node of it is, `offer` the offer that
    node is of. `idle_s` is the least P95 of the objective that it reaches, where it is too slow.
    """

    gpu: str
    verdict: Verdict
    offer: str = ""
    more_usd_per_hour: Decimal | None = None
    idle_s: float | None = None


class Asked:
    """Answers for one problem around a design. `splits` are those that are tried for every fleet."""

    def __init__(
        self, problem: PlanningProblem, design: Design, splits: Sequence[tuple[ModelShare, ...]]
    ) -> None:
        self._problem = problem
        self._used = {node.offer.gpu for node in design.nodes}
        self._capacities = Capacities(problem.profiles, problem.targets)
        self._names = tuple(item.model for item in design.shares)
        self._judge = ProfilesJudge(
            problem, self._capacities, QualityCurve.from_model(problem.quality, problem.seed, resamples=1)
        )
        self._asks = [_ask(problem, split, factor) for split in _apart(design, splits) for factor in FACTORS]
        self._base = self._cheapest(problem)

    def why_not(self, gpu: str) -> WhyNot:
        """Why there is no node of this type."""
        offers = [offer for offer in self._problem.offers if offer.gpu == gpu]
        if gpu in self._used:
            return WhyNot(gpu=gpu, verdict=Verdict.USED)
        if not offers:
            return WhyNot(gpu=gpu, verdict=Verdict.NOT_ON_SALE)
        if not (there := [offer for offer in offers if offer.obtainable > 0]):
            return WhyNot(gpu=gpu, verdict=Verdict.SOLD_OUT)
        return self._unfit(gpu, there) or self._priced(gpu, there)

    def _unfit(self, gpu: str, offers: Sequence[Offer]) -> WhyNot | None:
        """Whether no model runs there at all, or none fast enough."""
        most = max(offer.gpu_count for offer in offers)
        fitting = [
            profile
            for profile in self._problem.profiles.profiles
            if profile.shape.gpu == gpu and profile.shape.gpu_count <= most
        ]
        if not fitting:
            return WhyNot(gpu=gpu, verdict=Verdict.NO_ROOM)
        models = {
            rules.name for rules in self._problem.models if any(may_run(rules, offer) for offer in offers)
        }
        allowed = [profile for profile in fitting if profile.shape.model in models]
        if not allowed:
            return WhyNot(gpu=gpu, verdict=Verdict.NOT_ALLOWED)
        if not any(self._capacities.rate(profile.shape.id, LOOSEST) > 0 for profile in allowed):
            return WhyNot(gpu=gpu, verdict=Verdict.TOO_SLOW, idle_s=self._idle_s(allowed))
        return None

    def _idle_s(self, profiles: Iterable[Profile]) -> float:
        metric = self._problem.targets.objective
        return min(profile.points[0].of(metric)[P95] for profile in profiles)

    def _priced(self, gpu: str, offers: Sequence[Offer]) -> WhyNot:
        """The cheapest offer of each size, one node of it given, and its price put on top."""
        cheapest: dict[int, Offer] = {}
        for offer in sorted(offers, key=lambda item: (item.usd_per_hour, item.id)):
            cheapest.setdefault(offer.gpu_count, offer)
        found = [
            (rest - GIVEN_USD_PER_HOUR + offer.usd_per_hour, offer.id)
            for offer in cheapest.values()
            if (rest := self._cheapest(_given(self._problem, offer))) is not None
        ]
        if not found or self._base is None:
            return WhyNot(gpu=gpu, verdict=Verdict.NO_FLEET)
        usd, offer_id = min(found)
        more = usd - self._base
        verdict = Verdict.DEARER if more > AS_CHEAP * self._base else Verdict.AS_CHEAP
        return WhyNot(gpu=gpu, verdict=verdict, offer=offer_id, more_usd_per_hour=max(more, Decimal(0)))

    def _cheapest(self, problem: PlanningProblem) -> Decimal | None:
        """The least $/h over the splits of a fleet within the targets."""
        inside = Inside(problem, self._capacities)
        fleets = [(inside.cheapest_fleet(ask), ask) for ask in self._asks]
        found = [fleet for fleet, ask in fleets if isinstance(fleet, Fleet) and self._in_time(fleet, ask)]
        return min((fleet.usd_per_hour for fleet in found), default=None)

    def _in_time(self, fleet: Fleet, ask: Ask) -> bool:
        """Whether the whole meets every target, as look-ups say; the split is known to meet the floor."""
        shares = tuple(
            ModelShare(model=name, share=share) for name, share in zip(self._names, ask.shares, strict=True)
        )
        scored = self._judge.score(Design(nodes=fleet.nodes, shares=shares), (1.0, 1.0))
        return scored is not None and set(scored.violated) <= {"budget"}


def gpus_on_sale(problem: PlanningProblem) -> tuple[str, ...]:
    """Every GPU type that some offer sells, sorted."""
    return tuple(sorted({offer.gpu for offer in problem.offers}))


def _apart(design: Design, splits: Sequence[tuple[ModelShare, ...]]) -> list[tuple[float, ...]]:
    """The split of the design and some others, none much like another."""
    found: dict[tuple[float, ...], tuple[float, ...]] = {}
    for split in (design.shares, *splits):
        shares = tuple(item.share for item in split)
        found.setdefault(tuple(round(share, 1) for share in shares), shares)
    return list(found.values())[:MOST_SPLITS]


def _ask(problem: PlanningProblem, shares: tuple[float, ...], factor: float) -> Ask:
    return Ask(
        shares=shares,
        factors=(factor,) * len(shares),
        headroom=0.0,
        spot_share=problem.spot.max_share,
        switching=problem.incumbent is not None,
    )


def _given(problem: PlanningProblem, offer: Offer) -> PlanningProblem:
    """One node of the offer nearly free: an offer of its own, and one less of the other."""
    free = replace(
        offer,
        instance_type=f"{offer.instance_type} given",
        usd_per_hour=min(GIVEN_USD_PER_HOUR, offer.usd_per_hour),
        obtainable=1,
    )
    left = replace(offer, obtainable=offer.obtainable - 1)
    others = tuple(left if item.id == offer.id else item for item in problem.offers)
    return replace(problem, offers=tuple(sorted((*others, free), key=lambda item: item.id)))
