"""One request inside an engine: what it has read, made and holds."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitted:
    """One token of request `key`. `first` and `done` say which one."""

    key: int
    first: bool
    done: bool


@dataclass(slots=True, eq=False)
class Sequence:
    """Counts of tokens. `read` are in the KV cache; `goal` must be there before the next one is made.

    `goal` is the prompt at first, and the prompt and everything made so far after a preemption; a
    sequence that has read it decodes. `step` is the step under way that it is part of (-1: none) and
    `chunk` what that step adds to `read`; the cache holds both.
    """

    key: int
    prompt: int
    output: int
    cached: int
    goal: int
    read: int = 0
    made: int = 0
    step: int = -1
    chunk: int = 0
    preemptions: int = 0
    admitted: bool = False

    @property
    def decodes(self) -> bool:
        """It adds one token per step from here on."""
        return self.read >= self.goal

    @property
    def held(self) -> int:
        """Tokens it occupies in the KV cache."""
        return self.read + self.chunk

    def admit(self) -> None:
        """It enters the batch: what the prefix cache has of it need not be computed."""
        self.read = self.cached
        self.admitted = True

    def preempt(self) -> None:
        """It leaves the batch and loses its KV; the tokens it made are read again like a prompt."""
        self.read = 0
        self.goal = self.prompt + self.made
        self.preemptions += 1

    def schedule(self, step: int, tokens: int) -> None:
        """It is part of `step`, which adds this many tokens."""
        self.step, self.chunk = step, tokens

    def advance(self) -> Emitted | None:
        """Its step ended: the token that came out, or None while something is left to read."""
        self.read += self.chunk
        self.step, self.chunk = -1, 0
        if not self.decodes:
            return None
        self.made += 1
        return Emitted(key=self.key, first=self.made == 1, done=self.made == self.output)
