"""The connection to replicas: raw bytes in and out, failures named by what to do next."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from bouted.gateway.query import Query
from bouted.gateway.table import Route

CONNECT_S = 2.0
READ_S = 300.0
# Shorter than servers keep idle connections, so that few are found closed.
KEEP_ALIVE_S = 4.0
_PASSED_ON = ("content-type", "accept", "x-request-id", "traceparent", "tracestate")


class Refused(Exception):
    """The replica accepts no connection."""


class Broke(Exception):
    """The connection ended early."""


class TimedOut(Exception):
    """The replica said nothing for `READ_S`."""


class Upstream:
    """An HTTP client for every replica. It ignores proxies that the environment names."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(
            trust_env=False,
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S, pool=None),
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=None, keepalive_expiry=KEEP_ALIVE_S
            ),
        )

    @asynccontextmanager
    async def ask(
        self, route: Route, query: Query, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """Send the query to the replica; its body is still to be read. Refused, Broke or TimedOut."""
        with naming_failures():
            request = self._client.build_request(
                "POST",
                route.endpoint.rstrip("/") + query.path,
                content=query.body_for(route.served_model or route.model),
                headers={**_passed_on(headers), "accept-encoding": "identity"},
            )
            response = await self._client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def close(self) -> None:
        """Close idle connections."""
        await self._client.aclose()


class naming_failures:
    """Turns httpx's failures into Refused, Broke and TimedOut."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        name = type(error).__name__
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.UnsupportedProtocol):
            raise Refused(name) from error
        if isinstance(error, httpx.InvalidURL):
            raise Refused(name) from error
        if isinstance(error, httpx.ReadTimeout):
            raise TimedOut(name) from error
        if isinstance(error, httpx.TransportError):
            raise Broke(name) from error


def _passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """What a replica may see of the client's headers: never its key."""
    return {name: headers[name] for name in _PASSED_ON if name in headers}
