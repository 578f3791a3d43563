"""What was simulated: the designs, and what each taught."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.perf.profile import Metric
from bouted.planner.describe import Describer, Description
from bouted.planner.design import ScoredDesign
from bouted.planner.past import PastJudgement
from bouted.planner.pool import Candidate

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Simulated:
    """A candidate, its description, and what its simulation said."""

    candidate: Candidate
    described: Description
    scored: ScoredDesign

    def log_p95(self, metric: Metric) -> float:
        """The natural logarithm of simulated P95 in seconds."""
        return _log(self.scored, metric)

    def log_ratio(self, metric: Metric) -> float:
        """The natural logarithm of simulated over looked-up P95."""
        return _log(self.scored, metric) - _log(self.candidate.scored, metric)


class Archive:
    """Every simulation of one search, in the order made."""

    def __init__(self, metric: Metric, describer: Describer) -> None:
        self._metric = metric
        self._describer = describer
        self._found: dict[int, Simulated] = {}

    def __len__(self) -> int:
        return len(self._found)

    def __contains__(self, candidate: Candidate) -> bool:
        return id(candidate) in self._found

    @property
    def all(self) -> tuple[Simulated, ...]:
        """Everything simulated."""
        return tuple(self._found.values())

    @property
    def good(self) -> tuple[Simulated, ...]:
        """What breaks nothing."""
        return tuple(item for item in self._found.values() if not item.scored.violated)

    @property
    def cheapest(self) -> float | None:
        """$/h of the cheapest that breaks nothing."""
        return min((float(item.scored.design.usd_per_hour) for item in self.good), default=None)

    def add(self, candidate: Candidate, scored: ScoredDesign) -> None:
        """Remember a simulation."""
        described = self._describer.describe(candidate.scored.design)
        self._found[id(candidate)] = Simulated(candidate=candidate, described=described, scored=scored)

    def of(self, candidate: Candidate) -> ScoredDesign | None:
        """What the simulation of a candidate said, if there was one."""
        found = self._found.get(id(candidate))
        return found.scored if found is not None else None

    def values(self) -> Floats:
        """$/h, P95 of the objective in seconds and low quality of what breaks nothing: `designs x 3`."""
        estimates = [item.scored.estimate for item in self.good]
        rows = [(float(e.usd_per_hour), e.p95_s(self._metric), e.quality_low) for e in estimates]
        return np.array(rows).reshape(len(rows), 3)

    def past(self) -> tuple[PastJudgement, ...]:
        """What the next search may learn from."""
        return tuple(
            PastJudgement(
                shares=item.described.shares,
                factors=item.candidate.ask.factors,
                headroom=item.candidate.ask.headroom,
                spot_share=item.candidate.ask.spot_share,
                usd_per_hour=float(item.scored.design.usd_per_hour),
                log_ratio=item.log_ratio(self._metric),
                busy=item.described.busy,
                placed=item.described.placed,
            )
            for item in self._found.values()
        )


def _log(scored: ScoredDesign, metric: Metric) -> float:
    return float(np.log(max(scored.estimate.p95_s(metric), 1e-9)))
