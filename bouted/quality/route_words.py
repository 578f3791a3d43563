"""A split's rules in words, for the plan and the status board. Pure."""

from bouted.quality.route_split import RouteRule, RouteSplit

WIDEST = 2


def in_a_line(split: RouteSplit) -> str:
    """How queries are split, e.g. `split at router score 0.412, 0.803`; "" where there is one model."""
    if len(split.models) < 2:
        return ""
    if not split.scorer_hash:
        return "split by lot"
    told = [_rule(split, rule) for rule in split.rules]
    if len(told) == 1:
        return f"split {told[0]}"
    if len(told) > WIDEST:
        return f"split by a mix of {len(told)} rules"
    parts = zip(split.rules, told, strict=True)
    return "split " + "; ".join(f"{_share(rule)} of queries {words}" for rule, words in parts)


def in_columns(split: RouteSplit) -> list[tuple[str, ...]]:
    """A column a rule, its head first, then what concerns each model; none where the lot decides."""
    if len(split.models) > 1 and not split.scorer_hash:
        return []
    if len(split.rules) > WIDEST:
        return [("ROUTED BY", *[f"a mix of {len(split.rules)} rules"] * len(split.models))]
    alone = len(split.rules) == 1
    return [(_head(rule, alone), *_cells(rule, len(split.models))) for rule in split.rules]


def _rule(split: RouteSplit, rule: RouteRule) -> str:
    if rule.prices:
        priced = zip(split.models, rule.prices, strict=True)
        return "by predicted score plus " + ", ".join(f"{model} {price:+.3f}" for model, price in priced)
    return "at router score " + ", ".join(f"{threshold:.3f}" for threshold in rule.thresholds)


def _share(rule: RouteRule) -> str:
    return f"{rule.weight * 100:.0f} %"


def _head(rule: RouteRule, alone: bool) -> str:
    name = "SCORE PRICE" if rule.prices else "ROUTER SCORE"
    return name if alone else f"{name}, {_share(rule)}"


def _cells(rule: RouteRule, models: int) -> tuple[str, ...]:
    if rule.prices:
        return tuple(f"{price:+.3f}" for price in rule.prices)
    bounds = (None, *rule.thresholds, None)
    return tuple(_between(bounds[at], bounds[at + 1]) for at in range(models))


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return "any" if high is None else f"below {high:.3f}"
    return f"{low:.3f} and above" if high is None else f"{low:.3f} to {high:.3f}"
