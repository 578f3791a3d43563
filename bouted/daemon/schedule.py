"""Runs jobs every so often, each by itself, and lets those under way finish.

A step of the machine's clock delays no job: the scheduler goes by that clock, and a watch that goes by the
event loop's, which only goes forward, brings on whatever has waited for too long.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_SUBMITTED, JobSubmissionEvent
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger

QUIESCE_S = 10.0
WATCH_S = 1.0
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)  # past, whatever the machine's clock says


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something the daemon does every so often; how often is asked again for every turn."""

    name: str
    do: Callable[[], Awaitable[None]] = field(repr=False)  # a method of the daemon: its repr is everything
    every_s: Callable[[], float] = field(repr=False)


def always(every_s: float) -> Callable[[], float]:
    """An interval that stays as it is."""
    return lambda: every_s


@dataclass(frozen=True, slots=True)
class Turns(BaseTrigger):  # type: ignore[misc]  # APScheduler ships no types
    """A job's turns, an interval apart. One that was missed is not made up for, however far the clock jumped
    ahead: the next is then an interval from now."""

    job: Job

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        interval = timedelta(seconds=self.job.every_s())
        following = (previous_fire_time or now) + interval
        return following if following > now else now + interval


@dataclass(slots=True)
class Schedule:
    """Starts jobs through `attend`, which lets no error out. A job still at work is not started again.

    `turn_at` is when each job last had its turn, in the event loop's seconds.
    """

    attend: Callable[[Job], Awaitable[None]]
    scheduler: AsyncIOScheduler = field(init=False)
    under_way: set["asyncio.Task[None]"] = field(default_factory=set)
    jobs: dict[str, Job] = field(default_factory=dict)
    turn_at: dict[str, float] = field(default_factory=dict)
    watch: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )
        self.scheduler.add_listener(self._had_turn, EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES)

    def begin(self) -> None:
        """Jobs may come from now on."""
        self.scheduler.start()
        self._watch()

    def repeat(self, job: Job) -> None:
        """Do this at once, and then every so often."""
        self.jobs[job.name] = job
        self.turn_at[job.name] = asyncio.get_running_loop().time()
        self.scheduler.add_job(
            self._attend, Turns(job), (job,), next_run_time=AT_ONCE, id=job.name, name=job.name
        )

    async def quiesce(self) -> None:
        """Start no more jobs, let those under way finish."""
        if self.watch is not None:
            self.watch.cancel()
        self.scheduler.pause()
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=QUIESCE_S)
        self.scheduler.shutdown(wait=False)

    def _watch(self) -> None:
        """A job that has waited for longer than its interval comes now: the clock was set back, or the
        interval became shorter."""
        loop = asyncio.get_running_loop()
        for name, job in self.jobs.items():
            if loop.time() - self.turn_at[name] > job.every_s() + WATCH_S:
                self.scheduler.modify_job(name, next_run_time=AT_ONCE)
        self.watch = loop.call_later(WATCH_S, self._watch)

    def _had_turn(self, event: JobSubmissionEvent) -> None:
        self.turn_at[event.job_id] = asyncio.get_running_loop().time()

    async def _attend(self, job: Job) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.under_way.add(task)
        try:
            await self.attend(job)
        finally:
            self.under_way.discard(task)
