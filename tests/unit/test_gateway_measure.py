"""What a gateway counts: tokens, samples and arrivals."""

from bouted.gateway.measure import KEPT, Samples
from bouted.gateway.tokens import StreamTokens, body_usage, opens_with_server_error
from bouted.workload.profile import RequestSample


def test_the_tokens_of_a_stream_are_counted() -> None:
    tokens = StreamTokens(chat=True)
    tokens.see(b'data: {"choices":[{"delta":{"role":"assistant"}}]}\n\n')
    for _ in range(5):
        tokens.see(b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
    tokens.see(b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n')
    assert tokens.usage() == (None, 5)
    assert not tokens.failed


def test_usage_is_believed_where_it_is_told() -> None:
    tokens = StreamTokens(chat=False)
    tokens.see(b'data: {"choices":[{"text":"a"}]}\n\n')
    tokens.see(b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}\n\n')
    tokens.see(b"data: [DONE]\n\n")
    assert tokens.usage() == (7, 9)
    assert body_usage(b'{"usage": {"prompt_tokens": 3, "completion_tokens": 4}}') == (3, 4)
    assert body_usage(b'{"usage": null}') == body_usage(b"<html>") == (None, 0)


def test_an_error_inside_a_stream_is_seen() -> None:
    tokens = StreamTokens(chat=True)
    tokens.see(b'data: {"error": {"message": "out of memory"}}\n\n')
    assert tokens.failed


def test_an_error_cut_in_two_is_seen() -> None:
    tokens = StreamTokens(chat=True)
    tokens.see(b'data: {"choices":[]}\n\ndata: {"err')
    assert not tokens.failed
    assert not tokens.between_events
    tokens.see(b'or": {"message": "out of memory"}}\n\n')
    assert tokens.failed
    assert tokens.between_events


def test_only_the_servers_own_errors_may_be_tried_elsewhere() -> None:
    assert opens_with_server_error(b'data: {"error": {"message": "ending", "code": 500}}\n\ndata: [DONE]\n\n')
    assert not opens_with_server_error(b'data: {"error": {"message": "too long", "code": 400}}\n\n')
    assert not opens_with_server_error(b'data: {"error": "odd"}\n\n')
    assert not opens_with_server_error(b'data: {"choices": []}\n\n')
    assert not opens_with_server_error(b"")


def a_sample() -> RequestSample:
    return RequestSample(
        seq=0,
        arrived_s=1.0,
        model="small",
        replica="s1",
        score=0.1,
        prompt_tokens=1,
        output_tokens=1,
        ttft_s=1.0,
        e2e_s=1.0,
        ok=True,
    )


def test_samples_are_read_page_by_page() -> None:
    samples = Samples()
    assert samples.page(0, 10, 0.0)["last_seq"] == 0
    for _ in range(KEPT + 5):
        samples.finished(a_sample())
    seqs: list[int] = []
    after, pages = 0, 0
    while pages == 0 or len(seqs) < KEPT:
        page = samples.page(after, 7000, 0.0)
        assert isinstance(page["samples"], list)
        seqs += [sample["seq"] for sample in page["samples"]]
        after, pages = int(str(page["last_seq"])), pages + 1
    assert seqs == list(range(6, KEPT + 6))
    assert pages == 3
    assert samples.page(after, 10, 0.0)["samples"] == []
    assert samples.page(after, 10, 0.0)["last_seq"] == after


def test_arrivals_stay_in_order() -> None:
    samples = Samples()
    for at_s in (1.0, 3.0, 2.0, 4.0):
        samples.arrived(at_s)
    assert samples.page(0, 10, 0.0)["arrivals"] == [1.0, 3.0, 3.0, 4.0]
    assert samples.page(0, 10, 3.0)["arrivals"] == [4.0]
