"""Learns from what the fleet does how fast it really is, and which layouts do not start."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bouted.clock import Clock
from bouted.daemon.windows import engine_services, gateway_services, scrapes_of, serving_since
from bouted.perf.learn import Correction, Predicted, correction_key, learned
from bouted.perf.profile import Profile
from bouted.perf.scrape import EngineScrape
from bouted.perf.service import Service
from bouted.perf.shapes import ReplicaShape
from bouted.reconcile.failed_starts import failed_starts
from bouted.reconcile.fleet import FleetState
from bouted.store.corrections import load_corrections, save_corrections
from bouted.store.open import Store
from bouted.store.refused_starts import add_refused_starts
from bouted.workload.profile import RequestSample

log = logging.getLogger(__name__)

WARM_UP = timedelta(seconds=60)  # an engine's first requests compile and fill caches
LONGEST = 5.0  # minutes: after a longer pause a window begins anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What one window shows: the fleet now, the samples so far, engines' /metrics by replica."""

    fleet: FleetState
    samples: Sequence[RequestSample]
    metrics: Mapping[str, str]


@dataclass(slots=True)
class Learner:
    """Holds the corrections. `tick` ends one window and begins the next."""

    store: Store
    clock: Clock
    since: datetime | None = None
    scrapes: dict[str, EngineScrape] = field(default_factory=dict)

    def tick(self, observed: Observed, predicted: Predicted | None, specs: Mapping[str, str]) -> None:
        """Hold what was seen since the last call against what was predicted; keep what that teaches.

        `specs` is the catalog's name of each model of the config.
        """
        now = self.clock.now()
        new = add_refused_starts(self.store, failed_starts(observed.fleet, specs))
        if new:
            log.warning("%d engines did not start because of their layout", new)
        since, self.since = self.since, now
        before, self.scrapes = self.scrapes, scrapes_of(observed.metrics, now)
        if since is None or predicted is None or now - since > timedelta(minutes=LONGEST):
            return
        serving = serving_since(observed.fleet, since - WARM_UP)
        services = gateway_services(observed.samples, serving, since, now)
        heard = frozenset(services)  # by gateways: they see what clients see
        for shape, service in engine_services(before, self.scrapes, serving):
            if shape not in heard:
                services.setdefault(shape, []).append(service)
        self._learn(services, predicted, specs, now)

    def _learn(
        self,
        services: Mapping[ReplicaShape, Sequence[Service]],
        predicted: Predicted,
        specs: Mapping[str, str],
        now: datetime,
    ) -> None:
        modelled = {profile.shape: profile for profile in predicted.profiles}
        known = load_corrections(self.store)
        changed: dict[str, Correction] = {}
        for shape, seen in services.items():
            spec, profile = specs.get(shape.model), modelled.get(shape)
            if spec is None or profile is None:
                continue
            key = correction_key(shape, spec)
            before = known.get(key)
            after = _taught(before, profile, predicted, seen, now)
            if after is not None and after is not before:
                changed[key] = after
                _tell(key, before, after)
        save_corrections(self.store, changed, now)


def _taught(
    before: Correction | None, profile: Profile, predicted: Predicted, seen: Sequence[Service], now: datetime
) -> Correction | None:
    for service in seen:
        before = learned(before, profile, predicted.lengths, service, now)
    return before


def _tell(key: str, before: Correction | None, after: Correction) -> None:
    applied = before.applied_tempo if before is not None else 1.0
    if after.applied_tempo != applied:
        log.info(
            "%s: steps take %.2f times as long as modelled (was %.2f)", key, after.applied_tempo, applied
        )
