"""The config section about planning: how hard to search, what to guard against, what to prefer."""

from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from bouted.config.fields import Real, Seconds, Share, Whole, one_of, refusal
from bouted.config.section import Section
from bouted.planner.goals import Preference, Risk, Robustness, Rule
from bouted.planner.problem import Effort

Weight = Annotated[Real, Field(ge=0, le=1000)]
WORST_QUARTER = 0.25


class PreferSettings(Section):
    """How much each objective weighs against the others; they need not sum to 1."""

    cost: Weight = 0.0
    latency: Weight = 0.0
    quality: Weight = 0.0

    @model_validator(mode="after")
    def _weighs_something(self) -> Self:
        if self.cost == self.latency == self.quality == 0:
            raise refusal("weighs nothing", "give cost, latency or quality a weight above 0")
        return self


class PlannerSettings(Section):
    """How hard to search for plans, over which scenarios to judge them, and which of the best to run.

    `cvar_share` is the share of the worst scenarios that counts under `risk: cvar`; a quarter unless given.
    """

    seed: Annotated[Whole, Field(ge=0, le=2**32 - 1)] = 1
    deadline_s: Seconds = 60.0
    sweep: Annotated[Whole, Field(ge=8, le=100_000)] = 64
    evaluations: Annotated[Whole, Field(ge=0, le=10_000)] = 24
    scenarios: Annotated[Whole, Field(ge=1, le=16)] = 3
    risk: Annotated[Risk, one_of(Risk)] = Risk.MEAN
    cvar_share: Annotated[Share, Field(gt=0)] | None = None
    rule: Annotated[Rule, one_of(Rule)] = Rule.CHEAPEST
    prefer: PreferSettings | None = Field(default=None, validate_default=True)
    groups: Annotated[Whole, Field(ge=1, le=4)] = 1

    @field_validator("cvar_share")
    @classmethod
    def _for_cvar_only(cls, share: float | None, info: ValidationInfo) -> float | None:
        if share is not None and info.data.get("risk") is Risk.MEAN:
            raise refusal("is given although risk is mean", "set risk: cvar, or leave it out")
        return share

    @field_validator("prefer")
    @classmethod
    def _for_preference_only(
        cls, prefer: PreferSettings | None, info: ValidationInfo
    ) -> PreferSettings | None:
        rule = info.data.get("rule")
        if prefer is None and rule is Rule.PREFERENCE:
            raise refusal("is needed for rule: preference", "like {cost: 1, latency: 1, quality: 2}")
        if prefer is not None and rule not in (Rule.PREFERENCE, None):
            raise refusal(f"is given although rule is {rule}", "set rule: preference, or leave it out")
        return prefer

    def effort(self) -> Effort:
        """How hard to search."""
        return Effort(sweep=self.sweep, evaluations=self.evaluations, deadline_s=self.deadline_s)

    def robustness(self) -> Robustness:
        """Over what designs are judged, and what counts of it."""
        tail = WORST_QUARTER if self.cvar_share is None else self.cvar_share
        return Robustness(risk=self.risk, tail=tail, scenarios=self.scenarios)

    def preference(self) -> Preference:
        """The rule to choose by, with the weights of `prefer` where it has them."""
        if self.prefer is None:
            return Preference(rule=self.rule)
        weights = self.prefer
        return Preference(rule=self.rule, cost=weights.cost, latency=weights.latency, quality=weights.quality)
