"""The HTTP side of a paced engine: vLLM's routes, streams that end early when a client goes away."""

import asyncio
import time

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from .local_chat import Answer, Ask, Refused, error_body, error_event, parse_ask
from .local_metrics import EngineMetrics
from .local_pace import End, Pacer, Request

_JSON, _EVENTS = b"application/json", b"text/event-stream; charset=utf-8"
_COMPLETIONS = {"/v1/chat/completions": True, "/v1/completions": False}  # is it chat?
_ENDING = "the engine is ending"


class EngineApp:
    """An ASGI application. Completions bypass the framework, whose layers would cost more than a token."""

    def __init__(self, model: str, kv_capacity_tokens: int, pacer: Pacer, metrics: EngineMetrics) -> None:
        self.draining = False
        self._model = model
        self._kv_capacity_tokens = kv_capacity_tokens
        self._pacer = pacer
        self._registry = CollectorRegistry()
        self._registry.register(metrics)
        self._started = int(time.time())
        self._others: ASGIApp = Starlette(
            routes=[
                Route("/health", self._health),
                Route("/load", self._load),
                Route("/metrics", self._metrics),
                Route("/v1/models", self._models),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        chat = _COMPLETIONS.get(scope.get("path", ""))
        if chat is None or scope.get("method") != "POST":
            await self._others(scope, receive, send)
        else:
            await self._complete(chat, receive, send)

    async def _complete(self, chat: bool, receive: Receive, send: Send) -> None:
        """Answer one completion, whole or as a stream."""
        try:
            body = await _body(receive)
            if body is None:
                return
            ask, request = self._admit(body, chat)
        except Refused as refusal:
            await _send(send, refusal.status, error_body(refusal.status, refusal.message))
            return
        watch = asyncio.create_task(self._drop_when_gone(request, receive))
        try:
            answer = Answer(ask, self._model)
            await (_stream if ask.stream else _whole)(answer, request, send)
        finally:
            watch.cancel()
            self._pacer.drop(request)

    def _admit(self, body: bytes, chat: bool) -> tuple[Ask, Request]:
        if self.draining:
            raise Refused(503, _ENDING)
        ask = parse_ask(body, chat=chat, model=self._model)
        request = self._pacer.submit(
            ask.prompt_tokens, ask.output_tokens, streams=ask.stream, reason=ask.reason
        )
        if request is None:
            total = ask.prompt_tokens + ask.output_tokens
            raise Refused(400, f"{total} tokens do not fit: the KV cache holds {self._kv_capacity_tokens}")
        return ask, request

    async def _drop_when_gone(self, request: Request, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._pacer.drop(request)

    async def _health(self, _: HttpRequest) -> Response:
        return Response(status_code=200 if self._pacer.warm else 503)

    async def _load(self, _: HttpRequest) -> Response:
        return JSONResponse({"server_load": self._pacer.load})

    async def _metrics(self, _: HttpRequest) -> Response:
        return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

    async def _models(self, _: HttpRequest) -> Response:
        card = {"id": self._model, "object": "model", "created": self._started, "owned_by": "bouted"}
        card |= {"root": self._model, "max_model_len": self._kv_capacity_tokens}
        return JSONResponse({"object": "list", "data": [card]})


async def _whole(answer: Answer, request: Request, send: Send) -> None:
    end = await request.finish()
    if end is End.DONE:
        await _send(send, 200, answer.whole())
    elif end is End.ABORTED:
        await _send(send, 503, error_body(503, _ENDING))


async def _stream(answer: Answer, request: Request, send: Send) -> None:
    await _start(send, 200, _EVENTS)
    sent = 0
    while sent < (ready := await request.beyond(sent)):
        events = answer.tokens(sent, ready)
        await _more(send, events if sent else answer.opening() + events, last=False)
        sent = ready
    if request.end is End.DONE:
        await _more(send, answer.closing(), last=True)
    elif request.end is End.ABORTED:
        await _more(send, error_event(500, _ENDING), last=True)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when the client went away."""
    parts = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send(send: Send, status: int, body: bytes) -> None:
    await _start(send, status, _JSON, len(body))
    await _more(send, body, last=True)


async def _start(send: Send, status: int, kind: bytes, length: int | None = None) -> None:
    headers = [(b"content-type", kind)]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    if status == 503:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})


async def _more(send: Send, body: bytes, *, last: bool) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": not last})
