"""How the replicas of one model share its queries, so that none is much later than the others."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from bouted.planner.capacity import SHARES_OF_TARGET, Capacities
from bouted.planner.design import Design
from bouted.workload.profile import WorkloadProfile

# Load for which shares are made even, over the load planned for. At the very load, slow replicas would get
# next to nothing, and the fast ones no room for chance or growth.
ROOM = 1.4
# No replica is used less than this share of how far the busiest is: it must help when others are lost.
LEAST = 0.1


def weights(design: Design, workload: WorkloadProfile, capacities: Capacities) -> dict[str, float]:
    """What each replica's share of its model's queries is proportional to, by shape id; above 0.

    Slow replicas are given less than their part while there is room on fast ones. Each gets the requests/s
    that it carries at the same share of the latency targets: the least share at which all together carry
    40 % more than the load, or its high end if that is more; and at most the targets themselves.
    """
    return shared(replica_counts(design), design, workload, capacities)


def shared(
    counts: Sequence[Mapping[str, int]], design: Design, workload: WorkloadProfile, capacities: Capacities
) -> dict[str, float]:
    """`weights` of a design whose `replica_counts` are known."""
    if design.sharing:
        return {item.shape_id: item.rate_per_s for item in design.sharing}
    reckoned_per_s = max(ROOM * workload.rate_per_s, workload.rate_high_per_s)
    found: dict[str, float] = {}
    for item, of_model in zip(design.shares, counts, strict=True):
        found |= _of_one_model(of_model, item.share * reckoned_per_s, capacities)
    return found


def replica_counts(design: Design) -> tuple[Mapping[str, int], ...]:
    """Replicas by shape id, sorted, for each model in the order of the design's shares."""
    counts: dict[str, Counter[str]] = {item.model: Counter() for item in design.shares}
    for node in design.nodes:
        for shape in node.template.replicas:
            counts[shape.model][shape.id] += 1
    return tuple(dict(sorted(counts[item.model].items())) for item in design.shares)


def _of_one_model(counts: Mapping[str, int], rate_per_s: float, capacities: Capacities) -> dict[str, float]:
    alone = {shape_id: capacities.weight(shape_id) for shape_id in counts}
    if len(counts) < 2:
        return alone
    carried = {shape_id: capacities.curve(shape_id) for shape_id in counts}
    together = sum((counts[shape_id] * curve for shape_id, curve in carried.items()), np.zeros(1))
    share = float(np.interp(rate_per_s, together, SHARES_OF_TARGET))
    rates = {shape_id: float(np.interp(share, SHARES_OF_TARGET, carried[shape_id])) for shape_id in counts}
    most = {shape_id: capacities.max_rate(shape_id) for shape_id in counts}
    busiest = max(rates[shape_id] / most[shape_id] for shape_id in counts)
    if busiest <= 0:
        return alone
    return {shape_id: max(rates[shape_id], LEAST * busiest * most[shape_id]) for shape_id in counts}
