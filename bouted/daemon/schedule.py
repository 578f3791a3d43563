"""Runs jobs every so often, each by itself, and lets those under way finish."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

QUIESCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something the daemon does every so often."""

    name: str
    do: Callable[[], Awaitable[None]]
    every_s: float


@dataclass(slots=True)
class Schedule:
    """Starts jobs through `attend`, which lets no error out. A job still at work is not started again."""

    attend: Callable[[Job], Awaitable[None]]
    scheduler: AsyncIOScheduler = field(init=False)
    under_way: set["asyncio.Task[None]"] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
        )

    def begin(self) -> None:
        """Jobs may come from now on."""
        self.scheduler.start()

    def repeat(self, job: Job) -> None:
        """Do this at once, and then every so often."""
        now = datetime.now(UTC)
        self.scheduler.add_job(
            self._attend, "interval", (job,), seconds=job.every_s, next_run_time=now, id=job.name
        )

    async def quiesce(self) -> None:
        """Start no more jobs, let those under way finish."""
        self.scheduler.pause()
        if self.under_way:
            await asyncio.wait(self.under_way, timeout=QUIESCE_S)
        self.scheduler.shutdown(wait=False)

    async def _attend(self, job: Job) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.under_way.add(task)
        try:
            await self.attend(job)
        finally:
            self.under_way.discard(task)
