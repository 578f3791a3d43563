import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bouted.errors import Misconfigured
from bouted.perf.arrivals import arrivals, read_trace, weibull_arrivals
from bouted.perf.kernel import Floats

Pattern = Callable[[float, float, int, int], Floats]


@pytest.mark.parametrize("pattern", [arrivals, weibull_arrivals])
@pytest.mark.parametrize("cv", [0.0, 0.5, 1.0, 2.0])
def test_arrivals_have_the_rate_and_the_variation_asked_for(pattern: Pattern, cv: float) -> None:
    gaps = np.diff(pattern(5.0, cv, 50_000, 3), prepend=0.0)
    assert gaps.mean() == pytest.approx(0.2, rel=0.03)
    assert gaps.std() / gaps.mean() == pytest.approx(cv, abs=0.05)


@pytest.mark.parametrize("pattern", [arrivals, weibull_arrivals])
def test_one_seed_gives_one_pattern_stretched_by_the_rate(pattern: Pattern) -> None:
    np.testing.assert_allclose(pattern(2.0, 1.0, 50, 9), pattern(1.0, 1.0, 50, 9) / 2)
    assert not np.allclose(pattern(1.0, 1.0, 50, 9), pattern(1.0, 1.0, 50, 8))


def test_a_weibull_tail_is_heavier_than_a_gamma_one_of_the_same_variation() -> None:
    longest = [np.diff(pattern(1.0, 3.0, 100_000, 5)).max() for pattern in (arrivals, weibull_arrivals)]
    assert longest[1] > 1.5 * longest[0]


@pytest.mark.parametrize(
    "text",
    [
        "arrived_s,prompt_tokens,output_tokens\n3.5,10,4\n1.25,20,5\n",
        "arrival_s,input_tokens,output_tokens,user\n1.25,20,5,b\n3.5,10,4,a\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2023-11-16 18:15:46.6805900,20,5\n2023-11-16 18:15:48.9305900,10,4\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2024-05-10 00:00:00.250000+00:00,20,5\n2024-05-10T00:00:02.500000Z,10,4\n",
    ],
)
def test_a_trace_is_read_in_order_of_arrival_from_its_first_request(tmp_path: Path, text: str) -> None:
    plain, zipped = tmp_path / "trace.csv", tmp_path / "trace.csv.gz"
    plain.write_text(text)
    zipped.write_bytes(gzip.compress(text.encode()))
    for path in (plain, zipped):
        trace = read_trace(path)
        np.testing.assert_allclose(trace.arrivals_s, [0.0, 2.25], atol=1e-6)
        assert trace.prompt_tokens.tolist() == [20, 10]
        assert trace.output_tokens.tolist() == [5, 4]


HEAD = "arrived_s,prompt_tokens,output_tokens\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "has no arrived_s, no prompt_tokens, no output_tokens"),
        ("arrived_s,tokens\n1,2\n", "has no prompt_tokens, no output_tokens"),
        (HEAD, "has no requests"),
        (HEAD + "0,1,1\n1,2\n", "line 3: cannot be read"),
        (HEAD + "0,1,one\n", "line 2: cannot be read"),
        (HEAD + "12:99,1,1\n", "line 2: cannot be read"),
        (HEAD + "0,1,1\n1,2,0\n", "line 3: a request has a time and at least one token each way"),
        (HEAD + "nan,1,1\n", "line 2: a request has a time"),
    ],
)
def test_a_bad_trace_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    with pytest.raises(Misconfigured, match=says) as caught:
        read_trace(path)
    assert str(path) in caught.value.message
    assert "\n" not in str(caught.value)


CUT_SHORT = gzip.compress(b"a" * 9999, mtime=0)[:30]


@pytest.mark.parametrize("content", [b"\x1f\x8b not gzip at all", b"", CUT_SHORT])
def test_a_trace_that_is_no_gzip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "trace.csv.gz"
    path.write_bytes(content)
    with pytest.raises(Misconfigured, match=str(path)):
        read_trace(path)
    with pytest.raises(Misconfigured, match="cannot be read"):
        read_trace(tmp_path / "absent.csv")


def test_the_azure_conversation_trace_is_read_whole(shared_data: Path) -> None:
    trace = read_trace(shared_data / "azure_llm_2023" / "azure_llm_2023_conv.csv.gz")
    assert len(trace.arrivals_s) == 19_366
    assert trace.output_tokens.sum() == 4_088_665
    assert 3_400 < trace.arrivals_s[-1] < 3_700
