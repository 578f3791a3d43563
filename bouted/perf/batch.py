"""Continuous batching, one replica, step by step: the rule that the paced engine follows.

`bouted.perf.simulate` compiles the same rule; the two agree to the last digits, and a test says so.

Waiting requests are served first come, first served. A step has a budget of `max_step_tokens`:
every sequence past its prefill decodes one token, then running prefills go on, then waiting requests
are admitted while a place, budget and KV room for their whole final length are left. A step costs
`StepCosts.step_s`; its tokens come out at its end.
"""

from collections import deque
from dataclasses import dataclass

from bouted.perf.costs import StepCosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """One token of request `key`. `first` and `done` say which one."""

    key: int
    first: bool
    done: bool


@dataclass(slots=True)
class _Sequence:
    """One request in the engine. `chunk` is the prompt tokens it prefills in the step under way."""

    key: int
    prompt_tokens: int
    output_tokens: int
    prefilled: int = 0
    emitted: int = 0
    chunk: int = 0
    scheduled: bool = False

    @property
    def kv_tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens

    @property
    def cached_tokens(self) -> int:
        """KV entries held: a token that was just emitted is cached by the step that decodes the next."""
        return self.prefilled + max(0, self.emitted - 1)


class Batch:
    """The requests inside one engine. The caller alternates `begin_step` and `end_step`."""

    def __init__(self, costs: StepCosts) -> None:
        self._costs = costs
        self._running: list[_Sequence] = []
        self._waiting: deque[_Sequence] = deque()
        self._keys: set[int] = set()
        self._kv_tokens = 0
        self._in_step = False

    @property
    def running(self) -> int:
        """Requests admitted and not finished."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests not admitted yet."""
        return len(self._waiting)

    @property
    def kv_used_share(self) -> float:
        """Share of the KV cache reserved by running requests, 0..1."""
        return self._kv_tokens / self._costs.kv_capacity_tokens

    def add(self, key: int, prompt_tokens: int, output_tokens: int) -> bool:
        """Queue a request; False when it can never fit. ValueError on a key in use or no tokens."""
        if prompt_tokens < 1 or output_tokens < 1:
            raise ValueError(f"request {key}: {prompt_tokens} prompt, {output_tokens} output tokens")
        if key in self._keys:
            raise ValueError(f"request {key} is already here")
        if prompt_tokens + output_tokens > self._costs.kv_capacity_tokens:
            return False
        self._keys.add(key)
        self._waiting.append(_Sequence(key, prompt_tokens, output_tokens))
        return True

    def cancel(self, key: int) -> None:
        """Forget a request at once, and free what it holds; an unknown key is ignored.

        The time of a step under way does not change.
        """
        if key not in self._keys:
            return
        self._keys.discard(key)
        self._waiting = deque(seq for seq in self._waiting if seq.key != key)
        self._kv_tokens -= sum(seq.kv_tokens for seq in self._running if seq.key == key)
        self._running = [seq for seq in self._running if seq.key != key]

    def begin_step(self) -> float | None:
        """Choose the next step's work and return its seconds; None when there is nothing to do."""
        if self._in_step:
            raise RuntimeError("begin_step before end_step")
        decodes = sum(1 for seq in self._running if seq.emitted)
        budget = max(0, self._costs.max_step_tokens - decodes)
        budget = self._continue_prefills(budget)
        self._admit(budget)
        if not self._running:
            return None
        self._in_step = True
        prefill = sum(seq.chunk for seq in self._running)
        pairs = sum(seq.chunk * (seq.prefilled + seq.chunk / 2) for seq in self._running)
        context = sum(seq.cached_tokens for seq in self._running if seq.emitted)
        return self._costs.step_s(prefill, decodes, context, pairs)

    def end_step(self) -> tuple[Emitted, ...]:
        """Finish the step under way: the tokens it made, in order of admission."""
        if not self._in_step:
            raise RuntimeError("end_step before begin_step")
        self._in_step = False
        out = tuple(token for seq in self._running if (token := _advance(seq)) is not None)
        if any(token.done for token in out):
            self._release()
        return out

    def _continue_prefills(self, budget: int) -> int:
        for seq in self._running:
            seq.chunk = min(seq.prompt_tokens - seq.prefilled, budget)
            seq.scheduled = seq.emitted > 0 or seq.chunk > 0
            budget -= seq.chunk
        return budget

    def _admit(self, budget: int) -> None:
        while self._waiting and len(self._running) < self._costs.max_batch and budget > 0:
            seq = self._waiting[0]
            if self._kv_tokens + seq.kv_tokens > self._costs.kv_capacity_tokens:
                return
            self._running.append(self._waiting.popleft())
            self._kv_tokens += seq.kv_tokens
            seq.chunk = min(seq.prompt_tokens, budget)
            seq.scheduled = True
            budget -= seq.chunk

    def _release(self) -> None:
        for seq in self._running:
            if seq.emitted == seq.output_tokens:
                self._kv_tokens -= seq.kv_tokens
                self._keys.discard(seq.key)
        self._running = [seq for seq in self._running if seq.emitted < seq.output_tokens]


def _advance(seq: _Sequence) -> Emitted | None:
    """Apply the step to one sequence: its token, or None while its prompt is not read to the end."""
    seq.prefilled += seq.chunk
    seq.chunk = 0
    if not seq.scheduled or seq.prefilled < seq.prompt_tokens:
        return None
    seq.emitted += 1
    return Emitted(key=seq.key, first=seq.emitted == 1, done=seq.emitted == seq.output_tokens)
