"""The OpenAI API of a paced engine: what was asked, and the bytes of each answer. Text is filler."""

import json
import time
import uuid
from dataclasses import dataclass
from math import ceil
from typing import Any

_WORDS = ("the", "plan", "keeps", "every", "query", "on", "the", "least", "costly", "model", "that", "serves")
_FILLER = tuple(f" {word}" for word in _WORDS)
_DEFAULT_OUTPUT = 128
DONE = b"data: [DONE]\n\n"


class Refused(Exception):
    """The request cannot be served: an HTTP status and a line for the client."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One completion that was asked for. `reason` is why it will finish."""

    chat: bool
    stream: bool
    include_usage: bool
    prompt_tokens: int
    output_tokens: int
    reason: str


def parse_ask(body: bytes, *, chat: bool, model: str) -> Ask:
    """What `body` asks of the engine that serves `model`; Refused when it makes no sense.

    Fields that are not known are ignored. Tokens are counted as four characters each, unless the request
    carries `prompt_token_ids`. The output always has `max_tokens` tokens (128 when it is not set), with
    `ignore_eos` or without.
    """
    fields = _object(body)
    if fields.get("model", model) != model:
        raise Refused(404, f"the model {fields['model']!r} is not served here, {model!r} is")
    if fields.get("n", 1) not in (1, None):
        raise Refused(400, "n must be 1")
    options = fields.get("stream_options")
    limit = fields.get("max_completion_tokens") or fields.get("max_tokens")
    if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
        raise Refused(400, f"max_tokens must be a whole number of at least 1, got {limit!r}")
    return Ask(
        chat=chat,
        stream=bool(fields.get("stream")),
        include_usage=isinstance(options, dict) and bool(options.get("include_usage")),
        prompt_tokens=_prompt_tokens(fields, chat),
        output_tokens=limit or _DEFAULT_OUTPUT,
        reason="length" if limit else "stop",
    )


def error_body(status: int, message: str) -> bytes:
    """An error as OpenAI clients know it."""
    kinds = {400: "BadRequestError", 404: "NotFoundError", 503: "ServiceUnavailableError"}
    kind = kinds.get(status, "InternalServerError")
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": status}}).encode()


def error_event(status: int, message: str) -> bytes:
    """An error inside a stream, whose HTTP status is already sent."""
    return b"data: " + error_body(status, message) + b"\n\n" + DONE


class Answer:
    """The bytes of one answer. What does not change from token to token is encoded once."""

    def __init__(self, ask: Ask, model: str) -> None:
        self._ask = ask
        chat = ask.chat
        self._head = {
            "id": f"{'chatcmpl' if chat else 'cmpl'}-{uuid.uuid4().hex}",
            "object": "chat.completion" if chat else "text_completion",
            "created": int(time.time()),
            "model": model,
        }
        mark = "\0"
        before, after = json.dumps(self._chunk({"content": mark} if chat else mark)).split(json.dumps(mark))
        self._before, self._after = f"data: {before}", f"{after}\n\n"
        self._words = tuple(json.dumps(word) for word in _FILLER)

    def whole(self) -> bytes:
        """The answer in one piece."""
        text = "".join(_FILLER[index % len(_FILLER)] for index in range(self._ask.output_tokens))
        message = {"role": "assistant", "content": text}
        body = {"message": message} if self._ask.chat else {"text": text}
        choice = {"index": 0, **body, "logprobs": None, "finish_reason": self._ask.reason}
        return json.dumps({**self._head, "choices": [choice], "usage": self._usage()}).encode()

    def opening(self) -> bytes:
        """What comes with the first token: a chat stream names its role."""
        return _event(self._chunk({"role": "assistant", "content": ""})) if self._ask.chat else b""

    def tokens(self, first: int, last: int) -> bytes:
        """The events of tokens `first` up to but not including `last`."""
        words, before, after = self._words, self._before, self._after
        return "".join(f"{before}{words[at % len(words)]}{after}" for at in range(first, last)).encode()

    def closing(self) -> bytes:
        """Why it ended, the usage where that was asked for, and the end of the stream."""
        ending = _event(self._chunk({} if self._ask.chat else "", self._ask.reason))
        if self._ask.include_usage:
            ending += _event({**self._stream_head(), "choices": [], "usage": self._usage()})
        return ending + DONE

    def _chunk(self, content: dict[str, str] | str, reason: str | None = None) -> dict[str, object]:
        key = "delta" if self._ask.chat else "text"
        choice = {"index": 0, key: content, "logprobs": None, "finish_reason": reason}
        return {**self._stream_head(), "choices": [choice]}

    def _stream_head(self) -> dict[str, object]:
        return {**self._head, "object": "chat.completion.chunk"} if self._ask.chat else dict(self._head)

    def _usage(self) -> dict[str, int]:
        prompt, output = self._ask.prompt_tokens, self._ask.output_tokens
        return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


def _event(value: dict[str, object]) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def _object(body: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(body)
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(fields, dict):
        raise Refused(400, "the body is not a JSON object")
    return fields


def _prompt_tokens(fields: dict[str, Any], chat: bool) -> int:
    ids = fields.get("prompt_token_ids")
    if isinstance(ids, list) and ids:
        return len(ids)
    if chat:
        messages = fields.get("messages")
        if not isinstance(messages, list) or not messages:
            raise Refused(400, "messages must be a list with at least one message")
        return _tokens("".join(_text(message) for message in messages))
    prompt = fields.get("prompt")
    if isinstance(prompt, list) and prompt and all(isinstance(token, int) for token in prompt):
        return len(prompt)
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise Refused(400, "prompt must be one text, or one list of token ids")
    return _tokens(prompt)


def _text(message: object) -> str:
    """The text of a chat message, whose content is a string or a list of parts."""
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "".join(str(part.get("text", "")) for part in parts if isinstance(part, dict))


def _tokens(text: str) -> int:
    return max(1, ceil(len(text) / 4))
