"""What plans are for: latency targets and the quality floor, how surely they hold, and which plan is best."""

from dataclasses import dataclass
from enum import StrEnum

from bouted.perf.profile import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassTargets:
    """P95 targets of a class of requests of its own: those of `prompt_tokens_from` tokens or more.

    A request belongs to the class with the highest `prompt_tokens_from` that it reaches.
    """

    name: str
    prompt_tokens_from: int
    ttft_p95_s: float | None = None
    tpot_p95_s: float | None = None
    e2e_p95_s: float | None = None

    def of(self, metric: Metric) -> float | None:
        """The P95 target of `metric`, if one is set."""
        return _of(self, metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What must hold. `objective` is the latency that plans are compared by; it is one of those set.

    `classes` ascend in `prompt_tokens_from`; theirs hold beside those of all requests together.
    """

    ttft_p95_s: float | None
    tpot_p95_s: float | None
    e2e_p95_s: float | None
    quality_min: float
    objective: Metric
    classes: tuple[ClassTargets, ...] = ()

    def of(self, metric: Metric) -> float | None:
        """The P95 target of `metric`, if one is set."""
        return _of(self, metric)


def _of(targets: Targets | ClassTargets, metric: Metric) -> float | None:
    return {
        Metric.TTFT: targets.ttft_p95_s,
        Metric.TPOT: targets.tpot_p95_s,
        Metric.E2E: targets.e2e_p95_s,
    }[metric]


class Risk(StrEnum):
    """What is made of a latency over several scenarios."""

    MEAN = "mean"
    """The P95 of all their requests together, each scenario at its odds."""
    CVAR = "cvar"
    """The mean P95 of the worst ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Robustness:
    """Over how many scenarios designs are judged, lost nodes apart, and what counts: all of them, or the
    worst `tail` share."""

    risk: Risk = Risk.MEAN
    tail: float = 0.25
    scenarios: int = 3


BY_MEAN = Robustness()


class Rule(StrEnum):
    """Which design of the front to run, of those that meet every target."""

    CHEAPEST = "cheapest"
    FASTEST = "fastest"
    """The lowest P95 within the budget."""
    KNEE = "knee"
    """Where giving up a little of one objective stops to buy much of another."""
    PREFERENCE = "preference"
    """The best by the weights given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """The rule to choose by. The weights are for PREFERENCE only; they need not sum to 1."""

    rule: Rule = Rule.CHEAPEST
    cost: float = 1.0
    latency: float = 0.0
    quality: float = 0.0


BY_COST = Preference()
