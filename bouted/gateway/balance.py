"""Spreads queries over replicas: counts what is in flight and remembers who refused."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from bouted.gateway.table import Route, RouteTable

AVOID_S = 2.0
GOLDEN = 0.6180339887498949

Policy = Callable[[Sequence[Route], Mapping[str, int], frozenset[str], float], Route | None]


def even_draws(start: float) -> Iterator[float]:
    """Numbers from 0 up to but not 1, for ever: any few in a row lie evenly, so small shares come out right
    after few queries. `start` is where they begin."""
    at = start % 1.0
    while True:
        yield at
        at = (at + GOLDEN) % 1.0


@dataclass(slots=True)
class Tried:
    """What one query met: replicas not to try again, and replicas to try again only if no other is left."""

    never: set[str] = field(default_factory=set)
    rather_not: set[str] = field(default_factory=set)

    def broke(self, replica: str) -> None:
        """A connection ended before an answer: once may be an idle connection that was closed just then."""
        (self.never if replica in self.rather_not else self.rather_not).add(replica)


class Balance:
    """Picks replicas. `clock` is monotonic seconds, `draws` a number from 0 up to but not 1 per pick."""

    def __init__(self, policy: Policy, clock: Callable[[], float], draws: Iterator[float]) -> None:
        self._policy = policy
        self._clock = clock
        self._draws = draws
        self._refused_until: dict[str, float] = {}
        self.outstanding: Counter[str] = Counter()

    def pick(self, table: RouteTable, models: tuple[str, ...], tried: Tried) -> Route | None:
        """A replica of the first of `models` that has one; one that refused lately only if none is left."""
        never, draw = frozenset(tried.never), next(self._draws)
        for avoid in (never | tried.rather_not | self._refusing(), never):
            for model in models:
                routes = [route for route in table.routes if route.model == model]
                found = self._policy(routes, self.outstanding, avoid, draw)
                if found is not None:
                    return found
        return None

    def refused(self, replica: str) -> None:
        """It does not accept connections: pass it over for a while."""
        self._refused_until[replica] = self._clock() + AVOID_S

    @contextmanager
    def holding(self, replica: str) -> Iterator[None]:
        """Count one query in flight at `replica`."""
        self.outstanding[replica] += 1
        try:
            yield
        finally:
            self.outstanding[replica] -= 1
            if not self.outstanding[replica]:
                del self.outstanding[replica]

    def _refusing(self) -> frozenset[str]:
        now = self._clock()
        self._refused_until = {name: until for name, until in self._refused_until.items() if until > now}
        return frozenset(self._refused_until)
