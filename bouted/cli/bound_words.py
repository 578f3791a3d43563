"""How far a plan is from the least that any could cost, in words. Pure."""

from bouted.cli.units import share, usd
from bouted.planner.design import Estimate


def bound_words(estimate: Estimate) -> str:
    """One line; the simulator may find that less than the least by profile look-ups does as well."""
    least = f"{usd(estimate.bound_usd_per_hour)}/h, the least by profile look-ups"
    if estimate.bound_usd_per_hour <= 0:
        return "not known"
    if float(estimate.usd_per_hour) < estimate.bound_usd_per_hour * (1 - 1e-4):
        return f"below {least}: simulated, less is enough"
    return f"{share(estimate.gap_to_bound)} above {least}"
