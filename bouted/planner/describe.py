"""What a design is to the surrogate: its load, and its deployment. Both without units, so that they mean the
same in the next search, when prices, load and offers are others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bouted.planner.capacity import Capacities
from bouted.planner.design import Design
from bouted.planner.past import PastJudgement, Placed
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """Per model its share of queries and how busy its replicas are (1: all that they could carry); and where
    each model runs."""

    shares: tuple[float, ...]
    busy: tuple[float, ...]
    placed: tuple[Placed, ...]


class Describer:
    """Describes designs of one problem, and turns descriptions into rows of numbers.

    The first `loads` numbers of a row are the load (shares, how busy), the rest the deployment: per GPU type
    and model, the part of the model's capacity that is there.
    """

    def __init__(self, problem: PlanningProblem, capacities: Capacities) -> None:
        self._capacities = capacities
        self._rate = problem.workload.rate_per_s
        self._models = tuple(rules.name for rules in problem.models)
        shapes = (profile.shape for profile in problem.profiles.profiles)
        places = sorted({(shape.gpu, shape.model) for shape in shapes})
        self._column = {place: i for i, place in enumerate(places)}
        self.loads = 2 * len(self._models)
        self.dims = self.loads + len(places)

    def describe(self, design: Design) -> Description:
        """The description of a design."""
        carried: dict[tuple[str, str], float] = {}
        for node in design.nodes:
            for shape in node.template.replicas:
                place = shape.gpu, shape.model
                carried[place] = carried.get(place, 0.0) + self._capacities.max_rate(shape.id)
        whole = {m: sum(rate for (_, model), rate in carried.items() if model == m) for m in self._models}
        shares = tuple(item.share for item in design.shares)
        return Description(
            shares=shares,
            busy=tuple(
                share * self._rate / whole[m] if whole[m] > 0 else 0.0
                for m, share in zip(self._models, shares, strict=True)
            ),
            placed=tuple(
                Placed(model=model, gpu=gpu, part=rate / whole[model])
                for (gpu, model), rate in sorted(carried.items())
            ),
        )

    def understands(self, past: PastJudgement) -> bool:
        """Whether a judgement is of these models and GPU types, so that it can be made a row."""
        known = all((item.gpu, item.model) in self._column for item in past.placed)
        return known and len(past.shares) == len(past.busy) == len(self._models) and bool(past.placed)

    def rows(self, described: Sequence[Description | PastJudgement]) -> Floats:
        """One row per description."""
        found = np.zeros((len(described), self.loads + len(self._column)))
        for row, item in zip(found, described, strict=True):
            row[: self.loads] = (*item.shares, *item.busy)
            for part in item.placed:
                row[self.loads + self._column[part.gpu, part.model]] = part.part
        return found
