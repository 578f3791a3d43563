"""What the keeper of a node says of it."""

from dataclasses import dataclass
from datetime import datetime
from math import inf
from typing import Annotated

from pydantic import BeforeValidator, ValidationError

from bouted import codec
from bouted.errors import Retryable

RETRY_S = 5.0
READY, FAILED, ENDING = "ready", "failed", "ending"
"""Phases that an engine stays in; before them come its steps, `loading` and `warming`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptReplica:
    """One engine. `pid` and `exit_code` are those of the step or the engine that ran last; `last_word` says
    why it failed, or why it makes no token yet. Its steps fetched `fetched_bytes` in `fetch_s`; None when
    none of them was there to fetch. `failed_in` is the step that failed, "" when the engine itself did."""

    name: str
    pid: int | None
    port: int
    phase: str
    phase_since: datetime
    started_at: datetime
    gpu_ids: tuple[int, ...]
    exit_code: int | None
    last_word: str
    version: str = ""  # keepers that were started by an older bouted do not say, nor what was fetched
    fetched_bytes: int | None = None
    fetch_s: float = 0.0
    failed_in: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLook:
    """One node, at one instant. `boot` is another one after each start of its keeper. `lease_left_s` is
    infinite without a lease, and 0 once it is over: the node is ending then."""

    node: str
    boot: str
    started_at: datetime
    lease_left_s: Annotated[float, BeforeValidator(lambda left_s: inf if left_s is None else left_s)]
    gpus: int
    replicas: tuple[KeptReplica, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """How the keeper of a node is: whether it answered now, and since when it has not."""

    answers: bool
    silent_since: datetime | None = None

    def silent_s(self, now: datetime) -> float:
        """For how long it has been silent; 0 when it answers."""
        return 0.0 if self.silent_since is None else (now - self.silent_since).total_seconds()


NO_WORD = Word(answers=False)


def look_in(body: bytes, node: str) -> NodeLook:
    """The look in an answer's body; Retryable when it is none."""
    try:
        return codec.parse(NodeLook, body)
    except ValidationError as error:
        said = codec.misfit(error)
        raise Retryable(f"node {node} is told of in words nobody knows: {said}", after_s=RETRY_S) from error
