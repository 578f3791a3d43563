"""What a plan promised: the profiles and the request mix that it was made from."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from bouted.codec import misfit, parse
from bouted.errors import Gone
from bouted.perf.profile import Profile
from bouted.planner.plan import Plan
from bouted.planner.problem import PlanningProblem
from bouted.store.documents import get_document
from bouted.store.open import Store
from bouted.workload.profile import RequestLength

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """`profiles` are by shape id, as believed when the plan was made; empty when that cannot be read."""

    profiles: Mapping[str, Profile] = field(default_factory=dict)
    lengths: tuple[RequestLength, ...] = ()


@dataclass(slots=True)
class Promises:
    """Reads promises; remembers the last one, for a problem is large."""

    store: Store
    last: tuple[str, Promise] = ("", Promise())

    def of(self, plan: Plan) -> Promise:
        """What `plan` promised of each shape."""
        if self.last[0] != plan.id:
            self.last = (plan.id, self._read(plan))
        return self.last[1]

    def _read(self, plan: Plan) -> Promise:
        try:
            problem = parse(PlanningProblem, get_document(self.store, plan.problem_hash))
        except (ValidationError, Gone) as error:
            log.warning("what plan %s promised cannot be read: %s", plan.id, misfit(error))
            return Promise()
        return Promise(profiles=problem.profiles.by_shape, lengths=problem.workload.lengths)
