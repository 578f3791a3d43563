"""The config section about what must hold: latency at P95, of all requests and of classes, and quality."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from bouted.config.fields import Name, Positive, Seconds, Share, Whole, one_of, refusal
from bouted.config.section import Section
from bouted.perf.profile import Metric
from bouted.planner.goals import ClassTargets

_KEYS = {Metric.E2E: "e2e_p95_s", Metric.TTFT: "ttft_p95_ms", Metric.TPOT: "tpot_p95_ms"}


class LatencySettings(Section):
    """Latency targets at P95, each optional, at least one set."""

    e2e_p95_s: Seconds | None = None
    ttft_p95_ms: Positive | None = None
    tpot_p95_ms: Positive | None = None

    def latencies_s(self) -> dict[Metric, float]:
        """The latency targets that are set, in seconds, in the order in which one becomes the objective."""
        given = {
            Metric.E2E: self.e2e_p95_s,
            Metric.TTFT: None if self.ttft_p95_ms is None else self.ttft_p95_ms / 1000,
            Metric.TPOT: None if self.tpot_p95_ms is None else self.tpot_p95_ms / 1000,
        }
        return {metric: seconds for metric, seconds in given.items() if seconds is not None}

    @model_validator(mode="after")
    def _has_a_latency(self) -> Self:
        if not self.latencies_s():
            raise refusal("needs a latency target", "set e2e_p95_s, ttft_p95_ms or tpot_p95_ms")
        return self


class ClassSettings(LatencySettings):
    """Targets of their own for requests of `prompt_tokens_from` tokens or more, up to the next class."""

    name: Name
    prompt_tokens_from: Annotated[Whole, Field(ge=0, le=10_000_000)]

    def value(self) -> ClassTargets:
        """The same for planning, in seconds."""
        latencies = self.latencies_s()
        return ClassTargets(
            name=self.name,
            prompt_tokens_from=self.prompt_tokens_from,
            ttft_p95_s=latencies.get(Metric.TTFT),
            tpot_p95_s=latencies.get(Metric.TPOT),
            e2e_p95_s=latencies.get(Metric.E2E),
        )


def _ascending(classes: tuple[ClassSettings, ...]) -> tuple[ClassSettings, ...]:
    for before, after in pairwise(classes):
        if after.prompt_tokens_from <= before.prompt_tokens_from:
            raise refusal(
                f"{after.name} starts at {after.prompt_tokens_from} prompt tokens, {before.name} before it at"
                f" {before.prompt_tokens_from}",
                "list classes by prompt_tokens_from, shortest prompts first",
            )
    return classes


class TargetSettings(LatencySettings):
    """What must hold: at least one latency at P95 over all requests, those of classes, and mean quality.

    Plans are compared by `objective`, a latency over all requests; classes hold beside it.
    """

    quality_min: Share = 0.0
    objective: Annotated[Metric, one_of(Metric)] | None = Field(default=None, validate_default=True)
    classes: Annotated[tuple[ClassSettings, ...], AfterValidator(_ascending)] = ()

    @field_validator("objective")
    @classmethod
    def _is_a_target(cls, objective: Metric | None, info: ValidationInfo) -> Metric | None:
        if objective is not None and info.data.get(_KEYS[objective], 0.0) is None:
            raise refusal(f"is {objective}, for which no target is set", f"set {_KEYS[objective]}")
        return objective
