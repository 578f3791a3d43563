"""Plays a batch in real time: each engine step takes as long as its costs say."""

import asyncio
from collections import Counter, deque
from enum import Enum, auto
from itertools import count

from bouted.perf.batch import Batch, Emitted
from bouted.perf.pipeline import Pipeline

from .local_metrics import EngineMetrics

_MAX_LAG_S = 1.0  # an engine that is later than this stays late: the machine cannot keep its pace


class End(Enum):
    """How a request ended."""

    DONE = auto()
    CANCELLED = auto()  # the client went away
    ABORTED = auto()  # the engine is ending


class Request:
    """One request on its way through the engine. Times are the event loop's."""

    __slots__ = (
        "_waiter",
        "arrived",
        "emitted",
        "end",
        "first",
        "key",
        "last",
        "output",
        "prompt",
        "reached",
        "reason",
        "scheduled",
        "streams",
    )

    def __init__(
        self, key: int, prompt_tokens: int, output_tokens: int, arrived: float, streams: bool, reason: str
    ) -> None:
        self.key = key
        self.prompt = prompt_tokens
        self.output = output_tokens
        self.arrived = arrived
        self.reached: float | None = None
        self.streams = streams
        self.reason = reason
        self.scheduled: float | None = None
        self.first = self.last = arrived
        self.emitted = 0
        self.end: End | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def beyond(self, tokens: int) -> int:
        """Wait for more than `tokens` tokens, or for the end; how many there are."""
        while self.emitted <= tokens and self.end is None:
            await self._wait()
        return self.emitted

    async def finish(self) -> End:
        """Wait for the end."""
        while self.end is None:
            await self._wait()
        return self.end

    def wake(self) -> None:
        """Let whoever waits look again."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


class Pacer:
    """Runs requests through `batch`, `time_scale` times as fast as its step costs say."""

    def __init__(self, batch: Batch, metrics: EngineMetrics, time_scale: float) -> None:
        self.warm = False
        self._batch = batch
        self._metrics = metrics
        self._pipeline = Pipeline(batch, time_scale)
        self._front_end_s = batch.costs.front_end_s / time_scale
        self._keys = count(1)
        self._requests: dict[int, Request] = {}
        self._queued: deque[Request] = deque()
        self._work = asyncio.Event()

    @property
    def load(self) -> int:
        """Requests running and waiting."""
        return len(self._requests)

    def submit(
        self, prompt_tokens: int, output_tokens: int, *, streams: bool, reason: str = "length"
    ) -> Request | None:
        """Queue a request, which will finish for `reason`; None when it can never fit into the KV cache."""
        if not self._batch.can_hold(prompt_tokens, output_tokens):
            return None
        loop = asyncio.get_running_loop()
        request = Request(next(self._keys), prompt_tokens, output_tokens, loop.time(), streams, reason)
        self._requests[request.key] = request
        if self._front_end_s:
            loop.call_later(self._front_end_s, self._reach, request)
        else:
            self._reach(request)
        return request

    def drop(self, request: Request, end: End = End.CANCELLED) -> None:
        """Forget a request that has not finished and free what it holds."""
        if request.end is not None:
            return
        if request.reached is not None and request.scheduled is None:
            self._queued.remove(request)
        self._batch.cancel(request.key)
        del self._requests[request.key]
        self._metrics.aborted()
        request.end = end
        request.wake()

    def abort_all(self) -> None:
        """Drop every request, because the engine ends."""
        for request in tuple(self._requests.values()):
            self.drop(request, End.ABORTED)

    async def run(self) -> None:
        """Warm up, then play steps for ever."""
        self._batch.add(0, 1, 1)  # nobody's request: the engine is warm once a step went through
        while True:
            await self._play()
            self.warm = True
            await self._work.wait()

    def _reach(self, request: Request) -> None:
        """The request is through the front end."""
        if request.end is not None:
            return
        request.reached = request.arrived + self._front_end_s
        self._batch.add(request.key, request.prompt, request.output)
        self._queued.append(request)
        self._work.set()

    async def _play(self) -> None:
        """Play steps while there is work.

        A step begins at the instant the one before it should have ended, not when this task woke up for
        that, so that late timers do not add up.
        """
        loop = asyncio.get_running_loop()
        self._begin(loop.time())
        while (next_s := self._pipeline.next_s) is not None:
            await asyncio.sleep(max(0.0, next_s - loop.time()))
            now = loop.time()
            tokens = self._pipeline.end_step(next_s)
            if tokens is not None:
                self._emit(tokens, now)
            self._begin(max(next_s, now - _MAX_LAG_S))
        self._work.clear()

    def _begin(self, start: float) -> None:
        """Begin a step if one may. Admission is first come, first served, so the batch's queue says whose."""
        self._pipeline.begin_step(start)
        while len(self._queued) > self._batch.never_admitted:
            request = self._queued.popleft()
            request.scheduled = max(start, request.reached or start)

    def _emit(self, tokens: tuple[Emitted, ...], now: float) -> None:
        gaps = Counter[float]()  # most requests of a step waited equally long
        for token in tokens:
            request = self._requests.get(token.key)
            if request is None:
                continue
            request.emitted += 1
            if token.first:
                request.first = now
                self._metrics.prefilled(request.prompt, now - request.arrived)
            else:
                gaps[now - request.last] += 1
            request.last = now
            if token.done:
                self._finish(request, now)
            elif request.streams:
                request.wake()
        for gap_s, decoded in gaps.items():
            self._metrics.decoded(decoded, gap_s)

    def _finish(self, request: Request, now: float) -> None:
        del self._requests[request.key]
        request.end = End.DONE
        request.wake()
        reached = request.arrived if request.reached is None else request.reached
        scheduled = reached if request.scheduled is None else request.scheduled
        self._metrics.done(
            request.reason,
            request.prompt,
            request.emitted,
            front_s=reached - request.arrived,
            queue_s=scheduled - reached,
            prefill_s=request.first - scheduled,
            decode_s=now - request.first,
        )
