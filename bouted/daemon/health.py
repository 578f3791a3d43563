"""Asks every engine how it is, many at once, with a short deadline."""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import httpx

from bouted.clock import Clock
from bouted.reconcile.launcher import Seen, SeenReplica
from bouted.reconcile.observe import Health

TIMEOUT_S = 2.0
AT_ONCE = 100
_TIMEOUTS = httpx.Timeout(TIMEOUT_S).as_dict()
_GAUGES = (
    ("vllm:num_requests_running", "sglang:num_running_reqs"),
    ("vllm:num_requests_waiting", "sglang:num_queue_reqs"),
)


class HealthProber:
    """Remembers since when each engine has been failing; `metrics` is what each last said on /metrics.

    Each engine has a connection of its own: a pool for all would look through all at every request. No more
    than AT_ONCE are asked at a time, or a busy daemon would take its own slowness for theirs.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failing: dict[str, datetime] = {}
        self.metrics: dict[str, str] = {}
        self._doors: dict[str, httpx.AsyncHTTPTransport] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._trust = ssl.create_default_context()

    async def probe(self, seen: Seen) -> tuple[Health, ...]:
        """One answer per engine that has an endpoint."""
        found = [replica for replica in seen.replicas if replica.endpoint]
        answers = await asyncio.gather(*(self._ask(replica) for replica in found))
        await self._forget(self._doors.keys() - {replica.endpoint for replica in found})
        names = {answer.replica for answer in answers}
        self._failing = {name: at for name, at in self._failing.items() if name in names}
        self.metrics = {name: text for name, text in self.metrics.items() if name in names}
        return tuple(self._with_memory(answer) for answer in answers)

    async def close(self) -> None:
        """Close the connections."""
        await self._forget(tuple(self._doors))

    async def _forget(self, endpoints: Iterable[str]) -> None:
        for endpoint in endpoints:
            await self._doors.pop(endpoint).aclose()

    async def _get(self, endpoint: str, path: str) -> httpx.Response:
        door = self._doors.get(endpoint)
        if door is None:
            door = self._doors[endpoint] = httpx.AsyncHTTPTransport(verify=self._trust, trust_env=False)
        request = httpx.Request("GET", f"{endpoint}{path}", extensions={"timeout": _TIMEOUTS})
        response = await door.handle_async_request(request)
        await response.aread()
        return response

    def _with_memory(self, answer: Health) -> Health:
        if answer.ok:
            self._failing.pop(answer.replica, None)
            return answer
        now = self._clock.now()
        since = self._failing[answer.replica] = min(self._failing.get(answer.replica, now), now)
        return replace(answer, failing_since=since)

    async def _ask(self, replica: SeenReplica) -> Health:
        try:
            async with self._turns:
                health = await self._get(replica.endpoint, "/health")
                metrics = await self._get(replica.endpoint, "/metrics")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Health(replica=replica.name, ok=False, running=0, waiting=0, refused=_refused(error))
        self.metrics[replica.name] = metrics.text
        running, waiting = (sum(_gauge(metrics.text, name) for name in names) for names in _GAUGES)
        return Health(replica=replica.name, ok=health.status_code == 200, running=running, waiting=waiting)


def _refused(error: BaseException | None) -> bool:
    """Nothing listens there: a timeout, or a network that is down, does not say that."""
    while error is not None and not isinstance(error, ConnectionRefusedError):
        error = error.__cause__ or error.__context__
    return error is not None


def _gauge(text: str, name: str) -> int:
    """The sum of one gauge over its label sets; 0 when it is not there."""
    lines = (line for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} ")))
    return int(sum(float(line.rsplit(" ", 1)[1]) for line in lines))
