"""Jobs come every so often whatever the machine's clock does: time is virtual, the scheduler real."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import closing
from datetime import datetime, timedelta, tzinfo

import pytest

from bouted.daemon.schedule import Job, Schedule, Turns, always
from bouted.testing.sim.vtime import START, SkewedClock, VirtualLoop

DAY_S = 86_400.0


class Machine:
    """A loop of virtual time, the wall clock that APScheduler reads there, and the turns that jobs had."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop, self.clock, self.turns = loop, SkewedClock(loop), Counter[str]()
        self.schedule = Schedule(self.attend)

    async def attend(self, job: Job) -> None:
        self.turns[job.name] += 1
        await job.do()

    def set_clock(self, by_s: float) -> None:
        self.clock.off_s += by_s

    async def turns_in(self, seconds: float) -> Counter[str]:
        self.turns.clear()
        await asyncio.sleep(seconds)
        return Counter(self.turns)

    def run(self, story: Coroutine[None, None, None]) -> None:
        async def whole() -> None:
            self.schedule.begin()
            await story
            await self.schedule.quiesce()

        self.loop.run_until_complete(whole())


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    with closing(VirtualLoop()) as loop:
        machine = Machine(loop)

        class Wall:
            @staticmethod
            def now(_: tzinfo) -> datetime:
                return machine.clock.now()

        monkeypatch.setattr("apscheduler.schedulers.base.datetime", Wall)
        yield machine


async def nothing() -> None:
    return


def a_job(name: str, every_s: float) -> Job:
    return Job(name=name, do=nothing, every_s=always(every_s))


def test_jobs_come_at_once_and_then_every_so_often(machine: Machine) -> None:
    async def story() -> None:
        machine.schedule.repeat(a_job("pass", 1.0))
        machine.schedule.repeat(a_job("renewal", 600.0))
        assert await machine.turns_in(0.5) == {"pass": 1, "renewal": 1}
        assert await machine.turns_in(1200.0) == {"pass": 1200, "renewal": 2}

    machine.run(story())


@pytest.mark.parametrize("by_s", [-DAY_S, -400.0, -5.0, 5.0, 400.0, DAY_S], ids="{:+.0f} s".format)
def test_a_step_of_the_clock_delays_no_job(machine: Machine, by_s: float) -> None:
    async def story() -> None:
        machine.schedule.repeat(a_job("pass", 1.0))
        machine.schedule.repeat(a_job("renewal", 600.0))
        await machine.turns_in(100.5)
        machine.set_clock(by_s)
        assert (await machine.turns_in(3.0))["pass"] >= 1
        soon = await machine.turns_in(500.0)
        assert soon["renewal"] >= 1 or by_s > 500
        later = await machine.turns_in(3600.0)
        assert later["pass"] in (3599, 3600, 3601)
        assert later["renewal"] == 6

    machine.run(story())


def test_a_clock_that_was_ahead_for_a_while_delays_no_job_either(machine: Machine) -> None:
    async def story() -> None:
        machine.schedule.repeat(a_job("pass", 1.0))
        machine.schedule.repeat(a_job("renewal", 600.0))
        await machine.turns_in(10.5)
        machine.set_clock(DAY_S)
        await machine.turns_in(10.0)
        machine.set_clock(-DAY_S)
        assert (await machine.turns_in(3.0))["pass"] >= 1
        assert (await machine.turns_in(600.0))["renewal"] == 1

    machine.run(story())


def test_turns_that_a_jump_ahead_skips_are_not_gone_through() -> None:
    turns = Turns(a_job("pass", 1.0))
    assert turns.get_next_fire_time(START, START) == START + timedelta(seconds=1)
    day_on = START + timedelta(days=1, seconds=0.5)
    assert turns.get_next_fire_time(START, day_on) == day_on + timedelta(seconds=1)


def test_a_job_still_at_work_is_not_started_again(machine: Machine) -> None:
    naps_s = [100.0]  # the first turn takes so long

    async def story() -> None:
        nap = Job(name="sweep", do=lambda: asyncio.sleep(naps_s.pop() if naps_s else 0), every_s=always(10.0))
        machine.schedule.repeat(nap)
        await machine.turns_in(5.0)
        machine.set_clock(-DAY_S)
        assert await machine.turns_in(90.0) == {}
        assert (await machine.turns_in(25.0))["sweep"] in (1, 2)

    machine.run(story())


def test_what_the_scheduler_says_of_a_late_job_names_it_and_tells_nothing_of_the_daemon(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    class Daemon:
        def __repr__(self) -> str:
            return "the whole daemon, with its secrets"

        async def sweep(self) -> None:
            await asyncio.sleep(15.0)

        def every_s(self) -> float:
            return 10.0

    async def story() -> None:
        daemon = Daemon()
        machine.schedule.repeat(Job(name="sweep", do=daemon.sweep, every_s=daemon.every_s))
        await machine.turns_in(37.0)

    machine.run(story())
    late = [record.getMessage() for record in caplog.records if record.name == "apscheduler.scheduler"]
    assert len(late) == 2
    assert all("sweep" in line and "daemon" not in line and len(line) < 200 for line in late)


def test_an_interval_that_became_shorter_holds_at_once_a_longer_one_from_the_next_turn_on(
    machine: Machine,
) -> None:
    every_s = {"sweep": 3600.0}

    async def story() -> None:
        machine.schedule.repeat(Job(name="sweep", do=nothing, every_s=lambda: every_s["sweep"]))
        assert await machine.turns_in(100.0) == {"sweep": 1}
        every_s["sweep"] = 10.0
        assert (await machine.turns_in(2.0))["sweep"] == 1
        assert (await machine.turns_in(100.0))["sweep"] == 10
        every_s["sweep"] = 3600.0
        assert (await machine.turns_in(3600.0))["sweep"] <= 2

    machine.run(story())


def test_who_has_quiesced_starts_nothing_more(machine: Machine) -> None:
    async def story() -> None:
        machine.schedule.begin()
        machine.schedule.repeat(a_job("pass", 1.0))
        await machine.turns_in(10.0)
        await machine.schedule.quiesce()
        machine.set_clock(DAY_S)
        assert await machine.turns_in(100.0) == {}

    machine.loop.run_until_complete(story())
