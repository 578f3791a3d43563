"""How many tokens an answer has: from its usage where it says so, else by counting events. Pure."""

import json

_DONE = b"data: [DONE]"
_ERROR = b'data: {"error"'


class StreamTokens:
    """Counts the tokens of one stream of server-sent events, chunk by chunk, without parsing it."""

    def __init__(self, *, chat: bool) -> None:
        self._events = -1 if chat else 0  # a chat stream opens with an event that only names the role
        self._tail = b""
        self._before = b""
        self.failed = False

    def see(self, chunk: bytes) -> None:
        """The next bytes of the stream."""
        self._events += chunk.count(b"data: ")
        self._before, self._tail = self._tail, chunk
        if _ERROR in self._before[1 - len(_ERROR) :] + chunk:
            self.failed = True

    @property
    def between_events(self) -> bool:
        """Whether the bytes so far end where an event ends."""
        return self._tail.endswith((b"\n\n", b"\r\n\r\n"))

    def usage(self) -> tuple[int | None, int]:
        """(prompt tokens if the stream told, output tokens)."""
        end = self._before + self._tail
        told = _last_usage(end)
        if told is not None:
            return told
        empty = end.count(_DONE) + end.count(b'"delta":{}') + end.count(b'"delta": {}')
        return None, max(0, self._events - empty)


def opens_with_server_error(chunk: bytes) -> bool:
    """Whether a stream's first bytes are an error of the server's: 500 and up, before any token."""
    if not chunk.startswith(_ERROR):
        return False
    try:
        code = json.loads(chunk.partition(b"\n")[0][len(b"data: ") :])["error"]["code"]
        return int(code) >= 500
    except (ValueError, KeyError, TypeError):
        return False


def body_usage(body: bytes) -> tuple[int | None, int]:
    """(prompt tokens, output tokens) of a whole answer; (None, 0) when it does not tell."""
    return _usage_in(body) or (None, 0)


def _last_usage(events: bytes) -> tuple[int | None, int] | None:
    for line in reversed(events.split(b"\n")):
        if line.startswith(b"data: {") and b'"usage"' in line:
            return _usage_in(line[len(b"data: ") :])
    return None


def _usage_in(body: bytes) -> tuple[int, int] | None:
    try:
        usage = json.loads(body)["usage"]
        return int(usage["prompt_tokens"]), int(usage.get("completion_tokens") or 0)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
