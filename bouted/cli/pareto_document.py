"""`bouted pareto --json`. Keys are only ever added; money is decimal strings, times seconds. Pure."""

from typing import Any

from bouted.cli.pareto_points import Front, Point


def pareto_document(front: Front) -> dict[str, Any]:
    """The document, ready for JSON."""
    return {
        "plan": front.plan.id,
        "rule": front.rule,
        "objective": front.metric.value,
        "budget_usd_per_hour": str(front.budget_usd_per_hour),
        "target_p95_s": front.target_s,
        "quality_min": front.quality_min,
        "designs": [_design(point) for point in front.points],
    }


def _design(point: Point) -> dict[str, Any]:
    return {
        "usd_per_hour": str(point.usd_per_hour),
        "usd_per_hour_range": [point.usd.low, point.usd.high],
        "p95_s": point.p95_s.value,
        "p95_s_range": [point.p95_s.low, point.p95_s.high],
        "quality": {"mean": point.quality, "low": point.quality_low},
        "judge": point.judge.value,
        "fleet": point.fleet,
        "chosen": point.chosen,
        "incumbent": point.incumbent,
        "fits": point.fits,
    }
