"""The gateway's endpoints, put together."""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path_

from bouted.gateway.balance import Balance, even_draws
from bouted.gateway.completions import Completions
from bouted.gateway.errors import error_response
from bouted.gateway.keys import SAMPLES_PATH, ApiKeys, KeyCheck
from bouted.gateway.measure import KEPT, Metrics, Samples
from bouted.gateway.relay import Relay
from bouted.gateway.scoring import model_names, unserved_models
from bouted.gateway.state import RouteState
from bouted.gateway.upstream import Upstream
from bouted.plugins import load

POLICY = "least_loaded"
PAGE = 1000


class Gateway:
    """One gateway over the route table in `state_dir`."""

    def __init__(self, state_dir: Path) -> None:
        self._state = RouteState(state_dir)
        self._balance = Balance(load("bouted.policies", POLICY), time.monotonic, even_draws(random.random()))
        self._upstream = Upstream()
        self._samples = Samples()
        self._metrics = Metrics(self._balance.outstanding, lambda: self._state.table)

    def app(self, keys: ApiKeys | None) -> Starlette:
        """The ASGI application; with `keys`, clients must show one."""
        relay = Relay(self._state, self._balance, self._upstream)
        completions = Completions(relay, self._samples, self._metrics)
        return Starlette(
            routes=[
                Path_("/v1/chat/completions", completions, methods=["POST"]),
                Path_("/v1/completions", completions, methods=["POST"]),
                Path_("/v1/models", self._models),
                Path_("/health", self._health),
                Path_("/ready", self._ready),
                Path_("/metrics", self._exposition),
                Path_(SAMPLES_PATH, self._page),
            ],
            middleware=[Middleware(KeyCheck, keys=keys)],
            exception_handlers={HTTPException: _in_openai_shape},
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        self._state.refresh()
        following = asyncio.create_task(self._state.follow())
        try:
            yield
        finally:
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
            await self._upstream.close()

    def _table_version(self) -> int:
        return 0 if self._state.table is None else self._state.table.version

    async def _models(self, request: Request) -> Response:
        names = model_names(self._state.table)
        cards = [{"id": name, "object": "model", "created": 0, "owned_by": "bouted"} for name in names]
        return JSONResponse({"object": "list", "data": cards})

    async def _health(self, request: Request) -> Response:
        routes = 0 if self._state.table is None else len(self._state.table.routes)
        body = {"status": "ok" if routes else "no routes", "routes": routes, "version": self._table_version()}
        return JSONResponse(body, 200 if routes else 503)

    async def _ready(self, request: Request) -> Response:
        """Ready is more than healthy: every model with a share has a replica, and queries can be scored."""
        table = self._state.table
        if table is None:
            return JSONResponse({"status": "no routes"}, 503)
        missing = unserved_models(table)
        blind = table.split.judges and self._state.scorer is None
        status = f"no replica: {', '.join(missing)}" if missing else "no scorer" if blind else "ready"
        return JSONResponse({"status": status}, 200 if status == "ready" else 503)

    async def _exposition(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type=CONTENT_TYPE_LATEST)

    async def _page(self, request: Request) -> Response:
        asked = request.query_params
        try:
            after, limit = int(asked.get("after", 0)), int(asked.get("limit", PAGE))
            arrivals_after = float(asked.get("arrivals_after", 0.0))
        except ValueError:
            return error_response(400, "after, limit and arrivals_after must be numbers")
        return JSONResponse(self._samples.page(after, min(limit, KEPT), arrivals_after))


async def _in_openai_shape(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return error_response(error.status_code, f"{request.method} {request.url.path}: {error.detail}")
