"""P95 of the part of a trace that counts: after the fleet has filled, before it runs empty."""

import numpy as np
import numpy.typing as npt

from bouted.perf.simulate import RequestTimes
from bouted.planner.latency import FOREVER_S, capped_s

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

WARM, LAST = 0.2, 0.97
# Parts of a trace whose P95 are compared to tell the luck of sampling.
PARTS = 4


def counted(requests: int) -> slice:
    """Which requests of a trace count."""
    return slice(int(WARM * requests), int(LAST * requests))


def answered(
    times: RequestTimes, unanswered_s: float = FOREVER_S, members: Bools | None = None
) -> tuple[Floats, Floats, Floats] | None:
    """TTFT, TPOT and end-to-end in seconds of every request that counts; None when none does.

    Of all requests, or of those that `members` marks. What was never answered took `unanswered_s`; it has
    no gaps between tokens, so TPOT is that of the others as long as there are any.
    """
    part = counted(len(times.e2e_s))
    kept = members[part] if members is not None else np.ones(part.stop - part.start, dtype=np.bool_)
    if not kept.any():
        return None
    ttft, tpot, e2e = (seconds[part][kept] for seconds in (times.ttft_s, times.tpot_s, times.e2e_s))
    gaps = tpot[np.isfinite(tpot)] if np.isfinite(tpot).any() else tpot
    first, between, last = (
        np.where(np.isfinite(seconds), seconds, unanswered_s) for seconds in (ttft, gaps, e2e)
    )
    return first, between, last


def sampling_error(times: RequestTimes) -> Floats:
    """Standard errors of the three P95 as shares of them, from parts of the trace one after the other."""
    part = counted(len(times.e2e_s))
    pieces = [
        [np.quantile(piece, 0.95) for piece in np.array_split(capped_s(seconds[part]), PARTS)]
        for seconds in (times.ttft_s, times.tpot_s, times.e2e_s)
    ]
    found = np.array(pieces)
    return np.asarray(found.std(axis=1, ddof=1) / np.sqrt(PARTS) / np.maximum(found.mean(axis=1), 1e-9))
