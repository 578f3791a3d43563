"""Whether the plan in force is worse than it promised, and whether there is a way back. Pure.

A plan is on probation for two hours. It is judged by the first ten minutes or so after all of it has stood
for a while, by then the old replicas are leaving; by kinds whose trial goes badly; and by engines that do not
get ready. One rollback a plan: the plan that is put back has nothing to go back to.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from bouted.events import Event, EventKind
from bouted.market.offers import Offer
from bouted.perf.profile import Metric
from bouted.perf.verdict import Record, later_than, p95_s
from bouted.planner.goals import Targets
from bouted.planner.plan import Plan
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.refusals import not_to_be_had
from bouted.reconcile.rollout import RolloutRules
from bouted.reconcile.states import NodeStatus, Reason, ReplicaStatus

PROBATION = timedelta(hours=2)
JUDGED_STEPS = 10  # times `canary_s` after the soak that count
ENOUGH = 5  # times `canary_requests` that must have been answered by then
LOAD_ROOM = 1.1  # measured load over the planned one that still counts as planned
CRASHES = 3  # engines of one kind that ended or never got ready, with none that serves

_BROKEN = frozenset({Reason.TIMEOUT, Reason.LOST, Reason.ERROR, Reason.UNHEALTHY})


class Call(StrEnum):
    """What is to become of the plan in force."""

    STAND = "stand"  # nothing is known against it
    BACK = "back"  # put the one before in force again
    STUCK = "stuck"  # worse than promised, and there is no way back


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The call, why ("" while it stands), and what is in the way when stuck."""

    call: Call
    why: str = ""
    obstacle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Which plan is in force since when, and which one may be gone back to (None: none)."""

    plan_id: str
    since: datetime
    before_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All that is known. `record` is of all requests that count, and only if they are like those planned for;
    `met_before` says whether the plan before met the targets, None where nobody measured; `worse` holds
    (shape id, why) of kinds on trial. `offers` are those that can be had; `rate_per_s` is the load now."""

    plan: Plan
    previous: Plan | None
    since: datetime
    fleet: FleetState
    targets: Targets
    record: Record
    met_before: bool | None
    worse: tuple[tuple[str, str], ...]
    rate_per_s: float
    offers: tuple[Offer, ...]
    cap_usd_per_hour: Decimal
    load_step_pct: float


def in_force(events: Iterable[Event]) -> InForce | None:
    """What plan events say, oldest first: one of PLAN_APPLIED is about the new plan, one of PLAN_ROLLED_BACK
    about the plan that ended."""
    stack: list[tuple[str, datetime]] = []
    went_back = False
    for event in events:
        if event.kind is EventKind.PLAN_APPLIED:
            stack.append((event.subject, event.at))
            went_back = False
        elif event.kind is EventKind.PLAN_ROLLED_BACK and len(stack) > 1 and stack[-1][0] == event.subject:
            stack.pop()
            stack[-1] = (stack[-1][0], event.at)
            went_back = True
    if not stack:
        return None
    plan_id, since = stack[-1]
    before = next((one for one, _ in reversed(stack[:-1]) if one != plan_id), None)
    return InForce(plan_id=plan_id, since=since, before_id=None if went_back else before)


def counts_from(plan: Plan, fleet: FleetState, rules: RolloutRules, proved_at: datetime) -> datetime | None:
    """From when on requests tell about the plan: all of it has been ready and proved for the soak.

    None while something of it is not ready; `proved_at` is when the last of its kinds was proved.
    """
    wanted = Counter(shape.id for node in plan.design.nodes for shape in node.template.replicas)
    latest = [proved_at]
    for shape_id, count in wanted.items():
        ready = sorted(
            replica.since
            for replica in fleet.replicas
            if replica.status is ReplicaStatus.READY and replica.shape.id == shape_id
        )
        if len(ready) < count:
            return None
        latest.append(ready[count - 1])
    return max(latest) + timedelta(seconds=rules.soak_s)


def counts_until(start: datetime, rules: RolloutRules) -> datetime:
    """Until when requests tell about the plan: what comes later is the world's doing, not the plan's."""
    return start + timedelta(seconds=JUDGED_STEPS * rules.canary_s)


def decide(case: Case, rules: RolloutRules, now: datetime) -> Decision:
    """What is to become of the plan in force, now."""
    why = _trial_failed(case)
    if not why and now - case.since <= PROBATION:
        why = _broken(case) or _late(case, rules)
    if not why:
        return Decision(call=Call.STAND)
    obstacle = _obstacle(case)
    return Decision(call=Call.STUCK if obstacle else Call.BACK, why=why, obstacle=obstacle)


def _trial_failed(case: Case) -> str:
    return "; ".join(f"{shape_id}: {why}" for shape_id, why in case.worse)


def _broken(case: Case) -> str:
    """A kind that the plan before did not have, and that does not get ready."""
    known = _shape_ids(case.previous) if case.previous is not None else frozenset()
    new = _shape_ids(case.plan) - known
    serves = {r.shape.id for r in case.fleet.replicas if r.status is ReplicaStatus.READY}
    failed = Counter(
        replica.shape.id
        for replica in case.fleet.replicas
        if replica.status is ReplicaStatus.FAILED
        and replica.reason in _BROKEN
        and replica.since >= case.since
    )
    for shape_id in sorted(new - serves):
        if failed[shape_id] >= CRASHES:
            return f"{shape_id}: {failed[shape_id]} engines ended or never got ready, and none serves"
    return ""


def _late(case: Case, rules: RolloutRules) -> str:
    """A target is missed that was met before, or that was promised by far; at the planned load at most."""
    record = case.record
    if record.requests < ENOUGH * rules.canary_requests:
        return ""
    if record.rate_per_s > case.plan.rate_per_s * LOAD_ROOM:
        return ""
    for metric in Metric:
        target_s = case.targets.of(metric)
        if target_s is None or not later_than(record, metric, target_s):
            continue
        promised_s = case.plan.estimate.p95_s(metric)
        much = later_than(record, metric, promised_s * (1 + rules.rollback_pct / 100))
        if case.met_before or much:
            before = ", which was met before" if case.met_before else ""
            seen = f"p95 {metric} is {p95_s(record, metric):.3g} s, promised {promised_s:.3g} s"
            return f"{seen}, the target is {target_s:.3g} s{before}"
    return ""


def _obstacle(case: Case) -> str:
    """Why the plan before cannot be had again, or would not help; "" when it can."""
    previous = case.previous
    if previous is None:
        return "there is no plan to go back to"
    if case.worse and {shape_id for shape_id, _ in case.worse} <= _shape_ids(previous):
        return f"plan {previous.id} has the same"
    if case.rate_per_s > previous.rate_per_s * (1 + case.load_step_pct / 100):
        rates = f"{case.rate_per_s:.3g} queries/s, it was made for {previous.rate_per_s:.3g}"
        return f"the load has left what plan {previous.id} can carry: {rates}"
    prices = {offer.id: offer.usd_per_hour for offer in case.offers}
    nodes = previous.design.nodes
    usd = sum(
        (prices.get(n.offer.id, n.offer.usd_per_hour) * n.template.instances for n in nodes), Decimal(0)
    )
    if usd > case.cap_usd_per_hour:
        return f"plan {previous.id} would cost ${usd:.2f}/h by now"
    gone = sorted(_missing(case, previous))
    return f"plan {previous.id} needs what cannot be had: {', '.join(gone)}" if gone else ""


def _missing(case: Case, previous: Plan) -> Iterable[str]:
    """Ids of offers that the plan before needs more of than there are."""
    obtainable = {offer.id: offer.obtainable for offer in case.offers}
    refused = not_to_be_had(case.fleet, (node.offer for node in previous.design.nodes))
    need = Counter[str]()
    for planned in previous.design.nodes:
        need[planned.offer.id] += planned.template.instances
    have = _standing(case.fleet, {(n.offer.id, n.template.id) for n in previous.design.nodes})
    for offer_id, count in need.items():
        enough = obtainable.get(offer_id, 0) >= count and offer_id not in refused
        if have[offer_id] < count and not enough:
            yield offer_id


def _standing(fleet: FleetState, wanted: set[tuple[str, str]]) -> Mapping[str, int]:
    """Instances by offer that stand as wanted already."""
    have = Counter[str]()
    for node in fleet.nodes:
        stands = node.status in (NodeStatus.LAUNCHING, NodeStatus.UP)
        if stands and (node.offer.id, node.template.id) in wanted:
            have[node.offer.id] += node.template.instances
    return have


def _shape_ids(plan: Plan) -> frozenset[str]:
    return frozenset(shape.id for node in plan.design.nodes for shape in node.template.replicas)


def met_targets(record: Record, targets: Targets, rules: RolloutRules) -> bool | None:
    """Whether these requests met every latency target; None when there were too few to tell."""
    if record.requests < ENOUGH * rules.canary_requests:
        return None
    limits: Sequence[tuple[Metric, float | None]] = [(metric, targets.of(metric)) for metric in Metric]
    return not any(limit_s is not None and later_than(record, metric, limit_s) for metric, limit_s in limits)
