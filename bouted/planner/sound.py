"""Refuses a problem with a figure that is no number, and a front that was judged to be none. Pure."""

from bouted.errors import BoutedError, Misconfigured
from bouted.planner.design import Frontier, ScoredDesign
from bouted.planner.problem import PlanningProblem
from bouted.planner.unsound import ANY, bad_figures, unsound_rows

NAMED = 10


def require_sound(problem: PlanningProblem) -> None:
    """Misconfigured when a figure of the problem is NaN, infinite, or negative where that means nothing.

    Names every such figure by its row, the first ten of them: the offer, the shape and its load point, or
    the prompt. The hint is about the first.
    """
    found = list(unsound_rows(problem))
    if found:
        texts = [text for text, _ in found]
        raise Misconfigured("planning", f"no plan can be made with {_first(texts)}", hint=found[0][1])


def require_sound_front(frontier: Frontier) -> None:
    """BoutedError when a design was judged to cost or take NaN, infinity or less than nothing: a bug."""
    judged = [(f"design {at + 1} of the front", item) for at, item in enumerate(frontier.designs)]
    judged += [("the plan in force", frontier.incumbent)] if frontier.incumbent is not None else []
    judged += [("the nearest design", frontier.nearest)] if frontier.nearest is not None else []
    found = [text for row, item in judged for text in _estimate(row, item)]
    for at, past in enumerate(frontier.judged):
        described = (*past.shares, *past.factors, past.headroom, past.spot_share, past.usd_per_hour)
        figures = [("a figure of its design", value) for value in described]
        row = f"simulation {at + 1}"
        found += bad_figures(row, (*figures, ("log_ratio", past.log_ratio)), least=ANY)
    if found:
        raise BoutedError(f"the search gave {_first(found)}", hint="this is a bug in planning")


def _first(texts: list[str]) -> str:
    more = len(texts) - NAMED
    return "; ".join(texts[:NAMED]) + (f"; and {more} more" if more > 0 else "")


def _estimate(row: str, item: ScoredDesign) -> list[str]:
    found = item.estimate
    seconds = (("ttft_p95_s", found.ttft_p95_s), ("tpot_p95_s", found.tpot_p95_s))
    at_least_0 = (("usd_per_hour", found.usd_per_hour), *seconds, ("e2e_p95_s", found.e2e_p95_s))
    finite = (
        ("quality", found.quality),
        ("quality_low", found.quality_low),
        ("bound_usd_per_hour", found.bound_usd_per_hour),
        ("spread", found.spread),
    )
    shares = [(f"share of {share.model}", share.share) for share in item.design.shares]
    return [
        *bad_figures(row, (*at_least_0, *shares)),
        *bad_figures(row, finite, least=ANY),
    ]
