"""Measured figures beside ours: errors, where they gather, and which operator would have to change."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import lsq_linear

from bouted.perf.steptime import Part

WORST = 6
LEAST_MULTIPLE, MOST_MULTIPLE = 0.25, 4.0
RIDGE = 0.02  # pulls a part's multiple to 1 where the points do not tell
FAR = 2.0  # points off by more than this factor have another cause than one slow operator


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to sort points, e.g. by GPU, and the value a point has in it."""

    by: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One measured figure and our estimate of it, in the same unit; both above 0.

    `spread` is what the estimate said of itself. `parts` say where the time of a typical step goes.
    """

    name: str
    measured: float
    estimated: float
    kinds: tuple[Kind, ...] = ()
    spread: float = 0.0
    parts: tuple[Part, ...] = ()

    @property
    def error(self) -> float:
        """Relative: 0.1 means that we say 10 % more than was measured."""
        return self.estimated / self.measured - 1

    @property
    def inside(self) -> bool:
        """Whether the measured figure lies in the stated p10-p90 interval."""
        low, high = self.estimated / (1 + self.spread), self.estimated * (1 + self.spread)
        return low <= self.measured <= high


def percent_off(points: Sequence[Point], share: float = 0.5) -> float | None:
    """The `share` quantile of absolute relative errors, in percent; None without points."""
    if not points:
        return None
    return 100 * float(np.quantile([abs(point.error) for point in points], share))


def percent_inside(points: Sequence[Point]) -> float | None:
    """How many points lie in their stated interval, in percent; None without points."""
    return 100 * sum(point.inside for point in points) / len(points) if points else None


def lines(points: Sequence[Point], *, worst: int = WORST) -> Iterator[str]:
    """What a reader of a missed target needs: errors by kind, the multiples of parts, the worst rows."""
    if not points:
        return
    yield from _by_kind(points)
    told = _multiples(points)
    if told:
        yield told
    for point in sorted(points, key=lambda point: -abs(point.error))[:worst]:
        yield f"worst: {_signed(point.error)} {point.name}{_shares(point.parts)}"


def _by_kind(points: Sequence[Point]) -> Iterator[str]:
    """`by tp: 1 7.2 % (-3.0) n=56; ...`: the median absolute error, and the median signed one."""
    for by in dict.fromkeys(kind.by for point in points for kind in point.kinds):
        values = {kind.value for point in points for kind in point.kinds if kind.by == by}
        told = [
            f"{value} {percent_off(some):.1f} % ({_signed(_middle(some))}) n={len(some)}"
            for value in sorted(values, key=_natural)
            if (some := [point for point in points if Kind(by=by, value=value) in point.kinds])
        ]
        if len(told) > 1:
            yield f"by {by}: {'; '.join(told)}"


def part_multiples(points: Sequence[Point]) -> tuple[Part, ...]:
    """What each part of the step would have to be multiplied by for the estimates to fit best.

    A diagnosis: nothing is corrected by it. `seconds` of the parts returned are multiples. An estimate is
    taken to change with the shares of its typical step; those off by `FAR` or more are left out. Empty where
    points have no parts.
    """
    told = [point for point in points if point.parts and 1 / FAR < point.estimated / point.measured < FAR]
    names = list(dict.fromkeys(part.name for point in told for part in point.parts if part.seconds > 0))
    if len(told) < 2 * len(names) or not names:
        return ()
    shares = np.array([[_share(point.parts, name) for name in names] for point in told])
    ratio = np.array([point.estimated / point.measured for point in told])
    weight = RIDGE * np.sqrt(len(told))
    rows = np.vstack([shares * ratio[:, None], weight * np.eye(len(names))])
    wanted = np.concatenate([np.ones(len(told)), np.full(len(names), weight)])
    found = lsq_linear(rows, wanted, bounds=(LEAST_MULTIPLE, MOST_MULTIPLE)).x
    return tuple(Part(name=name, seconds=float(x)) for name, x in zip(names, found, strict=True))


def _multiples(points: Sequence[Point]) -> str:
    found = part_multiples(points)
    if not found:
        return ""
    shares = {
        part.name: np.mean([_share(point.parts, part.name) for point in points if point.parts])
        for part in found
    }
    told = [f"{part.name} {part.seconds:.2f} ({shares[part.name]:.0%} of the step)" for part in found]
    return f"parts would fit best multiplied by: {', '.join(told)}"


def _share(parts: Iterable[Part], name: str) -> float:
    return sum(part.seconds for part in parts if part.name == name) / sum(part.seconds for part in parts)


def _shares(parts: tuple[Part, ...]) -> str:
    if not parts:
        return ""
    most = sorted(parts, key=lambda part: -part.seconds)[:3]
    return f" [{', '.join(f'{part.name} {_share(parts, part.name):.0%}' for part in most)}]"


def _middle(points: Sequence[Point]) -> float:
    return float(np.median([point.error for point in points]))


def _signed(error: float) -> str:
    return f"{100 * error:+.1f} %"


def _natural(value: str) -> tuple[float, str]:
    return (float(value), "") if value.isdigit() else (float("inf"), value)
