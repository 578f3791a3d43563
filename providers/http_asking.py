"""Asking somebody's JSON API over HTTP: bounded in time, in size and in how often it is tried."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import httpx

from bouted.errors import Gone, PermissionMissing, Retryable, SourceFailed

from .http_answers import parse_json, retry_after_s

PATIENCE_S = 25.0  # under the 30 s that a source is given where the config names no timeout
DEFAULT_RETRY_S = 60.0  # when told to slow down without being told for how long


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long and how often. `total_s` is for a whole conversation, `try_s` for each request in it.

    A try that was throttled, met a broken connection or an error of the server's (5xx) is repeated up to
    `tries` in all, after a wait that doubles from `first_wait_s`, spread by `jitter` (a number from 0 to 1).
    Who is told to wait longer than `most_wait_s` does not wait here.
    """

    total_s: float = PATIENCE_S
    try_s: float = 10.0
    tries: int = 3
    first_wait_s: float = 0.5
    most_wait_s: float = 5.0
    most_bytes: int = 64 * 2**20
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random
    monotonic: Callable[[], float] = time.monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is sent along to be let in, and what to say when that was not enough.

    Without a `permission` being refused is a failure like any other.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    permission: str = ""
    hint: str = ""


class HttpAsking:
    """One conversation with one API, to be closed after it. Redirects are not followed: a key stays here."""

    def __init__(self, patience: Patience, access: Access, now: datetime) -> None:
        self._patience, self._access, self._now = patience, access, now
        self._ends = patience.monotonic() + patience.total_s
        self._client = httpx.Client(headers=dict(access.headers))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, url: str, params: Mapping[str, str] | None = None) -> Any:
        """The JSON at `url`; raises Retryable, PermissionMissing or SourceFailed."""
        return parse_json(self._ask("GET", url, params, None))

    def post(self, url: str, body: object) -> Any:
        """The JSON that answers `body`; raises as `get` does."""
        return parse_json(self._ask("POST", url, None, body))

    def delete(self, url: str) -> None:
        """Have what is at `url` deleted, whatever is said to it; raises as `get` does, and Gone where nothing
        is."""
        self._ask("DELETE", url, None, None)

    def _ask(self, method: str, url: str, params: Mapping[str, str] | None, body: object) -> bytes:
        """Asks until there is an answer, the tries are used up or the time is."""
        for tried in range(max(self._patience.tries, 1)):
            left_s = self._ends - self._patience.monotonic()
            if left_s <= 0:
                raise SourceFailed(f"out of time after {self._patience.total_s:g} s")
            try_s = min(self._patience.try_s, left_s)
            try:
                request = self._client.build_request(method, url, params=params, json=body, timeout=try_s)
                return self._once(request, try_s)
            except httpx.InvalidURL as error:
                raise SourceFailed(f"cannot be asked: {_line(error)}") from error
            except _TryAgain as again:
                wait_s = self._wait_s(again, tried)
                if tried + 1 >= self._patience.tries or wait_s > min(self._patience.most_wait_s, left_s):
                    raise again.failure from again
                self._patience.sleep(wait_s)
        raise AssertionError("every try ends by itself")

    def _wait_s(self, again: "_TryAgain", tried: int) -> float:
        if again.after_s is not None:
            return again.after_s
        return self._patience.first_wait_s * 2.0**tried * (0.5 + self._patience.jitter() / 2)

    def _once(self, request: httpx.Request, try_s: float) -> bytes:
        place = request.url.host
        ends = self._patience.monotonic() + try_s
        try:
            with self._answer(request) as response:
                self._require_good(response, place)
                return self._body(response, place, ends)
        except httpx.TimeoutException as error:
            raise SourceFailed(f"{place} gave no answer within {try_s:.3g} s") from error
        except httpx.DecodingError as error:
            raise SourceFailed(f"{place}: the answer is garbled: {_line(error)}") from error
        except httpx.TransportError as error:
            raise _TryAgain(SourceFailed(f"{place} cannot be reached: {_line(error)}")) from error

    @contextmanager
    def _answer(self, request: httpx.Request) -> Iterator[httpx.Response]:
        response = self._client.send(request, stream=True)
        try:
            yield response
        finally:
            response.close()

    def _require_good(self, response: httpx.Response, place: str) -> None:
        status, deletes = response.status_code, response.request.method == "DELETE"
        if status == 200 or (deletes and status in (202, 204)):
            return
        if deletes and status in (404, 410):
            raise Gone(f"{place} has no such thing (HTTP {status})")
        after_s = retry_after_s(response.headers.get("Retry-After", ""), self._now)
        if status == 429 or (status == 503 and after_s is not None):
            told = f"{place} says to slow down (HTTP {status})"
            raise _TryAgain(Retryable(told, after_s=after_s or DEFAULT_RETRY_S), after_s=after_s)
        if status in (401, 403) and self._access.permission:
            raise PermissionMissing(self._access.permission, hint=self._access.hint)
        failed = SourceFailed(f"{place} answered HTTP {status}")
        raise _TryAgain(failed) if status >= 500 else failed

    def _body(self, response: httpx.Response, place: str, ends: float) -> bytes:
        """The whole body. The client's own timeout is for each piece, so the clock is watched here too."""
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._patience.most_bytes:
                raise SourceFailed(f"{place} sends more than {self._patience.most_bytes} bytes")
            if self._patience.monotonic() > ends:
                raise SourceFailed(f"{place} was still sending when the time was up")
        return bytes(body)


class _TryAgain(Exception):
    """A try that may be repeated, after `after_s` where that was said. `failure` is for giving up."""

    def __init__(self, failure: SourceFailed | Retryable, *, after_s: float | None = None) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.after_s = after_s


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
