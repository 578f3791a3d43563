"""Takes one query to a replica and its answer back, by way of another replica if the first one fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

import httpx
from starlette.types import Send

from bouted.gateway.balance import Balance, Tried
from bouted.gateway.errors import error_body, error_event
from bouted.gateway.exchange import BROKEN, Exchange
from bouted.gateway.scoring import judged, models_for
from bouted.gateway.state import RouteState
from bouted.gateway.table import Route
from bouted.gateway.tokens import StreamTokens, body_usage, opens_with_server_error
from bouted.gateway.upstream import Broke, Refused, TimedOut, Upstream, naming_failures

ATTEMPTS = 3
_JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    content_type: str = _JSON


_NO_REPLICA = Answer(status=503, body=error_body(503, "no replica can take the query now; try again"))
_TOO_SLOW = Answer(status=504, body=error_body(504, "the replica did not answer in time"))


class Relay:
    """Routes queries by the table in force. A stream that runs is not touched by a new table."""

    def __init__(self, state: RouteState, balance: Balance, upstream: Upstream) -> None:
        self._state = state
        self._balance = balance
        self._upstream = upstream

    async def answer(self, exchange: Exchange, headers: Mapping[str, str], send: Send) -> None:
        """Answer the query. Another replica is tried until the first byte of an answer is there."""
        failure, tried = _NO_REPLICA, Tried()
        exchange.judged = judged(self._state.scorer, exchange.query)
        for _ in range(ATTEMPTS):
            route = self._pick(exchange, tried)
            if route is None:
                break
            with self._balance.holding(route.replica):
                failed = await self._try(route, exchange, headers, send, tried)
            if failed is None:
                return
            exchange.failed_by.append(route.replica)
            failure = failed
        await _send_whole(exchange, failure, send)

    def _pick(self, exchange: Exchange, tried: Tried) -> Route | None:
        """A replica by the table of now: since the last attempt its replicas may all have been replaced."""
        table = self._state.table
        if table is None:
            return None
        models = models_for(table, exchange.query, exchange.judged)
        exchange.model = exchange.model or models[0]
        return self._balance.pick(table, models, tried)

    async def _try(
        self, route: Route, exchange: Exchange, headers: Mapping[str, str], send: Send, tried: Tried
    ) -> Answer | None:
        """None when the client got its answer; else what to tell it if no other replica does better."""
        exchange.model, exchange.replica = route.model, route.replica
        try:
            async with self._upstream.ask(route, exchange.query, headers) as response:
                return await self._pass_on(response, exchange, send, tried)
        except Refused:
            self._balance.refused(route.replica)
            tried.never.add(route.replica)
        except Broke:
            tried.broke(route.replica)
        except TimedOut:
            await _send_whole(exchange, _TOO_SLOW, send)
            return None
        return _NO_REPLICA

    async def _pass_on(
        self, response: httpx.Response, exchange: Exchange, send: Send, tried: Tried
    ) -> Answer | None:
        kind = response.headers.get("content-type", _JSON)
        if response.status_code == 200 and kind.startswith("text/event-stream"):
            await _send_stream(exchange, response, kind, send)
            return None
        with naming_failures():
            body = b"".join([chunk async for chunk in response.aiter_raw()])
        answer = Answer(status=response.status_code, body=body, content_type=kind)
        if answer.status >= 500:
            tried.never.add(exchange.replica)
            return answer
        exchange.prompt_tokens, exchange.output_tokens = body_usage(body)
        await _send_whole(exchange, answer, send)
        return None


async def _send_whole(exchange: Exchange, answer: Answer, send: Send) -> None:
    exchange.code = answer.status
    headers = [(b"content-length", str(len(answer.body)).encode())]
    if answer.status == 503:
        headers.append((b"retry-after", b"1"))
    await _start(exchange, answer.status, answer.content_type, headers, send)
    exchange.ending = True
    await send({"type": "http.response.body", "body": answer.body})


async def _send_stream(exchange: Exchange, response: httpx.Response, kind: str, send: Send) -> None:
    """Relay a stream byte by byte; what breaks it after its first byte becomes its last event."""
    tokens = StreamTokens(chat=exchange.query.path.endswith("/chat/completions"))
    end, broken = b"", False
    try:
        with naming_failures():
            async for chunk in response.aiter_raw():
                if exchange.first_s is None:
                    if opens_with_server_error(chunk):
                        raise Broke("an error instead of a first token")
                    exchange.first_s = monotonic()
                    await _start(
                        exchange, response.status_code, kind, [(b"cache-control", b"no-cache")], send
                    )
                tokens.see(chunk)
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        if exchange.first_s is None:
            raise Broke("empty stream")
    except (Broke, TimedOut):
        if exchange.first_s is None:
            raise
        end, broken = error_event("the replica broke off"), True
        if not tokens.between_events:
            end = b"\n\n" + end
    exchange.prompt_tokens, exchange.output_tokens = tokens.usage()
    exchange.code = BROKEN if broken or tokens.failed else response.status_code
    exchange.ending = True
    await send({"type": "http.response.body", "body": end})


async def _start(
    exchange: Exchange, status: int, kind: str, headers: list[tuple[bytes, bytes]], send: Send
) -> None:
    said = [("content-type", kind), ("x-bouted-model", exchange.model)]
    said += [("x-bouted-replica", exchange.replica), ("x-bouted-score", f"{exchange.judged.score:.4f}")]
    named = [(name.encode(), value.encode("latin-1", "replace")) for name, value in said if value]
    await send({"type": "http.response.start", "status": status, "headers": [*named, *headers]})
