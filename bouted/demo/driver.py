"""Sends a trace through the gateway and writes down how every request went."""

import asyncio
from dataclasses import dataclass
from time import monotonic

import httpx

TIMEOUT_S = 120.0
CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceItem:
    """One request to send `at_s` seconds after the trace starts."""

    at_s: float
    prompt: str
    prompt_tokens: int
    output_tokens: int
    stream: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How one request went. `sent_s` counts from the start of the trace; `error` is "" when it went well."""

    sent_s: float
    prompt_tokens: int
    output_tokens: int
    e2e_s: float
    ttft_s: float
    model: str
    replica: str
    error: str

    @property
    def ok(self) -> bool:
        """It was answered to the end."""
        return not self.error


class TraceDriver:
    """Sends requests at their times, whatever became of the earlier ones (open loop)."""

    def __init__(self, gateway_url: str) -> None:
        self._url = f"{gateway_url}/v1/chat/completions"
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, limits=limits, trust_env=False)
        self._tasks: set[asyncio.Task[None]] = set()
        self.sent: list[Sent] = []
        self.started = monotonic()

    def now_s(self) -> float:
        """Seconds since the trace started."""
        return monotonic() - self.started

    async def play(self, items: tuple[TraceItem, ...]) -> None:
        """Send every item at its time; returns when the last one was sent, not answered."""
        for item in items:
            await asyncio.sleep(max(0.0, item.at_s - self.now_s()))
            task = asyncio.create_task(self._send(item))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for every answer."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._client.aclose()

    @property
    def waiting(self) -> int:
        """Requests sent and not answered."""
        return len(self._tasks)

    async def _send(self, item: TraceItem) -> None:
        sent_s, model, replica, first_s, error = self.now_s(), "", "", 0.0, ""
        try:
            async with self._client.stream("POST", self._url, json=_body(item)) as answer:
                model = answer.headers.get("x-bouted-model", "")
                replica = answer.headers.get("x-bouted-replica", "")
                if answer.status_code != 200:
                    error = f"HTTP {answer.status_code}"
                async for chunk in answer.aiter_bytes():
                    first_s = first_s or self.now_s()
                    if b'"error"' in chunk:
                        error = error or "broken stream"
        except httpx.HTTPError as broken:
            error = type(broken).__name__
        end_s = self.now_s()
        self.sent.append(
            Sent(
                sent_s=sent_s,
                prompt_tokens=item.prompt_tokens,
                output_tokens=item.output_tokens,
                e2e_s=end_s - sent_s,
                ttft_s=(first_s or end_s) - sent_s,
                model=model,
                replica=replica,
                error=error,
            )
        )


def _body(item: TraceItem) -> dict[str, object]:
    """A chat request whose prompt has about `prompt_tokens`, the question last."""
    missing = item.prompt_tokens * CHARS_PER_TOKEN - len(item.prompt)
    messages = [{"role": "user", "content": item.prompt}]
    if missing > 0:
        filler = ("Earlier notes of this conversation. " * (missing // 36 + 1))[:missing]
        messages.insert(0, {"role": "system", "content": filler})
    return {
        "model": "auto",
        "messages": messages,
        "max_tokens": item.output_tokens,
        "ignore_eos": True,
        "stream": item.stream,
    }
