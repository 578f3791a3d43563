"""Tries new kinds of replicas: measures them while they are on trial, teaches the profiles, moves them on."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bouted.clock import Clock
from bouted.daemon.promises import Promises
from bouted.daemon.teaching import teach
from bouted.events import Event, EventKind, Severity
from bouted.perf.learn import correction_key
from bouted.perf.shapes import ReplicaShape
from bouted.perf.verdict import Record, worse_than_promised
from bouted.planner.plan import Plan
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.rollout import (
    OnTrial,
    RolloutRules,
    RolloutState,
    Showing,
    Step,
    Trial,
    next_step,
    on_trial,
    rollout,
    tells,
)
from bouted.store.corrections import load_corrections
from bouted.store.events import add_events
from bouted.store.keeping import AHEAD
from bouted.store.open import Store
from bouted.store.trials import load_trials, save_trial
from bouted.workload.profile import RequestSample

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Rollouts:
    """Remembers how far each kind is; all of it is in the store as well, so a restart changes nothing.

    `specs` is the catalog's name of each model of the config: one that it no longer has keeps its own.
    `samples` is what gateways saw lately.
    """

    store: Store
    clock: Clock
    rules: Callable[[], RolloutRules]
    specs: Callable[[], Mapping[str, str]]
    samples: Callable[[], Sequence[RequestSample]]
    promises: Promises
    trials: dict[str, Trial] | None = None
    state: RolloutState = field(default_factory=RolloutState)

    def look(self, plan: Plan, fleet: FleetState) -> RolloutState:
        """How far the rollout of `plan` is now; what moved on is written down."""
        now, rules, trials = self.clock.now(), self.rules(), self._known(fleet)
        measured: dict[str, Showing] = {}
        for kind in on_trial(fleet, trials):
            record = record_of(kind.replicas, self.samples(), kind.since, now)
            measured[kind.shape_id] = shown = self._judged(kind, record, plan, rules)
            due = next_step(kind, shown, rules, now)
            if shown.worse or due is not kind.step:
                self._teach(kind, record, plan, rules)
            if due is not kind.step:
                trials[kind.shape_id] = self._reach(self._key(kind.shape), due, now)
                self._tell(kind, due, shown)
        self.state = rollout(fleet, trials, measured, rules, now)
        return self.state

    def proved_at(self, plan: Plan) -> datetime | None:
        """When the last kind of the plan was proved; None while one is not."""
        shapes = {shape for node in plan.design.nodes for shape in node.template.replicas}
        trials = [(self.trials or {}).get(self._key(shape)) for shape in shapes]
        known = [trial for trial in trials if trial is not None and trial.step is Step.PROVED]
        return max(trial.since for trial in known) if known and len(known) == len(trials) else None

    def restart(self, shape_ids: Sequence[str]) -> None:
        """These kinds begin anew when they come again: their trial went badly."""
        self._set(shape_ids, Step.CANARY)

    def accept(self, shape_ids: Sequence[str]) -> None:
        """These kinds are taken as they are: there is nothing better to go back to."""
        self._set(shape_ids, Step.PROVED)

    def _set(self, shape_ids: Sequence[str], step: Step) -> None:
        for kind in self.state.on_trial:
            if kind.shape_id in shape_ids:
                self._reach(self._key(kind.shape), step, self.clock.now())

    def _known(self, fleet: FleetState) -> dict[str, Trial]:
        """How far the kinds of the fleet are, by shape id. One that was measured before is proved."""
        if self.trials is None or self._is_ahead(self.trials):
            self.trials = load_trials(self.store)
        shapes = {replica.shape for replica in fleet.replicas if replica.live}
        keys = {shape.id: self._key(shape) for shape in shapes}
        new = sorted(key for key in keys.values() if key not in self.trials)
        if new:
            measured, now = load_corrections(self.store), self.clock.now()
            for key in new:
                self._reach(key, Step.PROVED if key in measured else Step.CANARY, now)
        return {shape_id: self.trials[key] for shape_id, key in keys.items()}

    def _is_ahead(self, trials: Mapping[str, Trial]) -> bool:
        """The clock was set back: what waits on it is mended in the store."""
        return any(trial.since > self.clock.now() + AHEAD for trial in trials.values())

    def _judged(self, kind: OnTrial, record: Record, plan: Plan, rules: RolloutRules) -> Showing:
        if not record.requests or not tells(kind, record.requests, rules, self.clock.now()):
            return Showing(requests=record.requests)
        promise = self.promises.of(plan)
        profile = promise.profiles.get(kind.shape_id)
        worse = worse_than_promised(record, profile, promise.lengths, rules.rollback_pct)
        return Showing(requests=record.requests, worse=worse)

    def _teach(self, kind: OnTrial, record: Record, plan: Plan, rules: RolloutRules) -> None:
        promise = self.promises.of(plan)
        profile = promise.profiles.get(kind.shape_id)
        if profile is not None:
            now = self.clock.now()
            teach(self.store, self._key(kind.shape), profile, promise.lengths, record, kind, rules, now)

    def _reach(self, key: str, step: Step, now: datetime) -> Trial:
        trial = Trial(kind=key, step=step, since=now)
        save_trial(self.store, trial)
        if self.trials is not None:
            self.trials[key] = trial
        return trial

    def _key(self, shape: ReplicaShape) -> str:
        return correction_key(shape, self.specs().get(shape.model, shape.model))

    def _tell(self, kind: OnTrial, due: Step, shown: Showing) -> None:
        most = self.rules().most(due)
        now = "is proved" if due is Step.PROVED else f"may take {most:.0%} of {kind.model}'s queries"
        message = f"{kind.shape_id} {now}: {shown.requests} requests answered as promised"
        if not shown.requests:
            message = f"{kind.shape_id} {now}: no requests came to tell"
        log.info("%s", message)
        event = Event(
            at=self.clock.now(),
            kind=EventKind.ROLLOUT,
            severity=Severity.INFO,
            subject=kind.shape_id,
            message=message,
        )
        add_events(self.store, (event,))


def record_of(
    replicas: Sequence[str] | None, samples: Sequence[RequestSample], since: datetime, until: datetime
) -> Record:
    """What these replicas did with the requests that arrived then; the rate is of each of them.

    None stands for the fleet as clients see it: who failed a query that another one answered is no matter.
    """
    start_s, end_s = since.timestamp(), until.timestamp()
    names = frozenset(replicas or ())
    good: list[RequestSample] = []
    failed = 0
    for sample in reversed(samples):
        if sample.arrived_s + sample.e2e_s < start_s:
            break
        if not start_s <= sample.arrived_s < end_s:
            continue
        failed += len(names.intersection(sample.failed_by))
        if replicas is None or sample.replica in names:
            failed += not sample.ok
            good += [sample] if sample.ok else []
    span_s = max(1.0, end_s - start_s)
    rate_per_s = (len(good) + failed) / span_s / max(1, len(names))
    return Record(good=tuple(reversed(good)), failed=failed, rate_per_s=rate_per_s)
