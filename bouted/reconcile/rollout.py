"""(fleet, how far kinds are proved, what was measured) -> who is on trial, and who counts as serving. Pure.

A kind is a model on a shape. One that this deployment never measured is on trial: it takes a small share of
its model's queries first, then a quarter, then half, then what is planned. The kinds that are farthest carry
the rest, so where nobody is proved nobody is held back: availability comes first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from bouted.perf.shapes import ReplicaShape
from bouted.reconcile.fleet import FleetState, Replica
from bouted.reconcile.states import ReplicaStatus

QUARTER, HALF = 0.25, 0.5
PATIENCE = 3
"""Times `canary_s` that a step waits for its requests: then it ends although too few came to tell."""


class Step(IntEnum):
    """How far a kind has come."""

    CANARY = 0
    QUARTER = 1
    HALF = 2
    PROVED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRules:
    """How new kinds are tried. A step lasts `canary_s` at least and wants `canary_requests` answered.

    Old replicas stay until the new ones have been ready for `soak_s`. Worse than promised means by more than
    `rollback_pct` beyond what was promised at the most.
    """

    canary_share: float
    canary_s: float
    canary_requests: int
    soak_s: float
    rollback_pct: float

    def most(self, step: Step) -> float:
        """The share of its model's queries that a kind at `step` may take at most."""
        if step is Step.PROVED:
            return 1.0
        later = {Step.CANARY: 0.0, Step.QUARTER: QUARTER, Step.HALF: HALF}[step]
        return max(self.canary_share, later)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A kind reached `step` at `since`. `kind` is named as what is learned of it is: the shape under its
    model's name in the catalog."""

    kind: str
    step: Step
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """What a kind showed since its step began: requests that tell, and why it is worse than promised ("":
    it is not)."""

    requests: int = 0
    worse: str = ""


NOTHING = Showing()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTrial:
    """A kind that serves and is not proved. `step` began at `since`, as far as these replicas go."""

    shape: ReplicaShape
    step: Step
    since: datetime
    replicas: tuple[str, ...]

    @property
    def shape_id(self) -> str:
        """Names the shape."""
        return self.shape.id

    @property
    def model(self) -> str:
        """The model that it serves."""
        return self.shape.model


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutState:
    """How far the rollout is.

    `counted` names the replicas that count as serving when old ones are let go. `worse` holds (shape id,
    why) of kinds whose trial stopped.
    """

    on_trial: tuple[OnTrial, ...] = ()
    counted: frozenset[str] = frozenset()
    worse: tuple[tuple[str, str], ...] = ()


def on_trial(fleet: FleetState, trials: Mapping[str, Trial]) -> tuple[OnTrial, ...]:
    """The kinds that serve and are not proved, by shape id. `trials` is by shape id, too; a kind without one
    begins. A step counts from when it was reached and somebody of the kind was ready."""
    kinds: dict[str, list[Replica]] = {}
    for replica in fleet.replicas:
        if replica.status is ReplicaStatus.READY:
            kinds.setdefault(replica.shape.id, []).append(replica)
    found = []
    for shape_id, ready in sorted(kinds.items()):
        trial, first = trials.get(shape_id), min(replica.since for replica in ready)
        step, since = (trial.step, max(trial.since, first)) if trial is not None else (Step.CANARY, first)
        if step is not Step.PROVED:
            found.append(
                OnTrial(
                    shape=ready[0].shape,
                    step=step,
                    since=since,
                    replicas=tuple(sorted(replica.name for replica in ready)),
                )
            )
    return tuple(found)


def tells(kind: OnTrial, requests: int, rules: RolloutRules, now: datetime) -> bool:
    """Whether so many requests are enough to judge a step by, or it is time to judge by what there is.

    The first few are never judged by: an engine that has just begun may be slow for a moment.
    """
    lasted_s = (now - kind.since).total_seconds()
    return requests >= rules.canary_requests or lasted_s >= PATIENCE * rules.canary_s


def next_step(kind: OnTrial, shown: Showing, rules: RolloutRules, now: datetime) -> Step:
    """The step the kind is due for: the one after its own once that has lasted and shown enough.

    One that is worse than promised stays where it is.
    """
    lasted_s = (now - kind.since).total_seconds()
    if shown.worse or lasted_s < rules.canary_s or not tells(kind, shown.requests, rules, now):
        return kind.step
    return Step(kind.step + 1)


def counted(
    fleet: FleetState, trying: tuple[OnTrial, ...], rules: RolloutRules, now: datetime
) -> frozenset[str]:
    """Replicas that count as serving when old ones are let go: ready for `soak_s`, and of a proved kind."""
    tried = {name for kind in trying for name in kind.replicas}
    return frozenset(
        replica.name
        for replica in fleet.replicas
        if replica.status is ReplicaStatus.READY
        and replica.name not in tried
        and (now - replica.since).total_seconds() >= rules.soak_s
    )


def rollout(
    fleet: FleetState,
    trials: Mapping[str, Trial],
    measured: Mapping[str, Showing],
    rules: RolloutRules,
    now: datetime,
) -> RolloutState:
    """How far the rollout is. `trials` and `measured` are by shape id, the latter since each step began."""
    trying = on_trial(fleet, trials)
    shown = ((kind.shape_id, measured.get(kind.shape_id, NOTHING).worse) for kind in trying)
    return RolloutState(
        on_trial=trying,
        counted=counted(fleet, trying, rules, now),
        worse=tuple((shape_id, worse) for shape_id, worse in shown if worse),
    )
