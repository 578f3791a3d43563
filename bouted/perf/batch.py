"""Continuous batching, one replica, step by step: the rule of vLLM's V1 scheduler, which paced engines use.

`bouted.perf.kernel` compiles the same rule; the two agree to the last digits, and a test says so.

A step has a budget of `max_step_tokens`. Running requests come first, in order of admission: one token
for each that decodes, as much as the budget allows for one that still reads. Then waiting ones are
admitted, first come, first served, while there is a seat, budget, and free KV for all that they have to
read (vLLM's default since `scheduler_reserve_full_isl`; earlier versions look at the first chunk only).
KV is taken as tokens are computed. When a running request finds none, the one admitted last gives its
KV back, goes to the front of the queue, and later reads its prompt and its own tokens again; a step
that preempts admits nobody.

With `stages` above 1 that many steps may be under way, a request in one of them at most. A step then
decodes at most its share of the running requests, so that the pipeline fills, as a tuned engine does.
KV is counted in tokens: that vLLM hands it out in blocks of 16, about 8 too many a request, is left out.
"""

from collections import deque
from itertools import takewhile
from math import ceil

from bouted.perf.costs import StepCosts
from bouted.perf.sequence import Emitted, Sequence

__all__ = ["Batch", "Emitted"]


class Batch:
    """The requests inside one engine. A step begins with `begin_step`; `end_step` ends the oldest one."""

    def __init__(self, costs: StepCosts) -> None:
        self.costs = costs
        self.preemptions = 0
        self._running: list[Sequence] = []
        self._waiting: deque[Sequence] = deque()
        self._keys: set[int] = set()
        self._kv_tokens = 0
        self._steps: deque[int] = deque()
        self._begun = 0

    @property
    def running(self) -> int:
        """Requests admitted and not finished."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests in the queue, preempted ones included."""
        return len(self._waiting)

    @property
    def never_admitted(self) -> int:
        """Requests in the queue that were never in the batch. Preempted ones are all ahead of them."""
        return len(self._waiting) - sum(1 for _ in takewhile(lambda seq: seq.admitted, self._waiting))

    @property
    def kv_used_share(self) -> float:
        """Share of the KV cache that running requests hold, 0..1."""
        return self._kv_tokens / self.costs.kv_capacity_tokens

    def can_hold(self, prompt_tokens: int, output_tokens: int) -> bool:
        """Whether such a request fits into the whole KV cache."""
        return prompt_tokens + output_tokens <= self.costs.kv_capacity_tokens

    def add(self, key: int, prompt_tokens: int, output_tokens: int, cached_tokens: int = 0) -> bool:
        """Queue a request; False when it can never fit. ValueError on a key in use or impossible tokens.

        `cached_tokens` of its prompt are in the prefix cache: not computed, but held and attended to.
        """
        if output_tokens < 1 or not 0 <= cached_tokens < prompt_tokens:
            tokens = f"{prompt_tokens} prompt, {cached_tokens} cached, {output_tokens} output tokens"
            raise ValueError(f"request {key}: {tokens}")
        if key in self._keys:
            raise ValueError(f"request {key} is already here")
        if not self.can_hold(prompt_tokens, output_tokens):
            return False
        self._keys.add(key)
        self._waiting.append(Sequence(key, prompt_tokens, output_tokens, cached_tokens, prompt_tokens))
        return True

    def cancel(self, key: int) -> None:
        """Forget a request at once, and free what it holds; an unknown key is ignored.

        The time of a step under way does not change.
        """
        if key not in self._keys:
            return
        self._keys.discard(key)
        self._waiting = deque(seq for seq in self._waiting if seq.key != key)
        self._kv_tokens -= sum(seq.held for seq in self._running if seq.key == key)
        self._running = [seq for seq in self._running if seq.key != key]

    def begin_step(self) -> float | None:
        """Choose a step's work and return its seconds; None when nothing can be done before a step ends."""
        if len(self._steps) == self.costs.stages:
            raise RuntimeError("begin_step before end_step")
        preempted = self.preemptions
        chosen, budget = self._schedule_running()
        if self.preemptions == preempted:
            chosen += self._admit(budget)
        if not chosen:
            return None
        self._steps.append(self._begun)
        self._begun += 1
        reading = [seq for seq in chosen if not seq.decodes]
        decoding = [seq for seq in chosen if seq.decodes]
        return self.costs.step_s(
            sum(seq.chunk for seq in reading),
            len(decoding),
            sum(seq.read for seq in decoding),
            sum(seq.chunk * (seq.read + seq.chunk / 2) for seq in reading),
        )

    def end_step(self) -> tuple[Emitted, ...]:
        """Finish the oldest step under way: the tokens it made, in order of admission."""
        if not self._steps:
            raise RuntimeError("end_step before begin_step")
        step = self._steps.popleft()
        moved = [(seq, seq.advance()) for seq in self._running if seq.step == step]
        for seq, token in moved:
            if token is not None and token.done:
                self._kv_tokens -= seq.held
                self._keys.discard(seq.key)
        self._running = [seq for seq in self._running if seq.made < seq.output]
        return tuple(token for _, token in moved if token is not None)

    def _schedule_running(self) -> tuple[list[Sequence], int]:
        """The running requests that this step works on, and the budget that is left."""
        budget, chosen = self.costs.max_step_tokens, list[Sequence]()
        seats = ceil(len(self._running) / self.costs.stages)
        place = 0
        while place < len(self._running) and budget > 0:  # making room shortens the list behind `place`
            seq = self._running[place]
            place += 1
            if seq.step >= 0 or (seq.decodes and seats == 0):
                continue
            tokens = 1 if seq.decodes else min(seq.goal - seq.read, budget)
            if not self._make_room(seq, tokens):
                break
            self._take(seq, tokens)
            seats -= seq.decodes
            budget -= tokens
            chosen.append(seq)
        return chosen, budget

    def _make_room(self, seq: Sequence, tokens: int) -> bool:
        """Preempt until `tokens` more fit; False when that took `seq` itself. Steps under way go on."""
        while self._kv_tokens + tokens > self.costs.kv_capacity_tokens:
            last = next(item for item in reversed(self._running) if item.step < 0)
            self._running.remove(last)
            self._kv_tokens -= last.held
            last.preempt()
            self._waiting.appendleft(last)
            self.preemptions += 1
            if last is seq:
                return False
        return True

    def _admit(self, budget: int) -> list[Sequence]:
        """Admit from the front of the queue; the first that does not fit holds up those behind it."""
        chosen = list[Sequence]()
        while self._waiting and len(self._running) < self.costs.max_batch and budget > 0:
            seq = self._waiting[0]
            if self._kv_tokens + seq.goal > self.costs.kv_capacity_tokens:
                break
            self._running.append(self._waiting.popleft())
            seq.admit()
            self._kv_tokens += seq.read
            tokens = min(seq.goal - seq.read, budget)
            self._take(seq, tokens)
            budget -= tokens
            chosen.append(seq)
        return chosen

    def _take(self, seq: Sequence, tokens: int) -> None:
        seq.schedule(self._begun, tokens)
        self._kv_tokens += tokens
