"""The daemon's side of a node's keeper (`node_keeper`): one blocking connection, errors by the next move."""

import json
from math import isinf
from types import TracebackType
from typing import Any, Self

import httpx

from bouted.errors import Gone, Misconfigured, NotYet, Retryable

from .engine_start import EngineStart
from .node_look import RETRY_S, NodeLook, look_in


class NodeClient:
    """Speaks with the keeper of `node`, and with no other: whoever else answers is Misconfigured.

    Every call raises Retryable when the node cannot be reached, and Gone when its lease ran out.
    """

    def __init__(self, base_url: str, token: str, node: str, timeout_s: float = 5.0) -> None:
        self._url, self._node = base_url, node
        self._http = httpx.Client(
            base_url=base_url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=1),
            trust_env=False,  # no proxy stands between this machine and itself
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def look(self) -> NodeLook:
        """The node and its engines now."""
        return look_in(self._ask("GET", "/v1/node").content, self._node)

    def renew(self, for_s: float) -> None:
        """Let the node live for so long from now; infinite: without a lease."""
        self._ask("PUT", "/v1/lease", {"for_s": None if isinf(for_s) else for_s})

    def start(self, engine: EngineStart) -> None:
        """Start an engine, unless it runs. NotYet while an older one of that name, or of its GPUs, lives."""
        self._ask("PUT", f"/v1/replicas/{engine.name}", _body(engine))

    def stop(self, name: str) -> None:
        """End an engine and all it started; NotYet until the last process is gone."""
        if self._ask("DELETE", f"/v1/replicas/{name}").status_code == httpx.codes.ACCEPTED:
            raise NotYet(f"replica {name} is ending on {self._node}")

    def log(self, name: str, start: int) -> tuple[str, int]:
        """An engine's log from byte `start` (counted from its end if negative), and where it goes on; Gone
        when there is no such engine."""
        answer = self._ask("GET", f"/v1/replicas/{name}/log", params={"from": start})
        return answer.content.decode("utf-8", "replace"), int(answer.headers["X-Next"])

    def _ask(
        self, method: str, path: str, body: object = None, params: dict[str, int] | None = None
    ) -> httpx.Response:
        if self._http.is_closed:
            raise Retryable(f"node {self._node}: the connection was just closed", after_s=RETRY_S)
        try:
            answer = self._http.request(method, path, json=body, params=params)
        except httpx.TransportError as error:
            why = " ".join(str(error).split())[:200] or type(error).__name__
            raise Retryable(f"node {self._node} cannot be reached: {why}", after_s=RETRY_S) from error
        self._require_keeper(answer.headers.get("X-Node"))
        if not answer.is_success:
            raise self._refused(answer)
        return answer

    def _require_keeper(self, named: str | None) -> None:
        if named != self._node:
            who = f"the keeper of {named}" if named else "something that is no node's keeper"
            raise Misconfigured("", f"{who} answers at {self._url}, where {self._node} should")

    def _refused(self, answer: httpx.Response) -> Exception:
        error, hint = _told(answer)
        line = f"node {self._node}: {error}"
        match answer.status_code:
            case httpx.codes.CONFLICT:
                return NotYet(line, hint=hint)
            case httpx.codes.GONE | httpx.codes.NOT_FOUND:
                return Gone(line, hint=hint)
            case status if status >= httpx.codes.INTERNAL_SERVER_ERROR:
                return Retryable(line, after_s=RETRY_S, hint=hint)
        return Misconfigured("", line, hint=hint)


def _told(answer: httpx.Response) -> tuple[str, str]:
    try:
        fields: dict[str, Any] = json.loads(answer.content)
        return str(fields["error"]), str(fields["hint"])
    except (ValueError, LookupError, TypeError):
        return f"HTTP {answer.status_code}", ""


def _body(engine: EngineStart) -> dict[str, object]:
    return {
        "argv": engine.argv,
        "steps": [{"phase": step.phase, "argv": step.argv} for step in engine.steps],
        "env": dict(engine.env),
        "secrets": dict(engine.secrets),
        "gpus": engine.gpus,
        "served_model": engine.served_model,
        "version": engine.version,
        "health": engine.health,
        "grace_s": engine.grace_s,
    }
