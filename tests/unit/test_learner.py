"""The daemon learns: samples and engines' metrics become corrections, dead engines rules, both outlive it."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bouted.providers.local_metrics import EngineMetrics
from prometheus_client import CollectorRegistry, generate_latest

from bouted.catalog.gpus import Evidence
from bouted.daemon.learning import Learner, Observed
from bouted.perf.arrivals import arrivals
from bouted.perf.batch import Batch
from bouted.perf.build import build_profiles
from bouted.perf.learn import Predicted, believed, correction_key
from bouted.perf.profile import Profile
from bouted.perf.refused import StartFailure
from bouted.perf.rescale import slower
from bouted.perf.shapes import ReplicaShape
from bouted.perf.simulate import simulate_replica
from bouted.reconcile.failed_starts import failed_starts
from bouted.reconcile.fleet import FleetState, Replica
from bouted.reconcile.states import Reason, ReplicaStatus
from bouted.store.corrections import load_corrections
from bouted.store.open import Store
from bouted.store.refused_starts import add_refused_starts, load_refused_starts
from bouted.testing.builders import a_profile, a_shape
from bouted.testing.clock import ManualClock
from bouted.testing.fleet import START
from bouted.testing.store import fresh_store
from bouted.workload.declared import declared_profile
from bouted.workload.profile import RequestSample

LENGTHS = declared_profile(
    rate_per_s=1, prompt_tokens=260, output_tokens=110, arrival_cv=1.0, most_tokens=4096, seed=1
).lengths
SHAPE = a_shape("small")
SPECS = {"small": "llama-3.1-8b"}
KEY = correction_key(SHAPE, "llama-3.1-8b")
NAMES = ("a", "b")
WINDOW_S = 60.0


@pytest.fixture(scope="module")
def modelled() -> Profile:
    costs = a_profile(SHAPE, idle_s=0.1, max_rate=1.0).costs
    return build_profiles(((SHAPE, costs),), LENGTHS, 1.0, seed=1).profiles[0]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(fresh_store(tmp_path)) as opened:
        yield opened


def a_replica(name: str, *, shape: ReplicaShape = SHAPE, **changes: object) -> Replica:
    ready = Replica(
        name=name,
        node="n",
        position=0,
        incarnation=1,
        shape=shape,
        status=ReplicaStatus.READY,
        reason=Reason.OBSERVED,
        since=START - timedelta(hours=1),
        endpoint="http://127.0.0.1:1",
    )
    return replace(ready, **changes)  # type: ignore[arg-type]


def a_fleet(*replicas: Replica) -> FleetState:
    return FleetState(nodes=(), replicas=replicas, incarnations=())


class Serving:
    """A daemon's learner beside engines that really are `tempo` times slower than the profile."""

    def __init__(self, store: Store, profile: Profile) -> None:
        self.clock = ManualClock(START)
        self.learner = Learner(store=store, clock=self.clock)
        self.store, self.profile = store, profile
        self.predicted = Predicted(profiles=(profile,), lengths=LENGTHS)
        self.samples: list[RequestSample] = []
        self.fleet = a_fleet(*(a_replica(name) for name in NAMES))
        self.tick()

    def tick(self, metrics: dict[str, str] | None = None) -> None:
        observed = Observed(fleet=self.fleet, samples=self.samples, metrics=metrics or {})
        self.learner.tick(observed, self.predicted, SPECS)

    def window(self, tempo: float, *, ok: bool = True) -> None:
        """One minute of requests at two fifths of what the engines can do."""
        start_s = self.clock.now().timestamp()
        for number, name in enumerate(NAMES):
            self.samples += _served(
                self.profile, tempo, name, start_s, seed=len(self.samples) + number, ok=ok
            )
        self.clock.advance(WINDOW_S)
        self.tick()

    def tempo(self) -> float:
        return load_corrections(self.store)[KEY].tempo.factor


def _served(
    profile: Profile, tempo: float, name: str, start_s: float, *, seed: int, ok: bool
) -> list[RequestSample]:
    """What finished in the window, from an engine that had run long before it."""
    rate = 0.4 * profile.max_rate_per_s / tempo
    lead = 100
    count = lead + int(rate * 2 * WINDOW_S)
    picks = np.random.default_rng(seed).integers(0, len(LENGTHS), count)
    prompt = np.array([LENGTHS[i].prompt_tokens for i in picks])
    output = np.array([LENGTHS[i].output_tokens for i in picks])
    times = arrivals(rate, 1.0, count, seed)
    costs = slower(profile.costs, tempo=tempo, added_s=0.0, spread=0.0)
    seen = simulate_replica(costs, times, prompt, output)
    begins_s = times[lead]
    return [
        RequestSample(
            seq=i,
            arrived_s=start_s + float(times[i] - begins_s),
            model="small",
            replica=name,
            score=0.5,
            prompt_tokens=int(prompt[i]),
            output_tokens=int(output[i]),
            ttft_s=float(seen.ttft_s[i]),
            e2e_s=float(seen.e2e_s[i]),
            ok=ok,
        )
        for i in range(count)
        if 0 <= times[i] + seen.e2e_s[i] - begins_s < WINDOW_S
    ]


def test_engines_that_are_slower_than_modelled_are_learned_within_five_percent(
    store: Store, modelled: Profile
) -> None:
    serving = Serving(store, modelled)
    deviations = []
    for _ in range(5):
        serving.window(1.3)
        deviations.append(load_corrections(store)[KEY].tempo.deviation)
    assert serving.tempo() == pytest.approx(1.3, rel=0.05)
    assert deviations == sorted(deviations, reverse=True)
    profile = believed(modelled, load_corrections(store)[KEY], serving.clock.now())
    assert profile.evidence is Evidence.LEARNED
    assert profile.max_rate_per_s == pytest.approx(modelled.max_rate_per_s / 1.3, rel=0.05)


def test_engines_that_are_as_modelled_stay_as_modelled(store: Store, modelled: Profile) -> None:
    serving = Serving(store, modelled)
    for _ in range(5):
        serving.window(1.0)
    assert serving.tempo() == pytest.approx(1.0, abs=0.03)


def test_a_change_is_followed_and_one_bad_window_is_not(store: Store, modelled: Profile) -> None:
    serving = Serving(store, modelled)
    for tempo in (1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0):
        serving.window(tempo)
    assert serving.tempo() == pytest.approx(1.0, abs=0.05)
    for _ in range(3):
        serving.window(1.4)
    assert serving.tempo() == pytest.approx(1.4, rel=0.05)


def test_what_was_learned_outlives_the_daemon(store: Store, modelled: Profile) -> None:
    for _ in range(2):
        serving = Serving(store, modelled)
        for _ in range(2):
            serving.window(1.3)
    assert load_corrections(store)[KEY].windows == 4


@pytest.mark.parametrize(
    "change",
    [
        {"status": ReplicaStatus.DRAINING},
        {"status": ReplicaStatus.READY, "since": START},
        {"shape": a_shape("small", "H100-80GB")},
        {"shape": a_shape("unknown")},
    ],
    ids=["draining", "still warming up", "not predicted", "no model of the config"],
)
def test_replicas_that_cannot_be_held_against_the_profile_teach_nothing(
    change: dict[str, Any], store: Store, modelled: Profile
) -> None:
    serving = Serving(store, modelled)
    serving.fleet = a_fleet(*(a_replica(name, **change) for name in NAMES))
    serving.window(1.3)
    assert load_corrections(store) == {}


def test_failing_replicas_pauses_and_missing_plans_teach_nothing(store: Store, modelled: Profile) -> None:
    serving = Serving(store, modelled)
    serving.window(1.3, ok=False)
    serving.clock.advance(3600)
    serving.tick()
    predicted, serving.predicted = serving.predicted, Predicted(profiles=(), lengths=LENGTHS)
    serving.window(1.3)
    assert load_corrections(store) == {}
    serving.predicted = predicted
    serving.window(1.3)
    assert load_corrections(store).keys() == {KEY}


def test_engines_speak_where_no_gateway_does(store: Store, modelled: Profile) -> None:
    serving = Serving(store, modelled)
    metrics = EngineMetrics("small", Batch(modelled.costs))
    registry = CollectorRegistry()
    registry.register(metrics)
    serving.tick({"a": generate_latest(registry).decode()})
    for sample in _served(modelled, 1.3, "a", 0.0, seed=3, ok=True):
        metrics.prefilled(sample.prompt_tokens, sample.ttft_s)
        metrics.decoded(sample.output_tokens - 1, 0.02)
        metrics.done(
            "stop",
            sample.prompt_tokens,
            sample.output_tokens,
            front_s=0.0,
            queue_s=0.0,
            prefill_s=sample.ttft_s,
            decode_s=sample.e2e_s - sample.ttft_s,
        )
    serving.clock.advance(WINDOW_S)
    serving.tick({"a": generate_latest(registry).decode(), "b": "not metrics at all {"})
    assert serving.tempo() == pytest.approx(1.3, rel=0.1)


# starts that failed


def dead(
    name: str, *, shape: ReplicaShape = SHAPE, note: str = "its process ended while starting"
) -> Replica:
    return a_replica(
        name, shape=shape, status=ReplicaStatus.FAILED, reason=Reason.LOST, endpoint="", note=note
    )


def test_an_engine_that_ran_out_of_memory_teaches_at_once() -> None:
    found = failed_starts(a_fleet(dead("x", note="torch.OutOfMemoryError: CUDA out\nof memory")), SPECS)
    assert found["x"].kind is StartFailure.OOM
    assert (found["x"].model, found["x"].gpu, found["x"].detail) == (
        "llama-3.1-8b",
        "L4",
        "torch.OutOfMemoryError: CUDA out of memory",
    )


def test_a_layout_is_to_blame_when_several_engines_of_it_died_and_none_answered() -> None:
    assert failed_starts(a_fleet(dead("x")), SPECS) == {}
    found = failed_starts(a_fleet(dead("x"), dead("y")), SPECS)
    assert {start.kind for start in found.values()} == {StartFailure.REFUSED}
    assert failed_starts(a_fleet(dead("x"), dead("y"), a_replica("z")), SPECS) == {}
    other = dead("y", shape=a_shape("small", tp=2))
    assert failed_starts(a_fleet(dead("x"), other), SPECS) == {}


@pytest.mark.parametrize(
    "reason", [Reason.TIMEOUT, Reason.NODE_ENDED, Reason.UNHEALTHY, Reason.QUOTA, Reason.ERROR]
)
def test_other_ends_say_nothing_about_the_layout(reason: Reason) -> None:
    both = (replace(dead(name), reason=reason) for name in ("x", "y"))
    assert failed_starts(a_fleet(*both), SPECS) == {}


def test_failed_starts_are_kept_once(store: Store) -> None:
    starts = failed_starts(a_fleet(dead("x"), dead("y")), SPECS)
    assert [add_refused_starts(store, starts), add_refused_starts(store, starts)] == [2, 0]
    assert set(load_refused_starts(store)) == set(starts.values())
    learner = Learner(store=store, clock=ManualClock(START))
    fleet = a_fleet(dead("x"), dead("y"), dead("z", note="CUDA out of memory"))
    learner.tick(Observed(fleet=fleet, samples=(), metrics={}), None, SPECS)
    assert len(load_refused_starts(store)) == 3
