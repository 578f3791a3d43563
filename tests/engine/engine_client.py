"""Streams completions and notes when tokens came; cheap, because it shares the machine with the server."""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import numpy as np
from engine_server import MODEL

_FIRST_WORD, _WORDS = 3, 2000
_EVERY = 8
_COUNT = re.compile(rb'"completion_tokens":(\d+)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request: when it is sent, in seconds from the start, and its lengths in tokens."""

    at_s: float
    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """After `times_s[i]` seconds from the start `tokens[i]` tokens of `ask` had come; the first one is told
    at once, then every eighth and the last."""

    ask: Ask
    times_s: tuple[float, ...]
    tokens: tuple[int, ...]

    @property
    def ttft_s(self) -> float:
        """Seconds from the moment it should have been sent to the first token."""
        return self.times_s[0] - self.ask.at_s

    @property
    def e2e_s(self) -> float:
        """Seconds from the moment it should have been sent to the last token."""
        return self.times_s[-1] - self.ask.at_s


@asynccontextmanager
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose connections stay open, as many as needed."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=120.0, trust_env=False) as http:
        yield http


async def answers(http: httpx.AsyncClient, asks: Sequence[Ask], seed: int) -> tuple[Answer, ...]:
    """Send each request at its time, whatever became of the others; prompts are random words."""
    bodies = [_body(ask, np.random.default_rng((seed, n))) for n, ask in enumerate(asks)]
    began = time.perf_counter()
    return tuple(
        await asyncio.gather(*(_answer(http, a, b, began) for a, b in zip(asks, bodies, strict=True)))
    )


async def _answer(http: httpx.AsyncClient, ask: Ask, body: bytes, began: float) -> Answer:
    await asyncio.sleep(began + ask.at_s - time.perf_counter())
    times: list[float] = []
    tokens: list[int] = []
    rest = b""
    headers = {"Content-Type": "application/json"}
    async with http.stream("POST", "/v1/completions", content=body, headers=headers) as reply:
        reply.raise_for_status()
        async for part in reply.aiter_raw():
            now = time.perf_counter() - began
            *events, rest = (rest + part).split(b"\n\n")
            counts = [int(found[1]) for event in events if (found := _COUNT.search(event))]
            tokens.extend(counts)
            times.extend([now] * len(counts))
    if not tokens or tokens[-1] != ask.output_tokens:
        raise RuntimeError(f"{tokens[-1:]} tokens came for {ask}; the answer ends {rest[-200:]!r}")
    return Answer(ask=ask, times_s=tuple(times), tokens=tuple(tokens))


def _body(ask: Ask, rng: np.random.Generator) -> bytes:
    words = " ".join(f"w{n}" for n in rng.integers(_FIRST_WORD, _WORDS, ask.prompt_tokens))
    asked = {
        "model": MODEL,
        "prompt": words,
        "max_tokens": ask.output_tokens,
        "ignore_eos": True,
        "temperature": 0,
        "stream": True,
        "stream_interval": _EVERY,
        "stream_options": {"include_usage": True, "continuous_usage_stats": True},
        "add_special_tokens": False,
    }
    return json.dumps(asked).encode()
