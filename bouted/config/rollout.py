"""The config section about trying what is new: how small a share first, how long, and when to go back."""

from typing import Annotated

from pydantic import Field

from bouted.config.fields import Real, Share, Span, Whole
from bouted.config.section import Section
from bouted.reconcile.rollout import RolloutRules


class RolloutSettings(Section):
    """How a kind of replica that was never measured here is tried, and when a plan is rolled back."""

    canary_share: Annotated[Share, Field(gt=0)] = 0.05
    canary_s: Span = 60.0
    canary_requests: Annotated[Whole, Field(ge=1, le=100_000)] = 20
    soak_s: Span = 120.0
    rollback_pct: Annotated[Real, Field(ge=0, le=10_000)] = 50.0

    def rules(self) -> RolloutRules:
        """The rules by which the reconciler goes."""
        return RolloutRules(
            canary_share=self.canary_share,
            canary_s=self.canary_s,
            canary_requests=self.canary_requests,
            soak_s=self.soak_s,
            rollback_pct=self.rollback_pct,
        )
