"""When the steps of an engine begin and end: one at a time, or one behind another through its stages."""

from collections import deque

from bouted.perf.batch import Batch, Emitted


class Pipeline:
    """Runs a batch in time. The caller hands over the instants that `next_s` names, in order.

    A stage works on one step at a time, each for `step / stages`. A step may begin when the first stage is
    free and fewer than `stages` are under way. When there is nothing to begin, the engine looks again when
    its oldest step ends, as vLLM does, which blocks on it. Times are seconds of any clock.
    """

    def __init__(self, batch: Batch, time_scale: float = 1.0) -> None:
        self._batch = batch
        self._pace = 1 / time_scale
        self._ends: deque[float] = deque()
        self._free_s = float("-inf")
        self._looked = True

    @property
    def next_s(self) -> float | None:
        """When the next step ends or may begin; None when only a new request can change anything."""
        if not self._ends:
            return None if self._looked else self._free_s
        if self._looked or len(self._ends) == self._batch.costs.stages:
            return self._ends[0]
        return min(self._ends[0], self._free_s)

    def end_step(self, now_s: float) -> tuple[Emitted, ...] | None:
        """End the oldest step if it ends by `now_s`: its tokens; None when it does not."""
        if not self._ends or self._ends[0] > now_s:
            return None
        self._ends.popleft()
        self._looked = False
        return self._batch.end_step()

    def begin_step(self, now_s: float) -> bool:
        """Begin a step at `now_s` if one may begin and there is work; whether it did."""
        stages, under_way = self._batch.costs.stages, len(self._ends)
        if under_way == stages or now_s < self._free_s or (self._looked and under_way):
            return False
        cost_s = self._batch.begin_step()
        self._looked = cost_s is None
        if cost_s is None:
            return False
        step_s = cost_s * self._pace
        stage_s = step_s / stages
        self._free_s = now_s + stage_s
        # A short step cannot overtake a long one that is still in the stages ahead.
        behind_s = self._ends[-1] + stage_s if self._ends else now_s
        self._ends.append(max(now_s + step_s, behind_s))
        return True
