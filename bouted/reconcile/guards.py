"""The dumb checks that stand in front of every launch and fail closed. Pure, and not pluggable."""

from fnmatch import fnmatchcase

from bouted.planner.problem import ModelRules
from bouted.reconcile.actions import Limits
from bouted.reconcile.fleet import FleetState, Node


def refuse_launch(node: Node, fleet: FleetState, limits: Limits, rules: tuple[ModelRules, ...]) -> str | None:
    """Why this launch must not be made now, or None. `fleet` is fresh from the store."""
    return _over_cap(node, fleet, limits) or _out_of_bounds(node, rules)


def _over_cap(node: Node, fleet: FleetState, limits: Limits) -> str | None:
    others = sum(
        (n.usd_per_hour for n in fleet.nodes if n.paid and n.name != node.name),
        start=node.usd_per_hour,
    )
    most = limits.cap_usd_per_hour + limits.surge_usd_per_hour
    if others <= most:
        return None
    return (
        f"launching {node.name} would commit ${others:.2f}/h, the cap is ${most:.2f}/h "
        f"(${limits.cap_usd_per_hour:.2f} + ${limits.surge_usd_per_hour:.2f} surge)"
    )


def _out_of_bounds(node: Node, rules: tuple[ModelRules, ...]) -> str | None:
    """Data residency: every model on the node must be allowed where the node is."""
    by_name = {rule.name: rule for rule in rules}
    for shape in node.template.replicas:
        rule = by_name.get(shape.model)
        if rule is None:
            return f"{node.name} would run {shape.model}, which the config does not name"
        if not allowed_in(rule, node.offer.provider, node.offer.region):
            return f"{shape.model} may not run in {node.offer.provider}/{node.offer.region}"
    return None


def allowed_in(rule: ModelRules, provider: str, region: str) -> bool:
    """Whether the config lets this model run there. Empty lists allow everything."""
    cloud_ok = not rule.clouds or provider in rule.clouds
    region_ok = not rule.regions or any(fnmatchcase(region, glob) for glob in rule.regions)
    return cloud_ok and region_ok
