"""What a gateway measures: Prometheus metrics, and samples of finished requests for the daemon."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from itertools import islice, takewhile
from uuid import uuid4

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bouted import __version__
from bouted.gateway.table import RouteTable
from bouted.workload.profile import RequestSample

KEPT = 20_000
_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0)
_TOKEN_SECONDS = (0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08, 0.12, 0.2, 0.5, 1.0)


class Samples:
    """The last `KEPT` finished requests, numbered from 1, and when the last `KEPT` arrived."""

    def __init__(self) -> None:
        self._boot_id = uuid4().hex
        self._seq = 0
        self._finished: deque[RequestSample] = deque(maxlen=KEPT)
        self._arrived: deque[float] = deque(maxlen=KEPT)

    def arrived(self, at_s: float) -> None:
        """A request came in. Kept in order, whatever the clock does: readers ask for what is later."""
        self._arrived.append(max(at_s, self._arrived[-1]) if self._arrived else at_s)

    def finished(self, sample: RequestSample) -> None:
        """A request is over; its number is given here."""
        self._seq += 1
        self._finished.append(replace(sample, seq=self._seq))

    def page(self, after: int, limit: int, arrivals_after: float) -> dict[str, object]:
        """Up to `limit` samples numbered above `after`, oldest first, and arrivals later than a Unix time."""
        first = self._seq - len(self._finished) + 1
        skipped = max(0, after + 1 - first)
        found = list(islice(self._finished, skipped, skipped + max(0, limit)))
        late = list(takewhile(lambda at_s: at_s > arrivals_after, reversed(self._arrived)))
        return {
            "boot_id": self._boot_id,
            "last_seq": found[-1].seq if found else after,
            "samples": [asdict(sample) for sample in found],
            "arrivals": late[::-1],
        }


class Metrics:
    """The gateway's own registry."""

    def __init__(self, inflight: Mapping[str, int], table: Callable[[], RouteTable | None]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "bouted_requests", "Requests answered.", ("model", "code"), registry=self._registry
        )
        self._ttft = self._histogram("bouted_ttft_seconds", "Time to the first token of streams.", _SECONDS)
        self._tpot = self._histogram(
            "bouted_tpot_seconds", "Time per further token of streams.", _TOKEN_SECONDS
        )
        self._e2e = self._histogram("bouted_e2e_seconds", "Time to the last byte.", _SECONDS)
        self._registry.register(_Now(inflight, table))

    def answered(self, model: str, code: int) -> None:
        """Count a request by what the client was told."""
        self._requests.labels(model, str(code)).inc()

    def timed(self, sample: RequestSample) -> None:
        """Count the times of a request that went well."""
        self._e2e.labels(sample.model).observe(sample.e2e_s)
        if sample.ttft_s < sample.e2e_s:
            self._ttft.labels(sample.model).observe(sample.ttft_s)
            if sample.output_tokens > 1:
                per_token_s = (sample.e2e_s - sample.ttft_s) / (sample.output_tokens - 1)
                self._tpot.labels(sample.model).observe(per_token_s)

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)

    def _histogram(self, name: str, what: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, what, ("model",), buckets=buckets, registry=self._registry)


class _Now(Collector):
    """Gauges read when asked."""

    def __init__(self, inflight: Mapping[str, int], table: Callable[[], RouteTable | None]) -> None:
        self._inflight = inflight
        self._table = table

    def collect(self) -> Iterable[GaugeMetricFamily]:
        inflight = GaugeMetricFamily("bouted_inflight", "Requests in flight.", labels=("replica",))
        for replica, count in self._inflight.items():
            inflight.add_metric((replica,), count)
        yield inflight
        table = self._table()
        version = 0 if table is None else table.version
        yield GaugeMetricFamily("bouted_route_table_version", "Route table followed; 0: none.", value=version)
        shares = GaugeMetricFamily("bouted_route_share", "Planned share of queries.", labels=("model",))
        split = () if table is None else zip(table.split.served, table.split.served_shares, strict=True)
        for model, share in split:
            shares.add_metric((model,), share)
        yield shares
        build = GaugeMetricFamily("bouted_build_info", "The version that runs.", labels=("version",))
        build.add_metric((__version__,), 1)
        yield build
