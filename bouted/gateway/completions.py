"""The endpoints that generate: reads a request, has it answered, and measures how that went."""

import asyncio
import time
from collections.abc import Coroutine

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from bouted.gateway.errors import error_response
from bouted.gateway.exchange import Exchange
from bouted.gateway.measure import Metrics, Samples
from bouted.gateway.query import read_query
from bouted.gateway.relay import Relay

LARGEST = 32 * 1024 * 1024


class Completions:
    """An ASGI application for one POST endpoint."""

    def __init__(self, relay: Relay, samples: Samples, metrics: Metrics) -> None:
        self._relay = relay
        self._samples = samples
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        arrived_s, begun_s = time.time(), time.monotonic()
        body = await _whole_body(receive)
        if body is None:
            return
        if len(body) > LARGEST:
            await error_response(413, f"a request may have {LARGEST:,} bytes")(scope, receive, send)
            return
        query = read_query(scope["path"], body)
        if query is None:
            self._metrics.answered("", 400)
            await error_response(400, "the request is not a JSON object")(scope, receive, send)
            return
        self._samples.arrived(time.time())
        exchange = Exchange(query=query, arrived_s=arrived_s, begun_s=begun_s)
        try:
            await _unless_client_leaves(
                self._relay.answer(exchange, Headers(scope=scope), send), exchange, receive
            )
        except Exception:
            exchange.code = 500
            raise
        finally:
            self._record(exchange)

    def _record(self, exchange: Exchange) -> None:
        self._metrics.answered(exchange.model, exchange.code)
        sample = exchange.sample(time.monotonic())
        if sample is None:
            return
        self._samples.finished(sample)
        if sample.ok:
            self._metrics.timed(sample)


async def _unless_client_leaves(
    answer: Coroutine[None, None, None], exchange: Exchange, receive: Receive
) -> None:
    """Run `answer`, and give it up when the client goes away before its end."""
    work = asyncio.ensure_future(answer)
    left = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
        if not work.done() and not exchange.ending:
            work.cancel()
        await asyncio.wait((work,))
        if not work.cancelled():
            work.result()
    finally:
        for task in (work, left):
            task.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _whole_body(receive: Receive) -> bytes | None:
    """The request's body, cut off beyond `LARGEST`; None when the client left before its end."""
    parts, size = [], 0
    while size <= LARGEST:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body", False):
            break
    return b"".join(parts)
