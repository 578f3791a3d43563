"""A steady stream of streamed requests at a gateway, and what became of each."""

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic

import httpx


class Fate(StrEnum):
    """What became of a request."""

    DONE = "done"
    REFUSED = "refused"  # it failed before its first token
    CUT = "cut"  # it had begun to stream


@dataclass(slots=True, kw_only=True)
class SteadyLoad:
    """Sends `per_s` requests a second to `url` until it is stopped; `fates` counts, `why` has some words."""

    url: str
    model: str
    per_s: float = 4.0
    tokens: int = 30
    fates: Counter[Fate] = field(default_factory=Counter)
    why: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait for those under way."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(120)

    async def _send(self) -> None:
        began, sent = monotonic(), 0
        limits = httpx.Limits(max_connections=400)
        async with (
            httpx.AsyncClient(base_url=self.url, timeout=60, limits=limits, trust_env=False) as client,
            asyncio.TaskGroup() as group,
        ):
            while not self._stop.is_set():
                group.create_task(self._one(client))
                sent += 1
                await asyncio.sleep(max(0.0, began + sent / self.per_s - monotonic()))

    async def _one(self, client: httpx.AsyncClient) -> None:
        asked = {"model": self.model, "prompt": "tell me", "max_tokens": self.tokens, "stream": True}
        fate, said = Fate.REFUSED, ""
        try:
            async with client.stream("POST", "/v1/completions", json=asked) as answer:
                if answer.status_code != httpx.codes.OK:
                    said = f"{answer.status_code} {(await answer.aread())[:200]!r}"
                else:
                    fate, said = await _read(answer)
        except httpx.HTTPError as error:
            said = f"{type(error).__name__}: {error}"
        self.fates[fate] += 1
        if fate is not Fate.DONE and len(self.why) < 20:
            self.why.append(f"{fate}: {said}")


async def _read(answer: httpx.Response) -> tuple[Fate, str]:
    begun, line = False, ""
    try:
        async for line in answer.aiter_lines():
            if line == "data: [DONE]":
                return Fate.DONE, ""
            if '"error"' in line:
                return (Fate.CUT if begun else Fate.REFUSED), line[:200]
            begun = begun or line.startswith("data: ")
    except httpx.HTTPError as error:
        return (Fate.CUT if begun else Fate.REFUSED), f"{type(error).__name__}: {error}"
    return (Fate.CUT if begun else Fate.REFUSED), f"it ended with {line[:100]!r}"
