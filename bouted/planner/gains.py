"""By how much one more design is expected to grow the front. Exact: no sampling.

Cost and quality of a design are known before it is simulated; only its latency is not. What a design adds to
the hypervolume is then the integral, over latencies above its own, of the area of cost and quality that no
design of the front with that latency covers. The area is a step function of latency, and the latency
log-normal, so the expectation has a closed form. A latency beyond the target adds nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """The worst that is acceptable: $/h, P95 in seconds, low quality."""

    usd_per_hour: float
    p95_s: float
    quality: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unsure:
    """Designs as believed: $/h, low quality, mean and standard deviation of the natural log of P95 in
    seconds, and the odds that every other constraint holds; one entry a design each."""

    usd_per_hour: Floats
    quality: Floats
    mean: Floats
    width: Floats
    odds: Floats

    def only(self, rows: Ints) -> "Unsure":
        """Some of the designs."""
        return Unsure(
            usd_per_hour=self.usd_per_hour[rows],
            quality=self.quality[rows],
            mean=self.mean[rows],
            width=self.width[rows],
            odds=self.odds[rows],
        )


def odds_within(limit_s: float, mean: Floats, width: Floats) -> Floats:
    """The odds that a latency is within the limit, from mean and standard deviation of its logarithm."""
    return np.asarray(ndtr((np.log(limit_s) - mean) / width))


def expected_growth(known: Floats, designs: Unsure, worst: Worst) -> Floats:
    """The expected gain in hypervolume of each design alone, in $/h x s x quality.

    `known` is `designs x 3`: $/h, P95 in seconds, low quality of what was simulated and holds.
    """
    levels, best = _staircases(known, worst)
    below = _below(np.append(levels, worst.p95_s), designs.mean, designs.width)
    areas = _areas(best, known, designs, worst)
    return np.asarray(designs.odds * (areas * np.diff(below, axis=1)).sum(axis=1))


def expected_speedup(fastest_s: float, designs: Unsure) -> Floats:
    """By how many seconds each is expected to be faster than `fastest_s`."""
    return np.asarray(designs.odds * _below(np.array([fastest_s]), designs.mean, designs.width)[:, 0])


def expected_saving(cheapest_usd: float, designs: Unsure, worst: Worst) -> Floats:
    """$/h that each saves over `cheapest_usd`, times the odds that it holds."""
    held = odds_within(worst.p95_s, designs.mean, designs.width) * designs.odds
    return np.asarray(np.maximum(0.0, cheapest_usd - designs.usd_per_hour) * held)


def hypervolume(known: Floats, worst: Worst) -> float:
    """The volume that the designs of `known` cover up to the worst, in $/h x s x quality."""
    levels, best = _staircases(known, worst)
    _, widths = _columns(known, worst)
    held = np.maximum(0.0, best - worst.quality) @ widths
    return float(held @ np.diff(np.append(levels, worst.p95_s)))


def _staircases(known: Floats, worst: Worst) -> tuple[Floats, Floats]:
    """Latencies at which something changes, from 0, and the best quality for the money from each on.

    Row i, column j: the best quality of designs at most as slow as level i that cost at most cost j.
    """
    usd, _ = _columns(known, worst)
    order = np.argsort(known[:, 1], kind="stable")
    best = np.full((len(known) + 1, len(usd)), worst.quality)
    for row, i in enumerate(order):
        reached = np.where(usd >= known[i, 0], known[i, 2], worst.quality)
        best[row + 1] = np.maximum(best[row], reached)
    levels = np.minimum(np.concatenate([[0.0], known[order, 1]]), worst.p95_s)
    return levels, best


def _columns(known: Floats, worst: Worst) -> tuple[Floats, Floats]:
    """Costs at which something changes, and how far it is to the next; the last ends at the worst."""
    usd = np.unique(np.minimum(known[:, 0], worst.usd_per_hour))
    return usd, np.diff(np.append(usd, worst.usd_per_hour))


def _areas(best: Floats, known: Floats, designs: Unsure, worst: Worst) -> Floats:
    """Area of cost and quality that each design covers first, at each latency level: `designs x levels`."""
    usd, _ = _columns(known, worst)
    edges = np.append(usd, worst.usd_per_hour)
    start = np.maximum(designs.usd_per_hour[:, None], edges[:-1])
    widths = np.maximum(0.0, edges[1:] - start)
    more = np.maximum(0.0, designs.quality[:, None, None] - best[None])
    covered = np.einsum("nlc,nc->nl", more, widths)
    before = edges[0] - designs.usd_per_hour
    alone = np.maximum(0.0, before) * np.maximum(0.0, designs.quality - worst.quality)
    return np.asarray(covered + alone[:, None])


def _below(seconds: Floats, mean: Floats, width: Floats) -> Floats:
    """The integral of the odds that a latency is below t, for t from 0 to each of `seconds`."""
    with np.errstate(divide="ignore"):
        log = np.log(seconds)
    z = (log[None, :] - mean[:, None]) / width[:, None]
    part = np.exp(mean + width**2 / 2)[:, None] * ndtr(z - width[:, None])
    return np.asarray(seconds[None, :] * ndtr(z) - part)
