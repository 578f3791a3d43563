"""The status screen, as a person sees it, over boards that they may meet."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

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
from bouted.cli.life import Life
from bouted.cli.screen import screen

NOW = datetime(2026, 11, 23, 14, 14, 6, tzinfo=UTC)


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


PLAN = BoardPlan(
    id="7f3a2",
    created_at=ago(2 * 3600 + 11 * 60),
    trigger="price",
    usd_per_hour="18.42",
    p95_s=9.84,
    quality=0.871,
    gap_to_bound=0.004,
    rate_per_s=15.0,
    thresholds=(0.412, 0.803),
    routing="split at router score 0.412, 0.803",
)


def node(name: str, where: str, what: str, usd: str, **more: object) -> BoardNode:
    count, gpu, market, instance = what.split()
    base = BoardNode(
        name=f"bt-prod-{name}",
        where=where,
        instance_type=instance,
        gpu=gpu,
        gpu_count=int(count),
        market=market,
        usd_per_hour=usd,
        status="up",
        reason="observed",
        since=ago(7800),
        note="",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def replica(on: BoardNode, position: int, model: str, shape: str, **more: object) -> BoardReplica:
    base = BoardReplica(
        name=f"{on.name}-r{position}",
        node=on.name,
        model=model,
        shape=shape,
        status="ready",
        reason="observed",
        since=ago(7700),
        endpoint=f"http://10.0.0.{position + 4}:8000",
        pid=None,
    )
    return replace(base, **more)  # type: ignore[arg-type]


L4 = node("1a2b3c4d-1", "aws/us-east-1a", "4 L4 spot g6.12xlarge", "1.16")
H100 = node("9e8d7c6b-2", "lambda/us-east-1", "8 H100-80GB on_demand gpu_8x_h100_sxm5", "17.26")

OK = Board(
    written_at=ago(1),
    deployment="prod",
    mode="apply",
    verdict="OK",
    note="",
    paused=False,
    pid=123,
    plan=PLAN,
    proposed=None,
    usd_per_hour="18.42",
    budget_usd_per_hour="25.00",
    spent_today_usd="31.20",
    spent_month_usd="412.07",
    forecast_month_usd="8240.11",
    rate_per_s=12.4,
    requests_ok=10123,
    requests_failed=0,
    targets=(
        BoardTarget(name="p95 ttft", unit="s", target=0.9, planned=0.61, measured=0.64),
        BoardTarget(name="p95 e2e", unit="s", target=12.0, planned=9.84, measured=10.2),
        BoardTarget(name="quality", unit="", target=0.86, planned=0.864, measured=None, at_least=True),
    ),
    routes=(
        BoardRoute(model="small", planned_share=0.74, seen_share=0.73, ready=4, wanted=4),
        BoardRoute(model="medium", planned_share=0.2, seen_share=0.212, ready=1, wanted=1),
        BoardRoute(model="large", planned_share=0.06, seen_share=0.058, ready=1, wanted=1),
    ),
    nodes=(L4, H100),
    replicas=(
        *(replica(L4, at, "small", "1xL4 tp1", pid=800 + at, version="vllm 0.32.0") for at in range(4)),
        replica(H100, 0, "medium", "2xH100-80GB tp2"),
        replica(H100, 1, "large", "4xH100-80GB tp4"),
    ),
    events=(
        BoardEvent(at=ago(7800), severity="notice", kind="plan_applied", message="plan 7f3a2 applied: price"),
        BoardEvent(
            at=ago(90000),
            severity="info",
            kind="daemon_started",
            message="daemon started, 2 nodes adopted",
        ),
    ),
)

STARTING = replace(
    OK,
    verdict="STARTING",
    note="0 of 6 replicas ready",
    rate_per_s=None,
    requests_ok=0,
    plan=replace(PLAN, created_at=ago(41)),
    targets=tuple(replace(target, measured=None) for target in OK.targets),
    routes=tuple(replace(route, seen_share=None, ready=0) for route in OK.routes),
    nodes=(L4, replace(H100, status="launching", reason="plan", since=ago(12))),
    replicas=tuple(
        replace(item, status="starting", reason="plan", since=ago(7), endpoint="")
        for item in OK.replicas
        if item.node == L4.name
    ),
)

PAUSED = replace(
    OK,
    verdict="PAUSED",
    note="nothing is launched or stopped until: bouted resume",
    paused=True,
    mode="confirm",
    proposed=replace(PLAN, id="9c1d0", usd_per_hour="16.10", p95_s=0.71, quality=0.866),
)

DEGRADED = replace(
    OK,
    verdict="DEGRADED",
    note="no replica of large serves; abler models take its queries",
    requests_failed=3,
    targets=(
        *(replace(target, measured=(target.measured or 0) * 1.31) for target in OK.targets[:2]),
        replace(OK.targets[2], measured=0.848),
    ),
    routes=(*OK.routes[:2], replace(OK.routes[2], seen_share=0.0, ready=0)),
    replicas=(
        replace(OK.replicas[0], version="vllm 0.33.0"),
        *OK.replicas[1:5],
        replace(OK.replicas[5], status="warming", since=ago(32), reason="replaced"),
    ),
    nodes=(
        L4,
        replace(
            H100,
            status="stopping",
            reason="lost",
            since=ago(3),
            note="no answer for 31 s, and the provider says it has ended",
        ),
    ),
    config_error="bouted.yaml:7 targets.ttft_p95_ms: must be a number above 0, got 'fast'",
    stale_sources=("aws since 13:20 UTC (54m): throttled",),
    events=(
        *OK.events,
        BoardEvent(
            at=ago(30),
            severity="page",
            kind="node_status",
            message="node bt-prod-9e8d7c6b-2 was lost with no notice; its queries go to medium until"
            " a new one is ready, in about 5 minutes",
        ),
    ),
)

NOTHING_YET = replace(
    OK,
    verdict="STARTING",
    note="making the first plan",
    mode="advise",
    plan=None,
    usd_per_hour="0.00",
    spent_today_usd="0.00",
    spent_month_usd="0.00",
    forecast_month_usd="0.00",
    rate_per_s=None,
    requests_ok=0,
    targets=(),
    routes=(),
    nodes=(),
    replicas=(),
    events=(),
)

REPLANNING = replace(
    OK,
    verdict="DEGRADED",
    note="planning failed, plan 7f3a2 stays in force",
    plan_error="the planning worker died with exit code -9: killed, by somebody or for want of memory",
    planning=BoardPlanning(
        stage="simulate",
        done=18,
        total=24,
        best_usd_per_hour=16.1,
        bound_usd_per_hour=15.4,
        seconds=23.4,
        left_s=36.6,
    ),
)

ON_TRIAL = replace(
    OK,
    verdict="CONVERGING",
    note="5 of 6 planned replicas ready, 1 node to leave",
    trials=(
        BoardTrial(
            shape="small@L4:tp1pp1:bf16:vllm", model="small", replicas=2, share=0.05, since=ago(40), worse=""
        ),
        BoardTrial(
            shape="large@H100-80GB:tp4pp1:fp8:vllm",
            model="large",
            replicas=1,
            share=None,
            since=ago(64),
            worse="p95 ttft is 4.1 s at 0.8 requests/s, promised at most 0.9 s",
        ),
    ),
    events=(
        *OK.events,
        BoardEvent(
            at=ago(3600),
            severity="warning",
            kind="plan_rolled_back",
            message="plan 9c1d0 rolled back: p95 ttft is 2.1 s, promised 0.8 s, the target is 1 s, which was"
            " met before; plan 7f3a2 is in force again, at $18.42/h; planning starts anew, without that"
            " design for a while",
        ),
    ),
)

TROUBLE = replace(
    OK,
    troubles=(
        "The dead-man switch of 2 nodes (bt-prod-1a2b3c4d-1, ...) cannot be moved: 503 service unavailable;"
        " they end themselves from 2026-11-24 02:10 UTC on",
        "Need attention: bt-prod-1a2b3c4d-1",
    ),
    nodes=(
        replace(
            L4,
            status="needs_attention",
            reason="timeout",
            since=ago(95),
            note="still there 600 s after it was asked to end, and asked again; look at your provider's"
            " console, or: bouted reap bt-prod-1a2b3c4d-1",
        ),
        H100,
        node("adopted-10.0.0.9-8000", "adopted/adopted-10.0.0.9-8000", "2 L40S on_demand 2xL40S", "2.50"),
    ),
    replicas=OK.replicas[4:],
)

SCREENS = {
    "status-trouble": (TROUBLE, Life.RUNNING),
    "status-trial": (ON_TRIAL, Life.RUNNING),
    "status-replanning": (REPLANNING, Life.RUNNING),
    "status-ok": (OK, Life.RUNNING),
    "status-held": (replace(OK, rate_per_s=39.7, held_rate_per_s=40.0), Life.RUNNING),
    "status-starting": (STARTING, Life.RUNNING),
    "status-paused": (PAUSED, Life.RUNNING),
    "status-degraded": (DEGRADED, Life.RUNNING),
    "status-empty": (NOTHING_YET, Life.RUNNING),
    "status-daemon-dead": (replace(OK, written_at=ago(724)), Life.GONE),
    "status-daemon-silent": (replace(OK, written_at=ago(252)), Life.SILENT),
    "status-down": (
        replace(NOTHING_YET, verdict="DOWN", note="everything is stopped", written_at=ago(90000)),
        Life.GONE,
    ),
}


@pytest.mark.parametrize("name", SCREENS)
def test_the_screen_reads_as_it_should(name: str, golden: Callable[[str, str], None]) -> None:
    board, life = SCREENS[name]
    golden(name, "\n".join(screen(board, life=life, now=NOW)))


@pytest.mark.parametrize("name", SCREENS)
def test_no_line_is_wider_than_100_columns(name: str) -> None:
    board, life = SCREENS[name]
    assert max(len(line) for line in screen(board, life=life, now=NOW)) <= 100
