"""The planning worker as the daemon uses it: a real child process that plans, fails, hangs and is killed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bouted.codec import dump
from bouted.errors import Misconfigured, NoCapacity, Retryable
from bouted.market.offers import Market
from bouted.planner.client import PlanningWorker
from bouted.planner.design import Ended, Frontier, Judge, Progress
from bouted.planner.problem import PlanningProblem
from bouted.planner.requests import QualityRequest
from bouted.planner.wire import dump_error, parse_error
from bouted.testing.builders import a_problem, a_shape, a_table, a_workload, rules, targets
from bouted.testing.fleet import an_offer
from bouted.testing.processes import until


def a_case(**changes: object) -> PlanningProblem:
    offers = [
        an_offer("one", usd_per_hour="1.00", market=Market.ON_DEMAND),
        an_offer("two", gpu_count=2, usd_per_hour="2.40", market=Market.ON_DEMAND),
        an_offer("four", gpu_count=4, usd_per_hour="4.00"),
    ]
    return a_problem(
        offers,
        a_table({a_shape("small"): 4.0, a_shape("large", tp=2): 3.0}),
        (rules("small"), rules("large")),
        **{"wanted": targets(e2e=12.0, quality=0.7), "sweep": 24, "evaluations": 8, **changes},  # type: ignore[arg-type]
    )


def ignore(_: Progress) -> None:
    pass


def with_worker(work: Any, **options: float) -> Any:
    """Run `work(worker)` and close the worker, whatever happens."""

    async def run() -> Any:
        worker = PlanningWorker(**options)
        try:
            return await work(worker)
        finally:
            await worker.close()

    return asyncio.run(run())


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")


def same(frontier: Frontier) -> bytes:
    """The bytes of a frontier without the one thing that may differ."""
    return dump(Frontier, replace(frontier, seconds=0.0))


def test_plans_are_simulated_and_repeat_byte_for_byte_in_any_worker() -> None:
    told: list[Progress] = []

    async def twice(worker: PlanningWorker) -> tuple[Frontier, Frontier]:
        return await worker.propose(a_case(), told.append), await worker.propose(a_case(), ignore)

    first, second = with_worker(twice)
    fresh = with_worker(lambda worker: worker.propose(a_case(), ignore))
    assert first.designs
    assert all(item.estimate.judge is Judge.SIMULATED for item in first.designs)
    assert 3 <= first.simulated <= 8
    assert same(first) == same(second) == same(fresh)
    assert {item.stage for item in told} == {"sweep", "simulate"}
    assert told[-1].done == told[-1].total


def test_a_worker_compiles_no_extension_and_waits_for_nobody_who_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = tmp_path / "logei_fused_ext"
    built.mkdir()
    (built / "lock").touch()  # what a worker that was killed while it compiled would leave
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    assert with_worker(lambda worker: worker.propose(a_case(), ignore)).simulated > 2
    assert [path.name for path in built.iterdir()] == ["lock"]


def test_errors_come_back_as_themselves_and_the_worker_stays() -> None:
    async def ask(worker: PlanningWorker) -> tuple[int | None, int | None]:
        request = QualityRequest(evals_file="/nowhere/evals.jsonl", models=("small",), state_dir="/", seed=1)
        pids = []
        for _ in range(2):
            with pytest.raises(Misconfigured) as caught:
                await worker.quality(request)
            assert caught.value.path == "/nowhere/evals.jsonl"
            assert caught.value.message == "/nowhere/evals.jsonl: no such file"
            assert caught.value.hint
            pids.append(worker.pid)
        return pids[0], pids[1]

    before, after = with_worker(ask)
    assert before is not None
    assert before == after


@pytest.mark.parametrize(
    "error",
    [
        Retryable("busy", after_s=3.0, hint="wait"),
        NoCapacity("aws/x/y/spot", hint="elsewhere"),
        Misconfigured("models.small", "is too large", hint="use fp8"),
    ],
)
def test_an_error_survives_the_pipe(error: Retryable | NoCapacity | Misconfigured) -> None:

    found = parse_error(json.loads(dump_error(error)))
    assert type(found) is type(error)
    assert (found.message, found.hint) == (error.message, error.hint)
    assert {k: v for k, v in vars(found).items() if k != "args"} == vars(error)


def test_a_search_that_is_stopped_answers_with_its_best_and_the_worker_serves_on() -> None:
    async def ask(worker: PlanningWorker) -> tuple[Frontier, Frontier]:
        def stop_once_something_is_found(told: Progress) -> None:
            if told.stage == "simulate":
                assert worker.stop()

        endless = a_case(evaluations=10_000, deadline_s=60.0)
        stopped = await worker.propose(endless, stop_once_something_is_found)
        pid = worker.pid
        assert not worker.stop()
        after = await worker.propose(a_case(), ignore)
        assert worker.pid == pid
        return stopped, after

    stopped, after = with_worker(ask)
    assert stopped.ended is Ended.STOPPED
    assert stopped.designs
    assert 1 <= stopped.simulated < 1000
    assert after.ended is Ended.DONE
    assert after.simulated == 8


def test_a_late_worker_is_ended_and_replaced() -> None:
    async def ask(worker: PlanningWorker) -> None:
        with pytest.raises(Retryable, match="gave no answer"):
            await worker.propose(a_case(deadline_s=0.02), ignore)
        assert worker.pid is None

    with_worker(ask, margin_s=0.02)


def test_a_worker_that_dies_says_how_and_the_next_call_gets_another() -> None:
    async def ask(worker: PlanningWorker) -> None:
        def kill(_: Progress) -> None:
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)

        with pytest.raises(Retryable, match="exit code -9"):
            await worker.propose(a_case(sweep=4000), kill)
        assert (await worker.propose(a_case(evaluations=0), ignore)).designs

    with_worker(ask)


def test_a_bug_in_the_worker_is_told_by_its_last_line() -> None:
    async def ask(worker: PlanningWorker) -> None:
        request = QualityRequest(evals_file="", models=("small", "large"), state_dir="/nowhere", seed=1)
        with pytest.raises(Retryable, match=r"exit code 1: FileNotFoundError"):
            await worker.quality(request)

    with_worker(ask)


def test_a_closed_worker_is_gone() -> None:
    async def ask(worker: PlanningWorker) -> int | None:
        await worker.propose(a_case(evaluations=0), ignore)
        return worker.pid

    pid = with_worker(ask)
    assert pid is not None
    assert gone(pid)


PARENT = """
import asyncio
import json
from pathlib import Path
from bouted.codec import parse
from bouted.planner.client import PlanningWorker
from bouted.planner.problem import PlanningProblem

async def main():
    worker = PlanningWorker()
    problem = parse(PlanningProblem, Path({path!r}).read_bytes())
    await worker.propose(problem, lambda progress: print(worker.pid, flush=True))

asyncio.run(main())
"""


def test_a_worker_does_not_outlive_a_killed_daemon_even_while_it_computes(tmp_path: Path) -> None:
    path = tmp_path / "problem.json"
    path.write_bytes(dump(PlanningProblem, a_case(sweep=20_000, workload=a_workload(40.0))))
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(path=str(path))], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout:
        pid = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    until(lambda: gone(pid))
