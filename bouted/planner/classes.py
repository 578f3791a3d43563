"""Classes of requests with targets of their own: who belongs to which, how late each is on one replica."""

import numpy as np
import numpy.typing as npt

from bouted.perf.mix import RequestMix, request_mix
from bouted.perf.profile import QUANTILES, Metric, Profile
from bouted.perf.simulate import RequestTimes
from bouted.planner.design import Estimate
from bouted.planner.goals import ClassTargets, Targets
from bouted.planner.problem import PlanningProblem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

P95 = QUANTILES.index(0.95)
# Loads, as shares of the highest one, at which a class is compared with all requests.
PROBED = (0.1, 0.5, 0.9)
CYCLES = 8
# A replica of which no request of a class returns is taken to be this many times as late.
NEVER = 1e6


def violation(name: str, metric: Metric) -> str:
    """What the broken target of a class is called, e.g. `long:e2e_p95`."""
    return f"{name}:{metric.value}_p95"


def class_numbers(classes: tuple[ClassTargets, ...], prompt_tokens: Ints) -> Ints:
    """The number of each request's class, -1 for none: the highest `prompt_tokens_from` that it reaches."""
    starts = np.array([item.prompt_tokens_from for item in classes], dtype=np.int64)
    return np.searchsorted(starts, prompt_tokens, side="right") - 1


def classes_shortfall(targets: Targets, estimate: Estimate) -> float:
    """How far the judged classes are from their P95 targets, as shares of these, added up."""
    judged = {item.name: item for item in estimate.classes}
    return sum(
        max(0.0, judged[item.name].p95_s(metric) / limit - 1)
        for item in targets.classes
        for metric in Metric
        if item.name in judged and (limit := item.of(metric)) is not None
    )


class ClassTails:
    """P95 of each class against load, from a shape's profile and a few simulations of one replica of it.

    A profile knows all requests together. How much later (or sooner) a class is than all of them changes
    slowly with load, so it is simulated at three loads and interpolated between them.
    """

    def __init__(self, problem: PlanningProblem) -> None:
        self.classes = problem.targets.classes
        self._profiles = problem.profiles.by_shape
        workload = problem.workload
        self._mix: RequestMix | None = None
        if self.classes:
            self._mix = request_mix(workload.lengths, workload.arrival_cv, problem.seed)

    def tails(self, shape_id: str) -> tuple[tuple[Floats, float], ...]:
        """Per class target: seconds of P95 at each rate of the profile, and the limit in seconds.

        A class of which the workload has no request sets no limit.
        """
        if self._mix is None:
            return ()
        profile = self._profiles[shape_id]
        numbers = class_numbers(self.classes, self._mix.settled(self._mix.prompt_tokens, CYCLES))
        found: list[tuple[Floats, float]] = []
        runs = [self._mix.run(profile.costs, share * profile.max_rate_per_s, CYCLES) for share in PROBED]
        for number, item in enumerate(self.classes):
            for metric in Metric:
                limit = item.of(metric)
                if limit is not None and np.any(numbers == number):
                    ratios = [self._ratio(run, metric, numbers == number) for run in runs]
                    found.append((_scaled(profile, metric, ratios), limit))
        return tuple(found)

    def _ratio(self, run: RequestTimes, metric: Metric, members: npt.NDArray[np.bool_]) -> float:
        """P95 of the class over that of all requests, in one run."""
        assert self._mix is not None
        seconds = self._mix.settled(_of(run, metric), CYCLES)
        everyone, these = np.quantile(seconds, 0.95), np.quantile(seconds[members], 0.95)
        return float(these / everyone) if np.isfinite(these) and everyone > 0 else NEVER


def _of(run: RequestTimes, metric: Metric) -> Floats:
    return {Metric.TTFT: run.ttft_s, Metric.TPOT: run.tpot_s, Metric.E2E: run.e2e_s}[metric]


def _scaled(profile: Profile, metric: Metric, ratios: list[float]) -> Floats:
    """The profile's P95 at each of its rates, as many times as the class is late there."""
    rates = np.array([point.rate_per_s for point in profile.points])
    tail = np.array([point.of(metric)[P95] for point in profile.points])
    at = np.array(PROBED) * profile.max_rate_per_s
    return np.asarray(tail * np.interp(rates, at, ratios))
