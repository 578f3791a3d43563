"""How queries are split over models: the rules a plan is stored with and every gateway follows. Pure."""

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from pydantic import model_validator


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the router makes of a query: how hard it is, 0..1, and the score it predicts for each model.

    Without a router, or without text to judge, nothing is predicted.
    """

    score: float
    predicted: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRule:
    """One way to choose a model, and the share of queries that are routed by it.

    With `thresholds` (ascending, one fewer than models) a query goes to the first model whose threshold is
    above its score, else to the last. With `prices` (one a model) it goes to the model of the highest
    predicted score plus price; the more able one wins a tie, and takes what could not be judged.
    """

    weight: float = 1.0
    thresholds: tuple[float, ...] = ()
    prices: tuple[float, ...] = ()

    def choose(self, judged: Judged) -> int:
        """The place of the model in the order of ability."""
        if not self.prices:
            return bisect_right(self.thresholds, judged.score)
        if not judged.predicted:
            return len(self.prices) - 1
        worth = [p + price for p, price in zip(judged.predicted, self.prices, strict=True)]
        return max(range(len(worth)), key=lambda m: (worth[m], m))


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSplit:
    """Each query is routed by one of `rules`, which it draws by its hash in proportion to their weights.

    `models` ascend in ability. `shares` are the planned ones. Queries for a model that is `absent` (no
    replica serves it now) go to the next abler one that is not, else to the next less able one. `scorer_hash`
    names the router that the rules belong to; "" means that nothing is judged: the draw alone decides.
    """

    models: tuple[str, ...]
    shares: tuple[float, ...]
    rules: tuple[RouteRule, ...]
    scorer_hash: str
    seed: int = 0
    absent: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _with_one_rule(cls, given: Any) -> Any:
        """Splits were stored with their thresholds in place of rules."""
        if isinstance(given, dict) and "thresholds" in given and "rules" not in given:
            return {**given, "rules": [{"thresholds": given["thresholds"]}]}
        return given

    @property
    def fits(self) -> bool:
        """Whether models, shares and rules go together."""
        n = len(self.models)
        sizes = ((len(rule.thresholds), len(rule.prices)) for rule in self.rules)
        return bool(self.rules) and len(self.shares) == n and all(s in ((n - 1, 0), (0, n)) for s in sizes)

    @property
    def judges(self) -> bool:
        """Whether the rules look at the query."""
        return self.scorer_hash != "" and len(self.served) > 1

    @property
    def served(self) -> tuple[str, ...]:
        """The models that get queries now, or could: all but the absent ones."""
        return tuple(model for model in self.models if model not in self.absent)

    @property
    def served_shares(self) -> tuple[float, ...]:
        """The share of each served model, those of absent models given to their heirs."""
        shares = dict.fromkeys(self.served, 0.0)
        for at, share in enumerate(self.shares):
            shares[self._heir(at)] += share
        return tuple(shares.values())

    def model_for(self, judged: Judged, draw: float = 0.0) -> str:
        """The model for a query judged so whose draw is `draw`, 0 up to but not 1."""
        return self._heir(self.rule_for(draw).choose(judged))

    def rule_for(self, draw: float) -> RouteRule:
        """The rule that a query of this draw follows."""
        left = draw * sum(rule.weight for rule in self.rules)
        for rule in self.rules:
            left -= rule.weight
            if left < 0:
                return rule
        return self.rules[-1]

    def _heir(self, at: int) -> str:
        order = (*self.models[at:], *reversed(self.models[:at]))
        return next(model for model in order if model not in self.absent)
