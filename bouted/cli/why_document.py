"""`bouted why --json`. Keys are only ever added; money is decimal strings, times seconds. Pure."""

from dataclasses import asdict
from typing import Any

from bouted.planner.assumed import Assumed
from bouted.planner.whatif import WhatIf
from bouted.planner.why import Why


def why_document(told: Why) -> dict[str, Any]:
    """The document, ready for JSON."""
    plan = told.plan
    return {
        "plan": plan.id,
        "rule": told.problem.preference.rule.value,
        "why": list(plan.why),
        "runner_up": plan.runner_up,
        "usd_per_hour": str(plan.design.usd_per_hour),
        "constraints": told.what_if and _constraints(told.what_if),
        "more_money": told.what_if and _more_money(told.what_if),
        "gpus": [
            {
                "gpu": item.gpu,
                "verdict": item.verdict.value,
                "offer": item.offer or None,
                "more_usd_per_hour": _text(item.more_usd_per_hour),
                "idle_p95_s": item.idle_s,
            }
            for item in told.gpus
        ],
        "assumed": _assumed(told.assumed),
    }


def _constraints(found: WhatIf) -> list[dict[str, Any]]:
    return [
        {
            "name": item.name,
            "unit": item.unit.value,
            "now": item.now,
            "limit": item.limit,
            "step": item.step,
            "binds": item.binds,
            "saves_usd_per_hour": str(item.saves_usd_per_hour),
            "faster_s": item.faster_s,
        }
        for item in found.bought
    ]


def _more_money(found: WhatIf) -> dict[str, Any]:
    more = found.more_money
    return {
        "step_usd_per_hour": str(more.step_usd_per_hour),
        "usd_per_hour": _text(more.usd_per_hour),
        "p95_s": more.p95_s,
        "faster_s": more.faster_s,
    }


def _assumed(assumed: Assumed) -> dict[str, Any]:
    return {
        "prices": [
            {
                **asdict(item),
                "usd_per_hour": str(item.usd_per_hour),
                "quoted_usd_per_hour": _text(item.quoted_usd_per_hour),
                "confidence": item.confidence.value,
            }
            for item in assumed.prices
        ],
        "step_times": [{**asdict(item), "evidence": item.evidence.value} for item in assumed.steps],
        "load": {**asdict(assumed.load), "source": assumed.load.source.value},
        "quality": asdict(assumed.quality),
        "moving": {**asdict(assumed.moving), "weights_gib": dict(assumed.moving.weights_gib)},
        "scenarios": assumed.scenarios,
        "latency_spread": assumed.latency_spread,
    }


def _text(amount: object) -> str | None:
    return None if amount is None else str(amount)
