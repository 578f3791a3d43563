"""The event simulator on the very requests that were sent: what the planned fleet should have done."""

import numpy as np

from bouted.demo.driver import Sent
from bouted.demo.summary import p95
from bouted.perf.simulate import FleetReplica, simulate_fleet
from bouted.planner.plan import Plan


def replayed_p95_s(plan: Plan, sent: tuple[Sent, ...]) -> float:
    """P95 of the whole answer, simulated: same arrivals, lengths and models, from an idle fleet on.

    The difference to the plan's own P95 is the luck of this trace; the difference to what was measured
    is what the model gets wrong.
    """
    models = tuple(sorted({item.shape.model for item in plan.shapes}))
    known = {item.shape.id: item for item in plan.shapes}
    replicas = tuple(
        FleetReplica(
            costs=known[shape.id].costs,
            model_index=models.index(shape.model),
            weight=known[shape.id].rate_per_s,
        )
        for node in plan.design.nodes
        for shape in node.template.replicas
    )
    went = sorted((s for s in sent if s.model in models), key=lambda s: s.sent_s)
    times = simulate_fleet(
        replicas,
        np.array([s.sent_s for s in went]),
        np.array([models.index(s.model) for s in went]),
        np.array([s.prompt_tokens for s in went]),
        np.array([s.output_tokens for s in went]),
    )
    return p95(times.e2e_s.tolist())
