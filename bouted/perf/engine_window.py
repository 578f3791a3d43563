"""What an engine did between two scrapes of its metrics. Pure."""

from dataclasses import dataclass

from bouted.perf.histogram import Histogram
from bouted.perf.scrape import EngineScrape
from bouted.perf.service import Service, Statistic


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWindow:
    """What an engine did between two scrapes. Histograms are in seconds, of requests."""

    seconds: float
    ttft: Histogram
    tpot: Histogram
    queue: Histogram
    e2e: Histogram
    prompt_tokens: float
    output_tokens: float
    failed: float
    preempted: float

    @property
    def requests(self) -> int:
        """Requests that ended."""
        return round(self.e2e.count)


def window_between(before: EngineScrape, after: EngineScrape) -> EngineWindow | None:
    """What happened between two scrapes of one engine; None when it was started anew in between."""
    seconds = (after.at - before.at).total_seconds()
    ttft, tpot = after.ttft.since(before.ttft), after.tpot.since(before.tpot)
    queue, e2e = after.queue.since(before.queue), after.e2e.since(before.e2e)
    counted = (
        after.prompt_tokens - before.prompt_tokens,
        after.output_tokens - before.output_tokens,
        after.failed - before.failed,
        after.preempted - before.preempted,
    )
    if seconds <= 0 or min(counted) < 0 or ttft is None or tpot is None or queue is None or e2e is None:
        return None
    return EngineWindow(
        seconds=seconds,
        ttft=ttft,
        tpot=tpot,
        queue=queue,
        e2e=e2e,
        prompt_tokens=counted[0],
        output_tokens=counted[1],
        failed=counted[2],
        preempted=counted[3],
    )


def service_of(window: EngineWindow) -> Service | None:
    """The window as it is held against a profile; None without requests, or when KV cache ran out."""
    if window.requests < 1 or window.preempted > 0:
        return None
    return Service(
        requests=window.requests,
        failed=round(window.failed),
        rate_per_s=window.requests / window.seconds,
        prompt_tokens=window.prompt_tokens / window.requests,
        output_tokens=window.output_tokens / window.requests,
        ttft_s=window.ttft.mean,
        tpot_s=window.tpot.mean,
        statistic=Statistic.MEAN,
    )
