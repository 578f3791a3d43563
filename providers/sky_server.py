"""SkyPilot's API server as a supervised process: one at a time, healthy, and outliving the daemon.

The server holds a lock from before it is born until it is dead, so no second one can start beside it. What
it starts has its HOME and writes below it, by which the remains of a dead one are found and ended.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from bouted.clock import Clock

from .last_words import last_line
from .local_process import is_locked, take_lock
from .proc_marked import Family
from .sky_home import WORKER, SkyHome

log = logging.getLogger(__name__)

START_S = 120.0  # how long a server that was started may stay silent
SILENT_S = 60.0  # how long one that answered may
TIMEOUT_S = 5.0
MOST_PAUSE_S = 60.0
_LOCK_FD = 3


@dataclass(slots=True, kw_only=True)
class SkyServer:
    """Keeps one API server running in `home`; `tend` is called every few seconds. `prepare` furnishes the
    home: before a server starts, and once for one that was found running, which may be older than the config
    and the credentials of now.

    `trouble` says in one line why there is none; "" while it answers.
    """

    home: SkyHome
    clock: Clock
    prepare: Callable[[], None]
    trouble: str = "not started yet"
    starts: int = 0
    _silent_since: datetime | None = field(default=None, init=False)
    _answered: bool = field(default=False, init=False)
    _ended: int = field(default=0, init=False)
    _next_at: datetime | None = field(default=None, init=False)
    _prepared: bool = field(default=False, init=False)

    def tend(self) -> bool:
        """Whether it answers now. Starts one where none lives; ends and replaces one that is silent."""
        now = self.clock.now()
        if not self._prepared and self.home.is_own:
            self.prepare()
        self._prepared = True
        answers = self._answers()
        if answers and not is_locked(self._lock):
            self.trouble = f"port {self.home.port} is taken by another server; set launcher.options.port"
            return False
        if answers:
            self._silent_since, self._answered, self.trouble = None, True, ""
            return True
        if not is_locked(self._lock):
            self._start_again(now)
            return False
        since = self._silent_since = self._silent_since or now
        if now - since > timedelta(seconds=SILENT_S if self._answered else START_S):
            log.error("SkyPilot's API server has been silent since %s and is ended", since.isoformat())
            self.stop()
        return False

    def stop(self) -> None:
        """End the server and everything it started, by force: its state is on disk."""
        Family(mark=self.home.mark, folder=self.home.folder, spare=WORKER).end()
        self._silent_since, self._answered = None, False

    def _start_again(self, now: datetime) -> None:
        """Start one where none lives; one that ends as soon as it starts is not started every second."""
        if self._next_at is not None and now < self._next_at:
            return
        if self.starts and not self._answered:
            self.trouble = f"SkyPilot's API server ended as it started: {last_line(self.home.server_log)}"
            log.error("%s", self.trouble)
        self._ended = 0 if self._answered else self._ended + 1
        self._next_at = now + timedelta(seconds=min(MOST_PAUSE_S, 2.0**self._ended))
        self.stop()
        self._start(now)

    @property
    def _lock(self) -> Path:
        return self.home.server_lock

    def _answers(self) -> bool:
        try:
            answer = httpx.get(f"{self.home.url}/api/health", timeout=TIMEOUT_S, trust_env=False)
        except httpx.HTTPError as error:
            self.trouble = f"SkyPilot's API server does not answer ({type(error).__name__})"
            return False
        if answer.status_code != httpx.codes.OK:
            self.trouble = f"SkyPilot's API server answers {answer.status_code}"
            return False
        return True

    def _start(self, now: datetime) -> None:
        self.prepare()
        held = take_lock(self._lock)
        if held is None:
            return
        try:
            pid = self._spawn(held)
        finally:
            os.close(held)
        self._silent_since, self._answered = now, False
        self.starts += 1
        log.info("SkyPilot's API server is starting, pid %d, port %d", pid, self.home.port)

    def _spawn(self, lock_fd: int) -> int:
        argv = [sys.executable, "-P", "-m", "sky.server.server", "--host=127.0.0.1"]
        argv.append(f"--port={self.home.port}")
        output = self.home.server_log
        return os.posix_spawn(
            argv[0],
            argv,
            self.home.environment() | {"IS_SKYPILOT_SERVER": "true"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(output), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_DUP2, lock_fd, _LOCK_FD),
            ],
            setsid=True,
            setsigdef=(signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGCHLD),
        )
