"""A client's request as the gateway needs it: which model it names, what to score, how long it is. Pure."""

import json
from dataclasses import dataclass
from math import ceil
from typing import Any

CHARS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One parsed request. `text` is what is scored, "" when there is none; `prompt_tokens` is an estimate."""

    path: str
    fields: dict[str, Any]
    raw: bytes
    model: str
    stream: bool
    text: str
    prompt_tokens: int

    def body_for(self, model: str) -> bytes:
        """The request as it goes upstream: as it came, but for the model's name."""
        if model == self.model:
            return self.raw
        # ASCII: half a surrogate pair is JSON as an escape and is no UTF-8.
        return json.dumps({**self.fields, "model": model}).encode()


def read_query(path: str, raw: bytes) -> Query | None:
    """The request in `raw`; None when it is not a JSON object."""
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    chat = path.endswith("/chat/completions")
    parts = _messages(fields.get("messages")) if chat else _prompts(fields.get("prompt"))
    ids = 0 if chat else _token_ids(fields.get("prompt"))
    asked = [text for role, text in parts if role == "user"]
    model = fields.get("model")
    return Query(
        path=path,
        fields=fields,
        raw=raw,
        model=model if isinstance(model, str) else "",
        stream=fields.get("stream") is True,
        text=asked[-1] if asked else "",
        prompt_tokens=ids + ceil(sum(len(text) for _, text in parts) / CHARS_PER_TOKEN),
    )


def _messages(messages: object) -> list[tuple[str, str]]:
    """(role, text) of each message."""
    if not isinstance(messages, list):
        return []
    return [(str(m.get("role", "")), _text(m.get("content"))) for m in messages if isinstance(m, dict)]


def _prompts(prompt: object) -> list[tuple[str, str]]:
    """The prompts of /v1/completions: a text or texts; token ids say nothing to a scorer."""
    prompts = prompt if isinstance(prompt, list) else [prompt]
    return [("user", text) for text in prompts if isinstance(text, str)]


def _token_ids(prompt: object) -> int:
    """How many token ids the prompt has, be it one list of them or a list of lists."""
    if not isinstance(prompt, list):
        return 0
    return sum(_token_ids(part) if isinstance(part, list) else isinstance(part, int) for part in prompt)


def _text(content: object) -> str:
    """A message's content: a string, or a list of parts of which the text ones count."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = (part.get("text") for part in content if isinstance(part, dict))
    return "\n".join(text for text in texts if isinstance(text, str))
