"""What the demo saw, as one document. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from bouted.demo.driver import Sent
from bouted.planner.plan import Plan, PlanStatus

MIN_REQUESTS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of the trace in which one plan was in force and carried by its own replicas."""

    plan: Plan
    label: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A plan as the store holds it."""

    plan: Plan
    status: PlanStatus


def p95(values: Sequence[float]) -> float:
    """The smallest value that at least 95 % do not exceed; ValueError when there is none."""
    if not values:
        raise ValueError("P95 of nothing")
    return sorted(values)[ceil(0.95 * len(values)) - 1]


def plan_rows(plans: Iterable[Recorded]) -> list[dict[str, object]]:
    """One row per plan, oldest first."""
    return [
        {
            "id": item.plan.id,
            "trigger": str(item.plan.trigger),
            "status": str(item.status),
            "usd_per_hour": float(item.plan.design.usd_per_hour),
            "p95_s": round(item.plan.estimate.p95_s(item.plan.objective), 3),
            "quality": round(item.plan.estimate.quality, 4),
            "quality_low": round(item.plan.estimate.quality_low, 4),
            "gap_to_bound": round(item.plan.estimate.gap_to_bound, 4),
            "seconds_to_plan": round(item.plan.seconds_to_plan, 2),
            "rate_per_s": round(item.plan.rate_per_s, 2),
            "nodes": [
                f"{node.offer.provider} {node.offer.instance_type} {node.offer.market} "
                f"${node.usd_per_hour}/h {node.template.id}"
                for node in item.plan.design.nodes
            ],
        }
        for item in plans
    ]


def window_rows(windows: Iterable[Window], sent: Sequence[Sent]) -> list[dict[str, object]]:
    """P95 seen against P95 planned, per window."""
    rows: list[dict[str, object]] = []
    for window in windows:
        seen = [s.e2e_s for s in sent if s.ok and window.start_s <= s.sent_s < window.end_s]
        planned = window.plan.estimate.p95_s(window.plan.objective)
        measured = p95(seen) if seen else None
        rows.append(
            {
                "plan": window.plan.id,
                "window": window.label,
                "requests": len(seen),
                "enough": len(seen) >= MIN_REQUESTS,
                "p95_planned_s": round(planned, 3),
                "p95_measured_s": round(measured, 3) if measured is not None else None,
                "error": round(measured / planned - 1, 3) if measured is not None else None,
            }
        )
    return rows


def request_counts(sent: Sequence[Sent], killed_replica: str) -> dict[str, object]:
    """Requests that went well, that failed, and that failed because their replica was killed."""
    failed = [s for s in sent if not s.ok]
    cut = [s for s in failed if s.replica == killed_replica and killed_replica]
    models = Counter(s.model for s in sent if s.ok)
    total = sum(models.values()) or 1
    return {
        "requests_ok": sum(s.ok for s in sent),
        "requests_failed": len(failed) - len(cut),
        "requests_cut_by_kill": len(cut),
        "failures": dict(Counter(s.error for s in failed)),
        "fraction_by_model": {m: round(n / total, 4) for m, n in sorted(models.items())},
    }


def summary_lines(summary: dict[str, Any]) -> list[str]:
    """The summary as a person reads it."""
    lines = [
        f"plan {row['id']}  {row['trigger']:<8} {row['status']:<10} ${row['usd_per_hour']:.2f}/h  "
        f"p95 {row['p95_s']:.1f} s  quality {row['quality']:.3f}  gap to bound {row['gap_to_bound']:.1%}  "
        f"made in {row['seconds_to_plan']:.1f} s"
        for row in summary["plans"]
    ]
    lines += [
        f"p95 under {row['window']}: planned {row['p95_planned_s']:.1f} s, "
        f"seen {row['p95_measured_s']:.1f} s ({row['error']:+.0%}) over {row['requests']} requests"
        for row in summary["p95"]
        if row["p95_measured_s"] is not None
    ]
    if summary["p95_steady_replayed_s"] is not None:
        lines.append(
            f"the simulator on the very requests of the steady load: {summary['p95_steady_replayed_s']:.1f} s"
        )
    shares = ", ".join(f"{model} {share:.0%}" for model, share in summary["fraction_by_model"].items())
    lines.append(
        f"requests: {summary['requests_ok']} ok, {summary['requests_failed']} failed, "
        f"{summary['requests_cut_by_kill']} cut by the kill; {shares}"
    )
    lines.append(
        f"replicas: {summary['replicas_started']} started, {summary['replicas_left']} left; "
        f"${summary['spend_usd']:.2f} would have been spent in {summary['seconds']:.0f} s"
    )
    return lines
