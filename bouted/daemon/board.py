"""Composes the status board from what one pass saw. Pure."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from bouted.board import (
    Board,
    BoardEvent,
    BoardNode,
    BoardPlan,
    BoardPlanning,
    BoardReplica,
    BoardRoute,
    BoardTarget,
    BoardTrial,
)
from bouted.events import Event, EventKind, Severity
from bouted.perf.profile import Metric
from bouted.planner.design import Progress
from bouted.planner.goals import Targets
from bouted.planner.plan import Plan
from bouted.quality.route_words import in_a_line
from bouted.reconcile.actions import ChangeSet
from bouted.reconcile.adopted import is_adopted
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.launcher import Seen
from bouted.reconcile.leaving import told_leaving
from bouted.reconcile.routes import ready_by_model, wanted_by_model
from bouted.store.control import Control
from bouted.workload.observe import Measured

CENT = Decimal("0.01")
EVENTS_SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """Dollars as clouds bill them: spent today, this month, and what the month comes to as things stand."""

    today_usd: Decimal
    month_usd: Decimal
    forecast_month_usd: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardInputs:
    """Everything a board is made of."""

    now: datetime
    deployment: str
    mode: str
    pid: int
    control: Control
    plan: Plan | None
    proposed: Plan | None
    held: Plan | None
    fleet: FleetState
    changes: ChangeSet
    seen: Seen
    targets: Targets
    budget_usd_per_hour: Decimal
    spend: Spend
    measured: Measured
    requests_ok: int
    requests_failed: int
    events: tuple[Event, ...]
    progress: Progress | None
    plan_error: str
    config_error: str
    stale_sources: tuple[str, ...]
    troubles: tuple[str, ...] = ()
    trials: tuple[BoardTrial, ...] = ()


def compose_board(inputs: BoardInputs) -> Board:
    """The board for these inputs."""
    verdict, note = _verdict(inputs)
    return Board(
        written_at=inputs.now.isoformat(),
        deployment=inputs.deployment,
        mode=inputs.mode,
        verdict=verdict,
        note=note,
        paused=inputs.control.paused,
        pid=inputs.pid,
        plan=_plan(inputs.plan),
        proposed=_plan(inputs.proposed),
        held_rate_per_s=inputs.held.rate_per_s if inputs.held is not None else None,
        usd_per_hour=_usd(inputs.fleet.committed_usd_per_hour()),
        budget_usd_per_hour=_usd(inputs.budget_usd_per_hour),
        spent_today_usd=_usd(inputs.spend.today_usd),
        spent_month_usd=_usd(inputs.spend.month_usd),
        forecast_month_usd=_usd(inputs.spend.forecast_month_usd),
        rate_per_s=inputs.measured.rate_per_s,
        requests_ok=inputs.requests_ok,
        requests_failed=inputs.requests_failed,
        targets=_targets(inputs),
        routes=_routes(inputs),
        nodes=_nodes(inputs.fleet, inputs.seen, inputs.now),
        replicas=_replicas(inputs.fleet, inputs.seen),
        events=tuple(
            BoardEvent(
                at=event.at.isoformat(),
                severity=event.severity,
                kind=event.kind,
                message=event.message,
            )
            for event in _worth_showing(inputs.events)
        ),
        config_error=inputs.config_error,
        planning=_planning(inputs.progress),
        plan_error=inputs.plan_error,
        stale_sources=inputs.stale_sources,
        trials=inputs.trials,
        troubles=(*inputs.troubles, *_unreadable(inputs.fleet)),
    )


def _verdict(inputs: BoardInputs) -> tuple[str, str]:
    if inputs.control.down_requested:
        left = sum(node.live and not is_adopted(node) for node in inputs.fleet.nodes)
        nodes = "1 node" if left == 1 else f"{left} nodes"
        return "DOWN", f"stopping everything, {nodes} left" if left else "everything is stopped"
    if inputs.control.paused:
        return "PAUSED", "nothing is launched or stopped until: bouted resume"
    if inputs.plan is None:
        return _without_plan(inputs)
    serving, ready = ready_by_model(inputs.fleet), _ready_of_plan(inputs)
    wanted = wanted_by_model(inputs.plan)
    dead = [model for model, count in wanted.items() if count and not serving[model]]
    total, short = sum(wanted.values()), sum(max(0, n - ready[model]) for model, n in wanted.items())
    if not any(serving.values()):
        return "STARTING", f"0 of {total} replicas ready"
    if dead:
        return "DEGRADED", f"no replica of {', '.join(sorted(dead))} serves; abler models take its queries"
    leaving = len(inputs.changes.surplus) + len(inputs.changes.leaving)
    if short or leaving:
        rest = f", {leaving} {'node' if leaving == 1 else 'nodes'} to leave" if leaving else ""
        return "CONVERGING", f"{total - short} of {total} planned replicas ready{rest}"
    if inputs.plan_error:
        return "DEGRADED", f"planning failed, plan {inputs.plan.id} stays in force"
    costs = inputs.fleet.committed_usd_per_hour()
    if costs > inputs.budget_usd_per_hour:
        return "DEGRADED", f"costs ${costs:.2f}/h, the budget is ${inputs.budget_usd_per_hour:.2f}/h"
    late = [t.name for t in _targets(inputs) if t.measured is not None and _missed(t)]
    if late:
        return "DEGRADED", f"missing its target: {', '.join(late)}"
    return "OK", ""


def _ready_of_plan(inputs: BoardInputs) -> Counter[str]:
    """Replicas that serve on nodes of the plan in force, per model: not those of a plan on its way out."""
    return Counter(replica.shape.model for replica in inputs.changes.ready)


def _worth_showing(events: tuple[Event, ...]) -> tuple[Event, ...]:
    """The newest events that a person would want; ordinary moves of nodes and replicas are in the table."""
    moves = (EventKind.NODE_STATUS, EventKind.REPLICA_STATUS)
    kept = [e for e in events if e.kind not in moves or e.severity is not Severity.INFO]
    return tuple(kept[:EVENTS_SHOWN])


def _without_plan(inputs: BoardInputs) -> tuple[str, str]:
    if inputs.plan_error:
        return "DEGRADED", f"no plan: {inputs.plan_error}"
    if inputs.proposed is not None:
        return "OK", f"plan {inputs.proposed.id} is proposed, nothing runs; act on it: bouted apply"
    return "STARTING", "making the first plan"


def _missed(target: BoardTarget) -> bool:
    if target.measured is None:
        return False
    return target.measured < target.target if target.at_least else target.measured > target.target


def _plan(plan: Plan | None) -> BoardPlan | None:
    if plan is None:
        return None
    return BoardPlan(
        id=plan.id,
        created_at=plan.created_at.isoformat(),
        trigger=plan.trigger,
        usd_per_hour=_usd(plan.design.usd_per_hour),
        p95_s=plan.estimate.p95_s(plan.objective),
        quality=plan.estimate.quality,
        gap_to_bound=plan.estimate.gap_to_bound,
        rate_per_s=plan.rate_per_s,
        thresholds=plan.split.rules[0].thresholds if len(plan.split.rules) == 1 else (),
        routing=in_a_line(plan.split),
    )


def _planning(progress: Progress | None) -> BoardPlanning | None:
    if progress is None:
        return None
    deadline_s = progress.deadline_s
    return BoardPlanning(
        stage=progress.stage,
        done=progress.done,
        total=progress.total,
        best_usd_per_hour=progress.best_usd_per_hour,
        bound_usd_per_hour=progress.bound_usd_per_hour,
        seconds=progress.seconds,
        left_s=None if deadline_s is None else max(0.0, deadline_s - progress.seconds),
    )


def _targets(inputs: BoardInputs) -> tuple[BoardTarget, ...]:
    plan, seen = inputs.plan, inputs.measured
    measured = {
        Metric.E2E: seen.e2e_p95_s,
        Metric.TTFT: seen.ttft_p95_s,
        Metric.TPOT: seen.tpot_p95_s,
    }
    lines = []
    for metric in Metric:
        target = inputs.targets.of(metric)
        if target is None:
            continue
        planned = plan.estimate.p95_s(metric) if plan is not None else None
        lines.append(
            BoardTarget(
                name=f"p95 {metric}", unit="s", target=target, planned=planned, measured=measured[metric]
            )
        )
    quality = plan.estimate.quality_low if plan is not None else None
    lines.append(
        BoardTarget(
            name="quality",
            unit="",
            target=inputs.targets.quality_min,
            planned=quality,
            measured=None,
            at_least=True,
        )
    )
    return tuple(lines)


def _routes(inputs: BoardInputs) -> tuple[BoardRoute, ...]:
    if inputs.plan is None:
        return ()
    ready, wanted = _ready_of_plan(inputs), wanted_by_model(inputs.plan)
    seen = dict(inputs.measured.share_by_model)
    return tuple(
        BoardRoute(
            model=model,
            planned_share=share,
            seen_share=seen.get(model) if seen else None,
            ready=ready[model],
            wanted=wanted[model],
        )
        for model, share in zip(inputs.plan.split.models, inputs.plan.split.shares, strict=True)
    )


def _nodes(fleet: FleetState, seen: Seen, now: datetime) -> tuple[BoardNode, ...]:
    progress = {node.name: node.progress for node in seen.nodes}
    return tuple(
        BoardNode(
            name=node.name,
            where=f"{node.offer.provider}/{node.offer.zone or node.offer.region}",
            instance_type=node.offer.instance_type,
            gpu=node.offer.gpu,
            gpu_count=node.offer.gpu_count * node.template.instances,
            market=node.offer.market,
            usd_per_hour=_usd(node.usd_per_hour),
            status=node.status,
            reason=node.reason,
            since=node.since.isoformat(),
            note=told_leaving(node, now) or node.note or progress.get(node.name, ""),
        )
        for node in fleet.nodes
        if node.live
    )


def _replicas(fleet: FleetState, seen: Seen) -> tuple[BoardReplica, ...]:
    told = {replica.name: replica for replica in seen.replicas}
    return tuple(
        BoardReplica(
            name=replica.name,
            node=replica.node,
            model=replica.shape.model,
            shape=f"{replica.shape.gpu_count}x{replica.shape.gpu} tp{replica.shape.tp}"
            + (f" pp{replica.shape.pp}" if replica.shape.pp > 1 else ""),
            status=replica.status,
            reason=replica.reason,
            since=replica.since.isoformat(),
            endpoint=replica.endpoint,
            pid=told[replica.name].pid if replica.name in told else None,
            progress=told[replica.name].progress if replica.name in told else "",
            version=replica.version,
        )
        for replica in fleet.replicas
        if replica.live
    )


def _unreadable(fleet: FleetState) -> tuple[str, ...]:
    """A line for each row that makes no sense."""
    return tuple(
        f"the row of {row.name} makes no sense: {row.why}; counted at ${_usd(row.usd_per_hour)}/h; {row.hint}"
        for row in fleet.unreadable
    )


def _usd(amount: Decimal) -> str:
    return str(amount.quantize(CENT))
