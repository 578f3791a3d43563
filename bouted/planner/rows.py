"""Collects the rows of a sparse integer programme, one named group of variables at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array

from bouted.planner.programme import Programme

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Term:
    """`factor` times one variable."""

    variable: int
    factor: float


@dataclass(slots=True)
class Rows:
    """A programme while it is put together. Variables are numbered in the order they are added."""

    cost: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    whole: list[bool] = field(default_factory=list)
    terms: list[tuple[int, int, float]] = field(default_factory=list)
    row_low: list[float] = field(default_factory=list)
    row_high: list[float] = field(default_factory=list)

    def variable(self, *, cost: float = 0.0, high: float = inf, whole: bool = False) -> int:
        """The number of a new variable, from 0 to `high`."""
        self.cost.append(cost)
        self.high.append(high)
        self.whole.append(whole)
        return len(self.cost) - 1

    def at_least(self, terms: Sequence[Term], least: float) -> None:
        """The sum of the terms is `least` or more."""
        self._row(terms, least, inf)

    def at_most(self, terms: Sequence[Term], most: float) -> None:
        """The sum of the terms is `most` or less."""
        self._row(terms, -inf, most)

    def equal(self, terms: Sequence[Term], value: float) -> None:
        """The sum of the terms is `value`."""
        self._row(terms, value, value)

    def programme(self) -> Programme:
        """What was put together."""
        row, column, value = zip(*self.terms, strict=True)
        shape = (len(self.row_low), len(self.cost))
        return Programme(
            cost=np.array(self.cost),
            low=np.zeros(len(self.cost)),
            high=np.array(self.high),
            whole=np.array(self.whole),
            matrix=coo_array((value, (row, column)), shape=shape).tocsr(),
            row_low=np.array(self.row_low),
            row_high=np.array(self.row_high),
        )

    def _row(self, terms: Sequence[Term], low: float, high: float) -> None:
        number = len(self.row_low)
        self.terms += [(number, term.variable, term.factor) for term in terms]
        self.row_low.append(low)
        self.row_high.append(high)
