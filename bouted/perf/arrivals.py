"""When requests arrive: with gaps of a given mean and variation, or as they were recorded."""

import csv
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, isfinite, lgamma
from operator import itemgetter
from pathlib import Path

import numpy as np

from bouted.errors import Misconfigured
from bouted.perf.kernel import Floats, Ints

_TIMES = ("arrived_s", "TIMESTAMP", "arrival_s")
_PROMPTS = ("prompt_tokens", "ContextTokens", "input_tokens")
_OUTPUTS = ("output_tokens", "GeneratedTokens")
_HINT = (
    "a trace is a CSV file with the columns arrived_s, prompt_tokens and output_tokens, or those of Azure's"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trace:
    """Recorded requests, one entry each: seconds from the first one, ascending, and tokens each way."""

    arrivals_s: Floats
    prompt_tokens: Ints
    output_tokens: Ints


def arrivals(rate_per_s: float, cv: float, n: int, seed: int) -> Floats:
    """`n` arrival times in seconds with Gamma gaps of mean `1 / rate_per_s` and variation `cv`.

    One seed gives one pattern: another rate only stretches it. `cv` 1 is Poisson, 0 is a clock.
    """
    if cv == 0:
        return np.arange(1, n + 1) / rate_per_s
    gaps = np.random.default_rng(seed).gamma(1 / cv**2, cv**2, n)
    return np.cumsum(gaps) / rate_per_s


def weibull_arrivals(rate_per_s: float, cv: float, n: int, seed: int) -> Floats:
    """`n` arrival times in seconds with Weibull gaps of mean `1 / rate_per_s` and variation `cv`.

    Its tail is heavier than Gamma's at the same variation above 1 (ServeGen finds both, by client). `cv` 1
    is Poisson, 0 is a clock. One seed gives one pattern.
    """
    if cv == 0:
        return np.arange(1, n + 1) / rate_per_s
    shape = _weibull_shape(cv)
    gaps = np.random.default_rng(seed).weibull(shape, n) / exp(lgamma(1 + 1 / shape))
    return np.cumsum(gaps) / rate_per_s


def read_trace(path: Path) -> Trace:
    """The requests of a CSV file, gzipped if its name ends so, in order of arrival.

    Columns are `arrived_s, prompt_tokens, output_tokens`, or those of the Azure LLM inference traces of
    2023: `TIMESTAMP, ContextTokens, GeneratedTokens`. Misconfigured names the line that cannot be read.
    """
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="") as file:
            rows = sorted(_rows(path, csv.DictReader(file)), key=itemgetter(0))
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise Misconfigured(str(path), f"cannot be read: {error}", hint=_HINT) from error
    if not rows:
        raise Misconfigured(str(path), "has no requests", hint=_HINT)
    return Trace(
        arrivals_s=np.array([row[0] - rows[0][0] for row in rows]),
        prompt_tokens=np.array([row[1] for row in rows], np.int64),
        output_tokens=np.array([row[2] for row in rows], np.int64),
    )


def _rows(path: Path, table: "csv.DictReader[str]") -> Iterator[tuple[float, int, int]]:
    """Seconds, prompt and output tokens of each line."""
    names = table.fieldnames or ()
    when, prompt, output = (
        next((name for name in known if name in names), known[0]) for known in (_TIMES, _PROMPTS, _OUTPUTS)
    )
    missing = [name for name in (when, prompt, output) if name not in names]
    if missing:
        raise Misconfigured(str(path), f"has no {', no '.join(missing)}", hint=_HINT)
    for row in table:
        try:
            found = _seconds(row[when]), int(row[prompt]), int(row[output])
        except (TypeError, ValueError) as error:
            where = f"{path}: line {table.line_num}"
            raise Misconfigured(where, f"cannot be read: {error}", hint=_HINT) from error
        if not isfinite(found[0]) or min(found[1:]) < 1:
            where = f"{path}: line {table.line_num}"
            raise Misconfigured(where, "a request has a time and at least one token each way")
        yield found


def _seconds(text: str) -> float:
    """Seconds as they are, or a date and time in UTC, whose fraction may have seven digits."""
    if ":" not in text:
        return float(text)
    moment = text.strip().removesuffix("Z").removesuffix("+00:00")
    return float(np.datetime64(moment, "ns").astype(np.int64)) * 1e-9


def _weibull_shape(cv: float) -> float:
    """The shape whose variation is `cv`, by halving: the variation falls as the shape grows."""
    low, high = 0.02, 200.0
    for _ in range(100):
        middle = (low * high) ** 0.5
        squared = lgamma(1 + 2 / middle) - 2 * lgamma(1 + 1 / middle)
        if squared > np.log1p(cv**2):
            low = middle
        else:
            high = middle
    return high
