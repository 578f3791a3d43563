"""`bouted demo`: the whole job on this machine, in a few minutes, and a summary of what was seen."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic

from bouted.board import Board
from bouted.demo.acts import Killed, kill_one, step_price
from bouted.demo.driver import TraceDriver
from bouted.demo.replay import replayed_p95_s
from bouted.demo.setting import Acts, demo_lengths, write_config
from bouted.demo.stage import Stage, free_port, now
from bouted.demo.summary import (
    Recorded,
    Window,
    plan_rows,
    request_counts,
    summary_lines,
    window_rows,
)
from bouted.demo.telling import Teller
from bouted.demo.trace import demo_trace
from bouted.errors import Retryable
from bouted.planner.plan import Plan
from bouted.store.fleet import count_replicas
from bouted.store.open import open_store
from bouted.store.plans import list_plans
from bouted.store.spend import spend_usd

READY_S = 75.0
REPLAN_S = 40.0
LOOK_S = 0.5
SEED = 11


def run_demo(out: Path, keep: bool) -> int:
    """Run the demo; 0 when everything went as it should. Nothing is left running either way."""
    folder = Path(tempfile.mkdtemp(prefix="bouted-demo-"))
    out.mkdir(parents=True, exist_ok=True)
    port = free_port()
    acts = Acts()
    stage = Stage(
        config_path=write_config(folder, rate_per_s=acts.rate_per_s, port=port),
        state_dir=folder / "state",
        logs=folder,
        gateway_url=f"http://127.0.0.1:{port}",
    )
    try:
        return asyncio.run(Show(stage=stage, acts=acts, out=out).run())
    finally:
        for log in ("run.log", "gateway.log", "down.log"):
            if (folder / log).exists():
                shutil.copy(folder / log, out / log)
        if keep:
            print(f"state and logs are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass(slots=True)
class Show:
    """The acts in order, and what each left behind for the summary."""

    stage: Stage
    acts: Acts
    out: Path
    teller: Teller = field(default_factory=Teller)
    windows: list[Window] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    killed: Killed | None = None

    async def run(self) -> int:
        """Play every act, then stop everything and write the summary."""
        began = monotonic()
        left = 1
        driver = TraceDriver(self.stage.gateway_url)
        try:
            self.teller.act("The daemon starts, plans, and launches replicas as local processes")
            self.stage.start()
            await self._until(_serving, READY_S, "all replicas ready", driver)
            await self._play(driver)
        except Retryable as late:
            self.problems.append(late.message)
            self.teller.say(f"PROBLEM: {late.message}")
        finally:
            self.teller.act("Everything is stopped")
            await driver.finish()
            spent = self._spent()
            left = await asyncio.to_thread(self.stage.stop)
        summary = self._summary(driver, spent, left, monotonic() - began)
        path = self.out / "summary.json"
        path.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
        self._tell_summary(summary, path)
        return 1 if self.problems else 0

    async def _play(self, driver: TraceDriver) -> None:
        rate = self.acts.rate_per_s
        driver.started = monotonic()
        first = self._plan()
        self.teller.act(f"A trace of {rate:g} queries/s goes through the gateway")
        await self._trace(driver, rate, self.acts.steady_s, seed=1)
        self._window("steady load", first, 0.0, driver.now_s())
        self.teller.act("(a) A spot price steps up under the fleet")
        self.teller.say(step_price(self.stage, first))
        await self._while_trace(driver, rate, 2, _planned_for("price", now()))
        self.teller.act(f"(b) The load doubles to {2 * rate:g} queries/s")
        await self._while_trace(driver, 2 * rate, 3, _planned_for("load", now()))
        await self._doubled(driver)
        self.teller.act("(c) One replica is killed")
        self.killed = kill_one(self.stage)
        self.teller.say(f"kill -9 {self.killed.pid}: {self.killed.replica} ({self.killed.model})")
        await self._while_trace(driver, 2 * rate, 5, _replaced(self.killed))
        self.teller.say("replaced")

    async def _doubled(self, driver: TraceDriver) -> None:
        """Steady doubled load on the plan made for it, long enough for a P95.

        The backlog of the step is worked off before it, and its last requests are answered before
        anything is killed.
        """
        acts, plan = self.acts, self._plan()
        await self._trace(driver, 2 * acts.rate_per_s, acts.backlog_s, seed=7)
        start_s = driver.now_s()
        await self._trace(driver, 2 * acts.rate_per_s, acts.doubled_s, seed=4)
        self._window("doubled load", plan, start_s, driver.now_s())
        await self._trace(driver, 2 * acts.rate_per_s, acts.answered_s, seed=6)

    async def _trace(self, driver: TraceDriver, rate_per_s: float, length_s: float, *, seed: int) -> None:
        """Send this stretch of the trace, looking at the board meanwhile."""
        items = demo_trace(
            rate_per_s=rate_per_s,
            start_s=driver.now_s(),
            length_s=length_s,
            lengths=demo_lengths(rate_per_s, SEED),
            seed=SEED + seed,
        )
        playing = asyncio.create_task(driver.play(items))
        try:
            while not playing.done():
                self._look(driver)
                await asyncio.wait({playing}, timeout=LOOK_S)
            await playing
        finally:
            playing.cancel()

    async def _while_trace(
        self, driver: TraceDriver, rate_per_s: float, seed: int, reached: Callable[[Board], bool]
    ) -> None:
        """Let the trace go on until the daemon has seen, planned and moved."""
        trace = asyncio.create_task(self._trace(driver, rate_per_s, REPLAN_S + READY_S, seed=seed))
        try:
            await self._until(reached, REPLAN_S, "a replan", driver)
            await self._until(_carried, READY_S, "the planned replicas ready", driver)
        finally:
            trace.cancel()
            await asyncio.wait({trace})

    async def _until(
        self, reached: Callable[[Board], bool], within_s: float, what: str, driver: TraceDriver
    ) -> None:
        until = monotonic() + within_s
        while monotonic() < until:
            board = self._look(driver)
            died = self.stage.died()
            if died:
                raise Retryable(died, after_s=0)
            if board is not None and reached(board):
                return
            await asyncio.sleep(LOOK_S)
        raise Retryable(f"{what}: not within {within_s:.0f} s", after_s=0)

    def _look(self, driver: TraceDriver) -> Board | None:
        board = self.stage.board()
        self.teller.board(board, driver.waiting)
        return board

    def _plan(self) -> Plan:
        """The newest plan: the one in force, or the record of why it was held, judged for today's load."""
        store = open_store(self.stage.database_url)
        try:
            newest = list_plans(store, 1)
        finally:
            store.close()
        if not newest:
            raise Retryable("there is no plan", after_s=0)
        return newest[0].plan

    def _window(self, label: str, plan: Plan, start_s: float, end_s: float) -> None:
        self.windows.append(Window(plan=plan, label=label, start_s=start_s, end_s=end_s))

    def _spent(self) -> float:
        store = open_store(self.stage.database_url)
        try:
            at = now()
            return float(spend_usd(store, at.replace(year=2000), at))
        finally:
            store.close()

    def _summary(self, driver: TraceDriver, spent: float, left: int, seconds: float) -> dict[str, object]:
        store = open_store(self.stage.database_url)
        try:
            rows = [Recorded(plan=row.plan, status=row.status) for row in list_plans(store, 100)]
            started = count_replicas(store)
        finally:
            store.close()
        rows.reverse()
        summary: dict[str, object] = {
            "plans": plan_rows(rows),
            **request_counts(driver.sent, self.killed.replica if self.killed else ""),
            "p95": window_rows(self.windows, driver.sent),
            "p95_steady_replayed_s": self._replayed(driver),
            "time_scale": 1.0,
            "replicas_started": started,
            "replicas_left": left,
            "spend_usd": round(spent, 4),
            "seconds": round(seconds, 1),
            "problems": self.problems,
        }
        self._judge(summary)
        return summary

    def _replayed(self, driver: TraceDriver) -> float | None:
        """The steady window by the simulator: it began on an idle fleet, so it can be replayed."""
        if not self.windows:
            return None
        first = self.windows[0]
        steady = tuple(s for s in driver.sent if s.ok and s.sent_s < first.end_s)
        return round(replayed_p95_s(first.plan, steady), 3)

    def _judge(self, summary: dict[str, object]) -> None:
        """What must hold whatever the machine's speed."""
        if summary["requests_failed"]:
            self.problems.append(f"{summary['requests_failed']} requests failed: {summary['failures']}")
        if summary["replicas_left"]:
            self.problems.append(f"{summary['replicas_left']} replicas are left")
        plans = summary["plans"]
        if not isinstance(plans, list) or len(plans) < 3:
            self.problems.append("fewer than 3 plans were made")
        summary["problems"] = self.problems

    def _tell_summary(self, summary: dict[str, object], path: Path) -> None:
        for line in summary_lines(summary):
            print(f"  {line}")
        print(
            f"\n{'done' if not self.problems else 'PROBLEMS: ' + '; '.join(self.problems)}; all of it: {path}"
        )


def _serving(board: Board) -> bool:
    """Every replica of the plan in force is ready, and nothing else runs."""
    wanted = sum(route.wanted for route in board.routes)
    ready = sum(route.ready for route in board.routes)
    return 0 < wanted == ready == len(board.replicas)


def _carried(board: Board) -> bool:
    """The plan's own replicas are all ready; others may still drain."""
    return bool(board.routes) and all(route.ready == route.wanted for route in board.routes)


def _planned_for(trigger: str, since: datetime) -> Callable[[Board], bool]:
    """A plan was made for this since then: applied, or held because moving would not pay."""

    def reached(board: Board) -> bool:
        applied = board.plan is not None and board.plan.trigger == trigger
        held = any(e.kind == "plan_held" and datetime.fromisoformat(e.at) > since for e in board.events)
        return applied or held

    return reached


def _replaced(killed: Killed) -> Callable[[Board], bool]:
    def reached(board: Board) -> bool:
        gone = all(replica.name != killed.replica for replica in board.replicas)
        return gone and _carried(board)

    return reached
