"""A plan for machines: `bouted plan --json`. Keys are only ever added; money is decimal strings. Pure."""

from typing import Any

from bouted.cli.plan_changes import node_lines
from bouted.cli.plan_text import Proposed
from bouted.perf.profile import Metric


def plan_document(proposed: Proposed) -> dict[str, Any]:
    """The document, ready for JSON."""
    plan, estimate, targets = proposed.plan, proposed.plan.estimate, proposed.targets
    current = proposed.current
    return {
        "id": plan.id,
        "created_at": plan.created_at.isoformat(),
        "trigger": plan.trigger.value,
        "seed": plan.seed,
        "seconds_to_plan": plan.seconds_to_plan,
        "held": proposed.held,
        "changed": proposed.changed,
        "usd_per_hour": str(estimate.usd_per_hour),
        "budget_usd_per_hour": str(proposed.budget_usd_per_hour),
        "bound_usd_per_hour": estimate.bound_usd_per_hour,
        "gap_to_bound": estimate.gap_to_bound,
        "p95_s": {metric.value: estimate.p95_s(metric) for metric in Metric},
        "target_p95_s": {metric.value: targets.of(metric) for metric in Metric},
        "quality": {"mean": estimate.quality, "low": estimate.quality_low, "min": targets.quality_min},
        "rate_per_s": plan.rate_per_s,
        "judge": estimate.judge.value,
        "latency_spread": estimate.spread,
        "search": {
            "swept": proposed.frontier.swept,
            "simulated": proposed.frontier.simulated,
            "seconds": proposed.frontier.seconds,
            "ended": proposed.frontier.ended.value,
        },
        "split": _split(proposed),
        "rules": _rules(proposed),
        "nodes": _nodes(proposed),
        "replicas_to_start": len(proposed.changes.start),
        "why": list(plan.why),
        "runner_up": plan.runner_up,
        "current": current and {"id": current.id, "usd_per_hour": str(current.estimate.usd_per_hour)},
    }


def _split(proposed: Proposed) -> list[dict[str, Any]]:
    split = proposed.plan.split
    alone = split.rules[0].thresholds if len(split.rules) == 1 else ()
    highest = (*alone, *[None] * (len(split.models) - len(alone)))
    return [
        {"model": model, "share": share, "below_score": below}
        for model, share, below in zip(split.models, split.shares, highest, strict=True)
    ]


def _rules(proposed: Proposed) -> list[dict[str, Any]]:
    return [
        {"weight": rule.weight, "thresholds": list(rule.thresholds), "prices": list(rule.prices)}
        for rule in proposed.plan.split.rules
    ]


def _nodes(proposed: Proposed) -> list[dict[str, Any]]:
    return [
        {
            "change": line.change,
            "count": line.count,
            "offer": line.offer,
            "gpu": line.gpu,
            "gpu_count": line.gpu_count,
            "replicas": list(line.replicas),
            "usd_per_hour": str(line.usd_per_hour),
        }
        for line in node_lines(proposed.plan, proposed.changes)
    ]
