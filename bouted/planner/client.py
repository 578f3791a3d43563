"""The daemon's side of the planning worker: starts it when needed, keeps it warm, ends it when late."""

import asyncio
import json
import logging
import signal
import sys
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from bouted.codec import dump, parse
from bouted.errors import Retryable
from bouted.planner.design import Frontier, Progress
from bouted.planner.problem import PlanningProblem
from bouted.planner.requests import ProfileAnswer, ProfileRequest, QualityAnswer, QualityRequest
from bouted.planner.wire import STOP, Request, line, parse_error

LOG = logging.getLogger(__name__)

MARGIN_S = 30.0
OTHER_S = 120.0
AGAIN_S = 10.0
LONGEST_LINE = 256 * 1024 * 1024
LAST_LINES = 20
GRACE_S = 2.0

T = TypeVar("T")
OnProgress = Callable[[Progress], None]


@dataclass(slots=True)
class _Child:
    process: asyncio.subprocess.Process
    said: deque[str]
    listening: asyncio.Task[None]


class PlanningWorker:
    """One planning worker process. Calls are served one at a time; a BoutedError raised there is raised here.

    A worker that is late or dies means Retryable, and the next call starts a fresh one.
    """

    def __init__(self, *, margin_s: float = MARGIN_S, other_s: float = OTHER_S) -> None:
        self._margin_s = margin_s
        self._other_s = other_s
        self._child: _Child | None = None
        self._turn = asyncio.Lock()
        self._searching = False

    @property
    def pid(self) -> int | None:
        """The process id of the worker, while there is one."""
        return self._child.process.pid if self._child is not None else None

    async def propose(self, problem: PlanningProblem, on_progress: OnProgress) -> Frontier:
        """The front of `problem`; `on_progress` is called as the search goes on."""
        patience_s = problem.effort.deadline_s + self._margin_s
        body = dump(PlanningProblem, problem)
        return await self._ask(Request.PLAN, body, Frontier, patience_s, on_progress)

    def stop(self) -> bool:
        """Cut the search under way short: its best so far is its answer. False: there is none to cut."""
        if not self._searching or self._child is None or self._child.process.stdin is None:
            return False
        self._child.process.stdin.write(STOP)
        return True

    async def profiles(self, request: ProfileRequest) -> ProfileAnswer:
        """Latency against load for every step cost asked."""
        body = dump(ProfileRequest, request)
        return await self._ask(Request.PROFILES, body, ProfileAnswer, self._other_s, _ignore)

    async def quality(self, request: QualityRequest) -> QualityAnswer:
        """The fitted router."""
        body = dump(QualityRequest, request)
        return await self._ask(Request.QUALITY, body, QualityAnswer, self._other_s, _ignore)

    async def close(self) -> None:
        """End the worker; the next call would start another."""
        child, self._child = self._child, None
        if child is None:
            return
        if child.process.stdin is not None:
            child.process.stdin.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(child.process.wait(), GRACE_S)
        await _end(child)

    async def _ask(
        self, request: Request, body: bytes, kind: type[T], patience_s: float, on_progress: OnProgress
    ) -> T:
        async with self._turn:
            child = self._child = self._child or await _start()
            done = False
            self._searching = request is Request.PLAN
            try:
                async with asyncio.timeout(patience_s):
                    answer = await _exchange(child, line("body", body, request=request), on_progress)
                done = True
            except TimeoutError:
                raise Retryable(
                    f"the planning worker gave no answer in {patience_s:.0f} s", after_s=AGAIN_S
                ) from None
            finally:
                self._searching = False
                if not done:
                    self._child = None
                    await _end(child)
        if "error" in answer:
            raise parse_error(answer["error"])
        return parse(kind, json.dumps(answer["answer"]))


async def _start() -> _Child:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bouted.planner.worker",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
        process_group=0,  # an interrupt from the terminal is for us, who say what it means
    )
    said: deque[str] = deque(maxlen=LAST_LINES)
    return _Child(process=process, said=said, listening=asyncio.create_task(_listen(process, said)))


async def _listen(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    """Keep the last lines of stderr, so that a death can be explained."""
    assert process.stderr is not None
    async for raw in process.stderr:
        text = raw.decode(errors="replace").rstrip()
        if text:
            said.append(text)
            LOG.debug("worker: %s", text)


async def _exchange(child: _Child, request: bytes, on_progress: OnProgress) -> dict[str, Any]:
    """The answer or the error to one request."""
    stdin, stdout = child.process.stdin, child.process.stdout
    assert stdin is not None
    assert stdout is not None
    with suppress(ConnectionError):
        stdin.write(request)
        await stdin.drain()
    async for raw in stdout:
        message: dict[str, Any] = json.loads(raw)
        if "progress" not in message:
            return message
        on_progress(parse(Progress, json.dumps(message["progress"])))
    raise await _died(child)


async def _died(child: _Child) -> Retryable:
    code = await child.process.wait()
    await child.listening
    LOG.error("the planning worker died (exit code %s):\n%s", code, "\n".join(child.said))
    last = child.said[-1] if child.said else "it said nothing"
    if code == -signal.SIGKILL:  # whatever it said last was not about this
        last = "killed, by somebody or for want of memory"
    return Retryable(f"the planning worker died with exit code {code}: {last}", after_s=AGAIN_S)


async def _end(child: _Child) -> None:
    with suppress(ProcessLookupError):
        child.process.kill()
    await child.process.wait()
    await child.listening


def _ignore(_: Progress) -> None:
    """Profiles and quality report no progress."""
