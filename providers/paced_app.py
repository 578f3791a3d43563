"""The HTTP side of a paced engine where vLLM and SGLang differ: how they drain, and who tells metrics."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bouted.perf.shapes import Engine

from .local_chat import error_body
from .local_http import EngineApp

_HEALTH = ("/health", "/health_generate")
_ENDING = "cannot schedule new futures after shutdown"  # vLLM's own words


class PacedApp:
    """An ASGI application over `app`; `metrics` None: nothing is told on /metrics."""

    def __init__(self, app: EngineApp, dialect: Engine, metrics: CollectorRegistry | None) -> None:
        self.draining = False
        self._app = app
        self._vllm = dialect is Engine.VLLM
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._own(scope) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    def _own(self, scope: Scope) -> Response | None:
        """The answer that the dialect gives in `app`'s place."""
        path = scope["path"]
        if self.draining and self._vllm and scope["method"] == "POST":
            return Response(error_body(500, _ENDING), status_code=500, media_type="application/json")
        if self.draining and not self._vllm and path in _HEALTH:
            return Response(status_code=503)
        if path == "/health_generate" and not self._vllm:
            scope["path"] = "/health"
        if path != "/metrics":
            return None
        if self._metrics is None:
            return Response(status_code=404)
        return Response(generate_latest(self._metrics), media_type=CONTENT_TYPE_LATEST)
