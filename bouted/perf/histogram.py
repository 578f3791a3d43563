"""A Prometheus histogram between two scrapes: how many, their mean, their quantiles."""

from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of values up to each of `bounds`, ascending and ending in infinity; `total` is their sum."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]
    total: float

    @property
    def count(self) -> float:
        """How many values."""
        return self.counts[-1] if self.counts else 0.0

    @property
    def mean(self) -> float | None:
        """Their mean; None of none."""
        return self.total / self.count if self.count > 0 else None

    def since(self, before: "Histogram") -> "Histogram | None":
        """The values that came after `before`; None when the engine has started to count anew."""
        if before.bounds != self.bounds:
            return None if before.count > 0 else self
        counts = tuple(now - then for now, then in zip(self.counts, before.counts, strict=True))
        if any(count < 0 for count in counts) or any(b < a for a, b in pairwise(counts)):
            return None
        return Histogram(bounds=self.bounds, counts=counts, total=self.total - before.total)

    def quantile(self, level: float) -> float | None:
        """The value that a share `level` does not exceed, linear inside a bucket; None of none.

        In the last bucket, which has no upper end, its lower end.
        """
        if self.count <= 0:
            return None
        wanted, below, floor = level * self.count, 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts, strict=True):
            if count >= wanted and count > below:
                if bound == float("inf"):
                    return floor
                return floor + (bound - floor) * (wanted - below) / (count - below)
            below, floor = count, bound
        return floor


NOTHING = Histogram(bounds=(), counts=(), total=0.0)
