"""Ways to cut an instance's GPUs into replicas, and which of them are worth considering.

For given latency targets only two things about a model's part of an instance matter: the load it
carries, and how many replicas it has (up to the number asked for). So for each number of GPUs the
layouts that no other beats on both are kept, and a cut joins one layout per model. Nothing is lost: any
other cut can be replaced, on the same instance, by a kept one that does at least as much for every model.
A group of instances serves one pipeline, so it is cut for one model at a time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bouted.perf.shapes import ReplicaShape

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Replicas of one model on some of an instance's GPUs, and the requests/s they carry together."""

    gpus: int
    rate_per_s: float
    shapes: tuple[ReplicaShape, ...]


EMPTY = Layout(gpus=0, rate_per_s=0.0, shapes=())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """What one model may take of an instance: layouts, with the GPUs, requests/s and replicas of each."""

    layouts: tuple[Layout, ...]
    gpus: tuple[int, ...]
    rates: Floats
    replicas: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Cuts:
    """Cuts of `instances` equal instances, none better than another. Row i takes layout `picks[i, m]` of
    part m.

    `rates` is requests/s and `replicas` a count (up to the number asked for), both `cuts x models`.
    """

    parts: tuple[Part, ...]
    picks: Ints
    rates: Floats
    replicas: Floats
    instances: int = 1

    def shapes(self, row: int) -> tuple[ReplicaShape, ...]:
        """The replicas of one cut, sorted."""
        chosen = (part.layouts[pick] for part, pick in zip(self.parts, self.picks[row], strict=True))
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


def group_layouts(offered: Sequence[tuple[ReplicaShape, float]]) -> tuple[Layout, ...]:
    """The layouts of one model on a group that none beats: the empty one, and one replica that fills it.

    `offered` is each shape that fills such a group, with the requests/s that it carries.
    """
    if not any(rate > 0 for _, rate in offered):
        return (EMPTY,)
    shape, rate = max(offered, key=lambda item: item[1])
    return EMPTY, Layout(gpus=shape.gpu_count, rate_per_s=rate, shapes=(shape,))


def part(found: tuple[Layout, ...], replicas_wanted: int) -> Part:
    """The layouts of one model as columns of numbers; replicas count up to `replicas_wanted`."""
    return Part(
        layouts=found,
        gpus=tuple(layout.gpus for layout in found),
        rates=np.array([layout.rate_per_s for layout in found]),
        replicas=np.array([float(min(len(layout.shapes), replicas_wanted)) for layout in found]),
    )


def cuts(parts: Sequence[Part], gpu_count: int, instances: int = 1) -> Cuts:
    """The cuts of `instances` instances with `gpu_count` GPUs each into one layout per model, beaten ones
    left out."""
    picks = _fitting(tuple(each.gpus for each in parts), instances * gpu_count)
    rates = np.column_stack([each.rates[picks[:, m]] for m, each in enumerate(parts)])
    replicas = np.column_stack([each.replicas[picks[:, m]] for m, each in enumerate(parts)])
    # While one replica is enough, whoever carries more has as many.
    keep = undominated(rates if replicas.max(initial=0.0) <= 1 else np.hstack([rates, replicas]))
    return Cuts(
        parts=tuple(parts),
        picks=picks[keep],
        rates=rates[keep],
        replicas=replicas[keep],
        instances=instances,
    )


def undominated(values: Floats) -> Ints:
    """Rows that no other row matches or beats everywhere, of `rows x criteria` where more is better.

    Of equal rows the first is kept. Indices ascend.
    """
    return np.flatnonzero(~np.any(beats(values), axis=0))


def beats(values: Floats) -> Bools:
    """Entry `i, j`: row i is nowhere below row j, and above it somewhere or equal and earlier."""
    matches = np.ones((len(values), len(values)), dtype=np.bool_)
    for value in values.T:
        matches &= value[:, None] >= value[None, :]
    places = np.arange(len(values))
    return matches & (~matches.T | (places[:, None] < places[None, :]))


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
