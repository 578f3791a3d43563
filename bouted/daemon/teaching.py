"""What a trial teaches the profile of its kind, kept as a correction."""

from collections.abc import Sequence
from datetime import datetime

from bouted.perf.learn import Correction, learned
from bouted.perf.profile import Profile
from bouted.perf.rescale import as_modelled
from bouted.perf.served import service_by_shape
from bouted.perf.service import Service
from bouted.perf.verdict import Record
from bouted.reconcile.rollout import OnTrial, RolloutRules
from bouted.store.corrections import load_corrections, save_corrections
from bouted.store.open import Store
from bouted.workload.profile import RequestLength, RequestSample

ENOUGH_WINDOWS = 2
"""A correction from so many windows stands: the learner's own windows teach it from then on."""


def teach(
    store: Store,
    key: str,
    profile: Profile,
    lengths: tuple[RequestLength, ...],
    record: Record,
    kind: OnTrial,
    rules: RolloutRules,
    now: datetime,
) -> None:
    """Keep what `record` says about `profile`, unless as much is known already.

    It is read as two windows: what is far from the model is believed when a second window agrees.
    """
    before: Correction | None = load_corrections(store).get(key)
    if before is not None and before.windows >= ENOUGH_WINDOWS:
        return
    after = before
    for service in _halves(record.good, kind, now):
        enough = max(1, rules.canary_requests // 2)
        after = learned(after, as_modelled(profile), lengths, service, now, enough)
    if after is not None and after is not before:
        save_corrections(store, {key: after}, now)


def _halves(good: Sequence[RequestSample], kind: OnTrial, now: datetime) -> list[Service]:
    """The first half of the requests and the second, in the order they finished."""
    middle = len(good) // 2
    if middle == 0:
        return []
    start_s, end_s = kind.since.timestamp(), now.timestamp()
    split_s = min(max(good[middle].arrived_s + good[middle].e2e_s, start_s), end_s)
    parts = ((good[:middle], split_s - start_s), (good[middle:], end_s - split_s))
    serving = dict.fromkeys(kind.replicas, kind.shape)
    found = (service_by_shape(part, serving, max(1.0, span_s)).get(kind.shape) for part, span_s in parts)
    return [service for service in found if service is not None]
