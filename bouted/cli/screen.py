"""The status screen: a board as lines of plain text, the verdict first. Pure."""

from collections import Counter
from datetime import datetime
from decimal import Decimal
from textwrap import wrap

from bouted.board import Board, BoardPlan, BoardPlanning, BoardTarget, BoardTrial, age_s
from bouted.cli.columns import WIDTH, columns, cut, fields, paragraph, whole
from bouted.cli.life import Life
from bouted.cli.screen_fleet import fleet_table
from bouted.cli.units import age, clock, figure, seconds, share, usd, usd_change, usd_round

LABEL = 8
EVENTS_SHOWN = 8


def screen(board: Board, *, life: Life, now: datetime, standby: str = "") -> list[str]:
    """The whole screen, at most 100 columns wide. `standby` is the daemon that waits to take over."""
    head = [*_verdict(board, life, now), *_standby(standby), *_warnings(board, life, now)]
    parts = (
        [*head, *_load(board), *_engines(board)],
        _targets(board),
        _routes(board),
        fleet_table(board.nodes, board.replicas, now),
        _events(board),
    )
    return "\n\n".join("\n".join(part) for part in parts if part).splitlines()


def _verdict(board: Board, life: Life, now: datetime) -> list[str]:
    plan = f"plan {board.plan.id} ({age(age_s(board.plan.created_at, now))})" if board.plan else "no plan yet"
    month = f"month {usd_round(board.spent_month_usd)} -> {usd_round(board.forecast_month_usd)} forecast"
    rate = f"{usd(board.usd_per_hour)}/h of {usd(board.budget_usd_per_hour)}/h"
    today, mode = f"today {usd(board.spent_today_usd)}", f"mode {board.mode}"
    parts = (
        f"bouted: {_word(board, life)}",
        plan,
        rate,
        today,
        month,
        mode,
        f"deployment {board.deployment}",
    )
    return fields(parts, indent=LABEL + 2)


def _standby(standby: str) -> list[str]:
    return _line("STANDBY", f"{standby} waits to take over") if standby else []


def _word(board: Board, life: Life) -> str:
    """The board's verdict, unless nobody stands behind it any more."""
    if life is Life.RUNNING or board.verdict == "DOWN":
        return board.verdict
    return "DAEMON SILENT" if life is Life.SILENT else "DAEMON NOT RUNNING"


def _warnings(board: Board, life: Life, now: datetime) -> list[str]:
    """What a person should know before reading on, a paragraph each."""
    lines = [] if life is Life.RUNNING else _line("DAEMON", _absent(board, life, now))
    if board.note and board.verdict != "PAUSED":
        lines += _line("NOTE", board.note)
    if board.paused:
        lines += _line(
            "PAUSED", f"nothing is launched, moved or stopped; go on with: {whole('bouted resume')}"
        )
    for trouble in board.troubles:
        lines += _line("TROUBLE", trouble)
    if board.plan_error and board.plan:
        lines += _line("FAILED", _plan_error(board.plan_error, board.plan))
    if board.planning:
        lines += _line("PLANNING", _planning(board.planning))
    if board.config_error:
        lines += _line("CONFIG", _config_error(board.config_error))
    for source in board.stale_sources:
        lines += _line("PRICES", f"stale: {source}")
    for trial in board.trials:
        lines += _line("TRIAL", _trial(trial, now))
    if board.proposed:
        lines += _line("PROPOSED", _proposal(board.proposed, board.plan))
    return lines


def _absent(board: Board, life: Life, now: datetime) -> str:
    seen = datetime.fromisoformat(board.written_at)
    ago = age((now - seen).total_seconds())
    if life is Life.SILENT:
        stuck = f"pid {board.pid} has written nothing for {ago}; what follows is as of then"
        return f"{stuck}; see {whole('journalctl -u bouted')}, then: {whole('systemctl restart bouted')}"
    since = f"not running since {clock(seen, now)} UTC ({ago} ago)"
    start = f"start it: {whole('bouted run')}, or {whole('systemctl start bouted')}"
    if board.verdict == "DOWN":
        return f"{since}; {start}"
    gone = f"pid {board.pid} is gone; what follows is as of then; the fleet goes on and costs money"
    return f"{since}, {gone}; {start}"


def _trial(trial: BoardTrial, now: datetime) -> str:
    """E.g. `small@L4:tp1pp1:bf16:vllm takes 5 % of small's queries, for 40s now; the old replicas stay`."""
    part = "what is planned" if trial.share is None else share(trial.share)
    takes = f"{trial.shape} takes {part} of {trial.model}'s queries, for {age(age_s(trial.since, now))} now"
    if trial.worse:
        return f"{takes}; it goes badly: {trial.worse}"
    return f"{takes}; the old replicas stay meanwhile"


def _proposal(plan: BoardPlan, current: BoardPlan | None) -> str:
    change = ""
    if current:
        change = f" ({usd_change(Decimal(plan.usd_per_hour) - Decimal(current.usd_per_hour))}/h)"
    figures = f"{usd(plan.usd_per_hour)}/h{change}, p95 {seconds(plan.p95_s)}, quality {plan.quality:.3f}"
    return f"plan {plan.id} at {figures}; accept it: {whole(f'bouted apply {plan.id}')}"


def _plan_error(text: str, current: BoardPlan) -> str:
    return f"planning: {text.splitlines()[0]}; plan {current.id} stays in force, bouted plans again by itself"


def _planning(under_way: BoardPlanning) -> str:
    """E.g. `simulate 18 of 24, best $16.10/h, 4 % above the bound, 3.2 s, 40 s left`."""
    best, bound = under_way.best_usd_per_hour, under_way.bound_usd_per_hour
    parts = [
        f"{under_way.stage} {under_way.done} of {under_way.total}" if under_way.total else under_way.stage
    ]
    if best is not None:
        parts.append(f"best ${best:,.2f}/h")
        if bound:
            parts.append(f"{share(max(0.0, best / bound - 1))} above the bound")
    parts.append(f"{under_way.seconds:.1f} s")
    if under_way.left_s is not None:
        parts.append(f"{under_way.left_s:.0f} s left")
    return ", ".join(parts)


def _config_error(text: str) -> str:
    first, *others = text.splitlines()
    more = f", and {len(others)} more ({whole('bouted check')} lists them)" if others else ""
    return f"{first}{more}; the last good config stays in force"


def _load(board: Board) -> list[str]:
    now = "not measured yet" if board.rate_per_s is None else f"{board.rate_per_s:.3g} queries/s now"
    planned = f", planned for {_planned_for(board.plan, board.held_rate_per_s)}" if board.plan else ""
    return _line("LOAD", f"{now}{planned}; {board.requests_ok:,} answered, {board.requests_failed:,} failed")


def _planned_for(plan: BoardPlan, held: float | None) -> str:
    """E.g. `15`, or `15 and held at 40`: planning for 40 found nothing better."""
    made, again = f"{plan.rate_per_s:.3g}", "" if held is None else f"{held:.3g}"
    return f"{made} and held at {again}" if again not in ("", made) else made


def _engines(board: Board) -> list[str]:
    """E.g. `vllm 0.32.0`; while there are several, how many replicas run which."""
    known = Counter(replica.version for replica in board.replicas if replica.version)
    if not known:
        return []
    counted = (f"{version}: {count} replica{'s' * (count > 1)}" for version, count in sorted(known.items()))
    return _line("ENGINES", ", ".join(known if len(known) == 1 else counted))


def _targets(board: Board) -> list[str]:
    if not board.targets:
        return []
    head = ("TARGET", "LIMIT", "PLANNED", "MEASURED", "")
    lines = columns([head, *(_target(target) for target in board.targets)], right=frozenset({1, 2, 3}))
    return [cut(line) for line in lines]


def _target(target: BoardTarget) -> tuple[str, ...]:
    def text(value: float | None) -> str:
        return "-" if value is None else figure(value, target.unit, like=target.target)

    limit = f"{'>=' if target.at_least else '<='} {text(target.target)}"
    return (target.name, limit, text(target.planned), text(target.measured), _judged(target))


def _judged(target: BoardTarget) -> str:
    if target.measured is None:
        return "not measured"
    if target.at_least:
        short = target.target - target.measured
        return "ok" if short <= 0 else f"BELOW by {figure(short, target.unit, like=target.target)}"
    over = target.measured - target.target
    return "ok" if over <= 0 else f"OVER by {share(over / target.target)}"


def _routes(board: Board) -> list[str]:
    if not board.routes:
        return []
    rows = [("MODEL", "SHARE PLANNED", "SEEN", "READY", "")]
    for route in board.routes:
        seen = "-" if route.seen_share is None else share(route.seen_share)
        missing = route.wanted - route.ready
        note = f"{missing} missing" if missing > 0 else f"{-missing} more than planned" if missing else ""
        rows.append((route.model, share(route.planned_share), seen, f"{route.ready} of {route.wanted}", note))
    lines = [cut(line) for line in columns(rows, right=frozenset({1, 2, 3}))]
    if board.plan and board.plan.routing:
        lines += wrap(board.plan.routing, WIDTH, subsequent_indent="  ")
    return lines


def _events(board: Board) -> list[str]:
    latest = sorted(board.events, key=lambda event: event.at)[-EVENTS_SHOWN:]
    lines = ["EVENTS (UTC)"] if latest else []
    for event in latest:
        at = f"{datetime.fromisoformat(event.at):%m-%d %H:%M:%S}"
        severity = "" if event.severity == "info" else f"{event.severity.upper()}: "
        lines += paragraph(at, severity + event.message)
    return lines


def _line(label: str, text: str) -> list[str]:
    return paragraph(label.ljust(LABEL), text)
