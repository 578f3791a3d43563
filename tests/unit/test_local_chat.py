"""What a local engine is asked, and what it answers."""

import json
from typing import Any

import pytest
from bouted.providers.local_chat import DONE, Answer, Ask, Refused, error_event, parse_ask

HI = [{"role": "user", "content": "12345678"}]


def _ask(chat: bool = True, **fields: Any) -> Ask:
    return parse_ask(json.dumps(fields).encode(), chat=chat, model="small")


def _events(stream: bytes) -> list[Any]:
    """The JSON of each event, the end mark left out."""
    events = stream.decode().removesuffix("data: [DONE]\n\n").split("\n\n")
    return [json.loads(event.removeprefix("data: ")) for event in events if event]


@pytest.mark.parametrize(
    ("chat", "fields", "tokens"),
    [
        pytest.param(True, {"messages": HI}, 2, id="four characters are a token"),
        pytest.param(True, {"messages": HI * 3}, 6, id="messages add up"),
        pytest.param(True, {"messages": [{"content": None}]}, 1, id="a prompt has a token at least"),
        pytest.param(
            True, {"messages": [{"content": [{"type": "text", "text": "123456789"}]}]}, 3, id="parts of text"
        ),
        pytest.param(True, {"messages": HI, "prompt_token_ids": [7] * 90}, 90, id="token ids are counted"),
        pytest.param(False, {"prompt": "1" * 401}, 101, id="a part of a token is a token"),
        pytest.param(False, {"prompt": [1, 2, 3]}, 3, id="a prompt of token ids"),
        pytest.param(False, {"prompt": ["12345"]}, 2, id="a list with one prompt"),
    ],
)
def test_prompt_tokens_are_counted(chat: bool, fields: dict[str, Any], tokens: int) -> None:
    assert _ask(chat, **fields).prompt_tokens == tokens


@pytest.mark.parametrize(
    ("fields", "tokens", "reason"),
    [
        ({}, 128, "stop"),
        ({"max_tokens": 5}, 5, "length"),
        ({"max_completion_tokens": 7, "max_tokens": 5}, 7, "length"),
        ({"max_tokens": None}, 128, "stop"),
        ({"max_tokens": 5, "ignore_eos": True, "min_p": 0.1, "nobody_knows": {}}, 5, "length"),
    ],
)
def test_the_output_is_as_long_as_was_asked(fields: dict[str, Any], tokens: int, reason: str) -> None:
    ask = _ask(messages=HI, **fields)
    assert (ask.output_tokens, ask.reason) == (tokens, reason)


@pytest.mark.parametrize(
    ("chat", "body", "status", "said"),
    [
        (True, b"{", 400, "not JSON"),
        (True, b"[]", 400, "not a JSON object"),
        (True, b"{}", 400, "messages"),
        (True, b'{"messages": []}', 400, "messages"),
        (False, b"{}", 400, "prompt"),
        (False, b'{"prompt": ["a", "b"]}', 400, "prompt"),
        (False, b'{"prompt": "a", "max_tokens": -1}', 400, "max_tokens"),
        (False, b'{"prompt": "a", "max_tokens": true}', 400, "max_tokens"),
        (False, b'{"prompt": "a", "max_tokens": "5"}', 400, "max_tokens"),
        (False, b'{"prompt": "a", "n": 2}', 400, "n must be 1"),
        (False, b'{"prompt": "a", "model": "large"}', 404, "'large' is not served here"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(chat: bool, body: bytes, status: int, said: str) -> None:
    with pytest.raises(Refused) as refused:
        parse_ask(body, chat=chat, model="small")
    assert refused.value.status == status
    assert said in refused.value.message


def test_a_whole_answer_has_its_text_reason_and_usage() -> None:
    body = json.loads(Answer(_ask(messages=HI, max_tokens=3), "small").whole())
    assert body["object"] == "chat.completion"
    assert body["model"] == "small"
    assert body["id"].startswith("chatcmpl-")
    assert body["choices"][0]["message"] == {"role": "assistant", "content": " the plan keeps"}
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}


def test_a_stream_says_the_same_as_a_whole_answer() -> None:
    ask = _ask(messages=HI, max_tokens=30, stream=True, stream_options={"include_usage": True})
    answer = Answer(ask, "small")
    *chunks, usage = _events(answer.opening() + answer.tokens(0, 1) + answer.tokens(1, 30) + answer.closing())
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    whole = json.loads(answer.whole())
    assert len({chunk["id"] for chunk in (*chunks, usage, whole)}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert deltas[0]["role"] == "assistant"
    assert "".join(delta.get("content", "") for delta in deltas) == whole["choices"][0]["message"]["content"]
    assert [c["choices"][0]["finish_reason"] for c in chunks] == [None] * 31 + ["length"]
    assert usage["choices"] == []
    assert usage["usage"] == whole["usage"]


def test_a_completion_stream_carries_text_and_no_usage_unless_asked() -> None:
    answer = Answer(_ask(False, prompt="1234", max_tokens=2, stream=True), "small")
    stream = answer.opening() + answer.tokens(0, 2) + answer.closing()
    assert stream.endswith(DONE)
    assert [event["choices"][0]["text"] for event in _events(stream)] == [" the", " plan", ""]
    assert all(event["object"] == "text_completion" and "usage" not in event for event in _events(stream))


def test_an_error_in_a_stream_is_an_event_and_ends_it() -> None:
    (event,) = _events(error_event(500, "the engine is ending"))
    assert event["error"]["code"] == 500
    assert event["error"]["message"] == "the engine is ending"
