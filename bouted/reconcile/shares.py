"""Which part of its model's queries each kind on trial gets. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from bouted.reconcile.fleet import Replica
from bouted.reconcile.rollout import OnTrial, RolloutRules


def trial_shares(
    serving: Sequence[Replica],
    trying: Sequence[OnTrial],
    weights: Mapping[str, float],
    rules: RolloutRules,
    demand_per_s: Mapping[str, float],
) -> dict[str, float]:
    """Shares of their models' queries, by the name of each serving replica that is held back.

    `weights` is by shape id: what one such replica carries, in requests/s. Equal replicas share evenly. No
    share is above the planned one, which goes by weight. The kinds that are farthest carry the rest; when
    `demand_per_s` of the model is more than they can, those on trial take what is over.
    """
    found: dict[str, float] = {}
    for model in sorted({replica.shape.model for replica in serving}):
        kinds = Counter(replica.shape.id for replica in serving if replica.shape.model == model)
        held = _held(kinds, trying, weights, rules, demand_per_s.get(model, 0.0))
        for replica in serving:
            if replica.shape.id in held:
                found[replica.name] = held[replica.shape.id] / kinds[replica.shape.id]
    return found


def _held(
    kinds: Mapping[str, int],
    trying: Sequence[OnTrial],
    weights: Mapping[str, float],
    rules: RolloutRules,
    demand_per_s: float,
) -> dict[str, float]:
    """The share of each kind of one model that is held back."""
    steps = {kind.shape_id: kind.step for kind in trying}
    reached = {shape_id: steps.get(shape_id) for shape_id in kinds}
    if None not in reached.values():
        farthest = max(step for step in reached.values() if step is not None)
        reached = {shape_id: None if step is farthest else step for shape_id, step in reached.items()}
    carried = {shape_id: weights[shape_id] * count for shape_id, count in kinds.items()}
    whole = sum(carried.values())
    if whole <= 0:
        return {}
    planned = {s: carried[s] / whole for s, step in reached.items() if step is not None}
    least = {s: min(rules.most(step), planned[s]) for s, step in reached.items() if step is not None}
    can_carry = sum(carried[s] for s, step in reached.items() if step is None)
    return _relieved(least, planned, can_carry, demand_per_s)


def _relieved(
    least: Mapping[str, float], planned: Mapping[str, float], can_carry_per_s: float, demand_per_s: float
) -> dict[str, float]:
    """`least`, moved towards `planned` as far as the others need it."""
    held, at_most = sum(least.values()), sum(planned.values())
    needed = 1 - can_carry_per_s / demand_per_s if demand_per_s > 0 else 0.0
    if needed <= held or at_most <= held:
        return dict(least)
    part = min(1.0, (needed - held) / (at_most - held))
    return {s: share + part * (planned[s] - share) for s, share in least.items()}
