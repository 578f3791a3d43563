"""The fault script of a day: a plain list, drawn from a seed."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

DAY_S = 86_400.0
CALM_S = 4 * 3600.0  # the end of the day, without faults: what is broken must have mended by then


class Kind(StrEnum):
    """What goes wrong, or is changed."""

    # The cloud's.
    STOCK_OUT = "an offer is out of stock"
    QUOTA = "an offer is over quota"
    LATE = "launches are accepted and appear late"
    ANSWER_LOST = "the next launch happens, and its answer is lost"
    ANSWERS_ERROR = "the next launch happens, and answers an error"
    LOSE_NODE = "a node is lost"
    NOTICE = "a node is taken, with two minutes' notice"
    CRUNCH = "a node's kind is sold out, and all nodes of its offer are taken"
    KILL_ENGINE = "an engine dies"
    HANG_ENGINE = "an engine hangs"
    STALE = "lists are stale"
    PARTIAL = "lists are partial"
    EMPTY = "lists are empty"
    TWICE = "lists name things twice"
    SLOW = "calls are slow"
    FAILING = "calls fail"
    PRICE = "a price steps"
    ORPHAN = "a machine under our mark that no row explains"
    # The daemon's.
    CRASH = "the daemon crashes"
    DISK_FULL = "the disk is full"
    LOCKED = "the database is locked"
    TAKEOVER = "the daemon is paused, another takes over"
    CLOCK = "the daemon's clock jumps"
    RASH = "a pass decides to spend and to stop too much"
    # People's, and the load's.
    BUDGET = "the budget is edited"
    FLOOR = "the serving floor is edited"
    UPGRADE = "the engine's version is edited"
    MODE = "the mode is edited"
    PAUSE = "the operator pauses"
    LOAD = "the load changes"
    FLOOD = "plans are made every few seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault: when, for how long, how bad (0..1), and which of several things it hits (0..1)."""

    at_s: float
    kind: Kind
    span_s: float
    size: float
    pick: float

    def __str__(self) -> str:
        return (
            f"{clock_of(self.at_s)} {self.kind} (for {self.span_s:.0f} s, {self.size:.3f}, {self.pick:.3f})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One simulated day. The seed decides delays too, the faults stand in a list that can be shortened."""

    seed: int
    faults: tuple[Fault, ...]
    until_s: float = DAY_S


_WEIGHTS = {
    Kind.CRASH: 7,
    Kind.LOSE_NODE: 3,
    Kind.ANSWER_LOST: 2,
    Kind.ANSWERS_ERROR: 2,
    Kind.LATE: 2,
    Kind.PRICE: 2,
    Kind.LOAD: 3,
    Kind.STOCK_OUT: 2,
    Kind.CRUNCH: 2,
}
_RASH = 0.5  # of the days have one such pass
_LONGEST_S = {
    Kind.CRASH: 900.0,
    Kind.STOCK_OUT: 7200.0,
    Kind.QUOTA: 7200.0,
    Kind.CRUNCH: 3600.0,
    Kind.STALE: 240.0,
    Kind.PARTIAL: 60.0,
    Kind.EMPTY: 60.0,
    Kind.TAKEOVER: 900.0,
    Kind.FLOOD: 60.0,
    Kind.CLOCK: 1800.0,
    Kind.LATE: 400.0,
}


def script_of(seed: int, *, most: int = 12) -> Script:
    """The script of a seed: up to `most` faults, often close together, none in the calm at the end."""
    rng = Random(f"script {seed}")
    kinds = [kind for kind in Kind if kind is not Kind.RASH]
    weights = [_WEIGHTS.get(kind, 1) for kind in kinds]
    faults: list[Fault] = []
    while len(faults) < rng.randint(most // 2, most):
        at_s = rng.uniform(60.0, DAY_S - CALM_S - 7200.0)
        for kind in rng.choices(kinds, weights, k=rng.choice((1, 1, 2, 3))):
            faults.append(_fault(rng, kind, at_s))
            at_s += rng.expovariate(1 / 40.0)
    apart = Random(f"rash {seed}")  # every other fault stays what it is
    if apart.random() < _RASH:
        faults.append(_fault(apart, Kind.RASH, apart.uniform(60.0, DAY_S - CALM_S - 7200.0)))
    return Script(seed=seed, faults=tuple(sorted(faults, key=lambda fault: fault.at_s)))


def _fault(rng: Random, kind: Kind, at_s: float) -> Fault:
    longest = _LONGEST_S.get(kind, 300.0)
    span_s = longest * rng.random() ** 2 + 5.0
    if kind is Kind.CRASH and rng.random() < 0.1:
        span_s = 3 * 3600.0  # longer than the dead-man lease
    return Fault(
        at_s=round(at_s, 1),
        kind=kind,
        span_s=round(span_s, 1),
        size=round(rng.random(), 3),
        pick=round(rng.random(), 3),
    )


def clock_of(at_s: float) -> str:
    """Seconds of the day as h:mm:ss.s."""
    minutes, seconds = divmod(at_s, 60)
    return f"{int(minutes // 60):02}:{int(minutes % 60):02}:{seconds:04.1f}"
