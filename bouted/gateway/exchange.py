"""One request and its answer, as far as it has come."""

from dataclasses import dataclass, field

from bouted.gateway.query import Query
from bouted.gateway.scoring import HARDEST
from bouted.quality.route_split import Judged
from bouted.workload.profile import RequestSample

CLIENT_LEFT = 499
BROKEN = 502
# What the client did wrong says nothing about the fleet; these two are the fleet's.
_FLEETS_OWN = (408, 429)


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What is measured of one request. `begun_s`, `first_s` are monotonic, `arrived_s` is a Unix time.

    `code` is what the client was told, 502 for a stream that broke and 499 for a client that left.
    `failed_by` are the replicas that were tried in vain.
    """

    query: Query
    arrived_s: float
    begun_s: float
    judged: Judged = HARDEST
    model: str = ""
    replica: str = ""
    code: int = CLIENT_LEFT
    answering: bool = False
    ending: bool = False
    first_s: float | None = None
    prompt_tokens: int | None = None
    output_tokens: int = 0
    failed_by: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool | None:
        """Whether the fleet served it; None when the client left or asked for what cannot be."""
        if self.code == CLIENT_LEFT:
            return None
        if 400 <= self.code < 500 and self.code not in _FLEETS_OWN:
            return None
        return self.code < 400

    def sample(self, now_s: float) -> RequestSample | None:
        """What the daemon gets to know. An answer in one piece has `ttft_s` equal to `e2e_s`."""
        if self.ok is None:
            return None
        e2e_s = now_s - self.begun_s
        told = self.prompt_tokens
        return RequestSample(
            seq=0,
            arrived_s=self.arrived_s,
            model=self.model,
            replica=self.replica,
            score=self.judged.score,
            prompt_tokens=self.query.prompt_tokens if told is None else told,
            output_tokens=self.output_tokens,
            ttft_s=e2e_s if self.first_s is None else self.first_s - self.begun_s,
            e2e_s=e2e_s,
            ok=self.ok,
            failed_by=tuple(name for name in self.failed_by if name != self.replica),
        )
