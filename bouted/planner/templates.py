"""Ways to cut an instance's GPUs into replicas, and which of them are worth considering.

For given latency targets only two things about a model's part of an instance matter: the load it
carries, and how many replicas it has (up to the number asked for). So for each number of GPUs the
layouts that no other beats on both are kept, and a cut joins one layout per model. Nothing is lost: any
other cut can be replaced, on the same instance, by a kept one that does at least as much for every model.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bouted.perf.shapes import ReplicaShape

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Replicas of one model on some of an instance's GPUs, and the requests/s they carry together."""

    gpus: int
    rate_per_s: float
    shapes: tuple[ReplicaShape, ...]


EMPTY = Layout(gpus=0, rate_per_s=0.0, shapes=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Cuts of one instance, none better than another. Row i takes `layouts[m][picks[i, m]]` of model m.

    `rates` is requests/s and `replicas` a count (up to the number asked for), both `cuts x models`.
    """

    layouts: tuple[tuple[Layout, ...], ...]
    picks: Ints
    rates: Floats
    replicas: Floats

    def shapes(self, row: int) -> tuple[ReplicaShape, ...]:
        """The replicas of one cut, sorted."""
        chosen = (part[pick] for part, pick in zip(self.layouts, self.picks[row], strict=True))
        return tuple(sorted(shape for layout in chosen for shape in layout.shapes))


def layouts(
    offered: Sequence[tuple[ReplicaShape, float]], gpu_count: int, replicas_wanted: int
) -> tuple[Layout, ...]:
    """The layouts of one model on at most `gpu_count` GPUs that none beats; the empty one first.

    `offered` is each shape with the requests/s that one replica of it carries. A layout is beaten by
    another that takes no more GPUs, carries no less and has no fewer replicas (up to `replicas_wanted`).
    """
    best = [[EMPTY], *([] for _ in range(gpu_count))]
    for gpus in range(1, gpu_count + 1):
        grown = [
            Layout(gpus=gpus, rate_per_s=old.rate_per_s + rate, shapes=(*old.shapes, shape))
            for shape, rate in offered
            if rate > 0 and shape.gpu_count <= gpus
            for old in best[gpus - shape.gpu_count]
        ]
        best[gpus] = _unbeaten([*best[gpus - 1], *grown], replicas_wanted)
    kept = {id(layout): layout for level in best for layout in level}
    return tuple(kept.values())


def cuts(parts: Sequence[tuple[Layout, ...]], gpu_count: int, wanted: Sequence[int]) -> Cuts:
    """The cuts of an instance with `gpu_count` GPUs into one layout per model, beaten ones left out.

    `wanted` is the number of replicas up to which more replicas count, per model.
    """
    picks = _fitting(tuple(tuple(layout.gpus for layout in part) for part in parts), gpu_count)
    rates = _gather([np.array([layout.rate_per_s for layout in part]) for part in parts], picks)
    counted = [
        np.array([min(len(layout.shapes), most) for layout in part], dtype=np.float64)
        for part, most in zip(parts, wanted, strict=True)
    ]
    replicas = _gather(counted, picks)
    keep = undominated(np.hstack([rates, replicas]))
    return Cuts(layouts=tuple(parts), picks=picks[keep], rates=rates[keep], replicas=replicas[keep])


def undominated(values: Floats) -> Ints:
    """Rows that no other row matches or beats everywhere, of `rows x criteria` where more is better.

    Of equal rows the first is kept. Indices ascend.
    """
    matches = np.all(values[:, None, :] >= values[None, :, :], axis=2)
    earlier = np.arange(len(values))[:, None] < np.arange(len(values))[None, :]
    beaten = np.any(matches & (~matches.T | earlier), axis=0)
    return np.flatnonzero(~beaten)


def _unbeaten(found: list[Layout], replicas_wanted: int) -> list[Layout]:
    """Layouts worth having, the least GPUs first among equals."""
    ranked = sorted(found, key=lambda x: (-x.rate_per_s, -min(len(x.shapes), replicas_wanted), x.gpus))
    kept: list[Layout] = []
    most = -1
    for layout in ranked:
        count = min(len(layout.shapes), replicas_wanted)
        if count > most:
            kept.append(layout)
            most = count
    return kept


@lru_cache(maxsize=4096)
def _fitting(sizes: tuple[tuple[int, ...], ...], gpu_count: int) -> Ints:
    """Every choice of one layout per model that fits and is not empty: `choices x models`."""
    picks = np.zeros((1, 0), dtype=np.int64)
    used = np.zeros(1, dtype=np.int64)
    for size in map(np.array, sizes):
        row, pick = np.nonzero(used[:, None] + size[None, :] <= gpu_count)
        picks = np.column_stack([picks[row], pick])
        used = used[row] + size[pick]
    return picks[used > 0]


def _gather(columns: Sequence[Floats], picks: Ints) -> Floats:
    return np.column_stack([column[picks[:, m]] for m, column in enumerate(columns)])
