"""Who may use the gateway: clients that show one of the keys."""

from hashlib import blake2b
from hmac import compare_digest
from pathlib import Path

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bouted.config.running import is_loopback
from bouted.errors import Misconfigured
from bouted.gateway.errors import error_response

OPEN_PATHS = ("/health", "/ready", "/metrics")
SAMPLES_PATH = "/-/samples"
_BEARER = "bearer "


class ApiKeys:
    """A set of keys, held as hashes."""

    def __init__(self, keys: tuple[str, ...]) -> None:
        self._hashes = tuple(_hash(key) for key in keys)

    @classmethod
    def read(cls, path: Path) -> "ApiKeys":
        """One key a line; blank lines and lines that start with # do not count. Misconfigured without any."""
        try:
            lines = [line.strip() for line in path.read_text().splitlines()]
        except (OSError, UnicodeDecodeError) as cause:
            reason = cause.strerror if isinstance(cause, OSError) else "not text"
            raise Misconfigured(str(path), f"cannot read the API keys: {reason}") from cause
        keys = tuple(line for line in lines if line and not line.startswith("#"))
        if not keys:
            raise Misconfigured(str(path), "holds no API key", hint="put one key on each line")
        return cls(keys)

    def admits(self, authorization: str) -> bool:
        """Whether the header carries one of the keys. Takes as long for a close guess as for a bad one."""
        if not authorization.lower().startswith(_BEARER):
            return False
        shown = _hash(authorization[len(_BEARER) :].strip())
        return sum(compare_digest(shown, known) for known in self._hashes) > 0


class KeyCheck:
    """Answers 401 to requests without a key, before they cost anything.

    Health, readiness and metrics are open, and so are samples for clients on this machine.
    """

    def __init__(self, app: ASGIApp, keys: ApiKeys | None) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._keys is not None and not _is_open(scope):
            shown = Headers(scope=scope).get("authorization", "")
            if not self._keys.admits(shown):
                refusal = error_response(401, "an API key is needed: send `Authorization: Bearer KEY`")
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_open(scope: Scope) -> bool:
    if scope["path"] == SAMPLES_PATH:
        client = scope.get("client")
        return client is not None and is_loopback(client[0])
    return scope["path"] in OPEN_PATHS


def _hash(key: str) -> bytes:
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=32).digest()
