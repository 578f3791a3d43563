"""A split's rules in words, for the plan and the status board. Pure."""

from bouted.quality.route_split import RouteRule, RouteSplit


def in_a_line(split: RouteSplit) -> str:
    """How queries are split, e.g. `split at router score 0.412, 0.803`; "" where there is one model."""
    if len(split.models) < 2:
        return ""
    if not split.scorer_hash:
        return "split by lot"
    told = [_rule(split, rule) for rule in split.rules]
    if len(told) == 1:
        return f"split {told[0]}"
    parts = zip(split.rules, told, strict=True)
    return "split " + "; ".join(f"{rule.weight:.0%} of queries {words}" for rule, words in parts)


def in_columns(split: RouteSplit) -> list[tuple[str, ...]]:
    """A column a rule, its head first, then what concerns each model; none where the lot decides."""
    if len(split.models) > 1 and not split.scorer_hash:
        return []
    alone = len(split.rules) == 1
    return [(_head(rule, alone), *_cells(rule, len(split.models))) for rule in split.rules]


def _rule(split: RouteSplit, rule: RouteRule) -> str:
    if rule.prices:
        priced = zip(split.models, rule.prices, strict=True)
        return "by predicted score plus " + ", ".join(f"{model} {price:+.3f}" for model, price in priced)
    return "at router score " + ", ".join(f"{threshold:.3f}" for threshold in rule.thresholds)


def _head(rule: RouteRule, alone: bool) -> str:
    name = "SCORE PRICE" if rule.prices else "ROUTER SCORE"
    return name if alone else f"{name}, {rule.weight:.0%}"


def _cells(rule: RouteRule, models: int) -> tuple[str, ...]:
    if rule.prices:
        return tuple(f"{price:+.3f}" for price in rule.prices)
    bounds = (None, *rule.thresholds, None)
    return tuple(_between(bounds[at], bounds[at + 1]) for at in range(models))


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return "any" if high is None else f"below {high:.3f}"
    return f"{low:.3f} and above" if high is None else f"{low:.3f} to {high:.3f}"
