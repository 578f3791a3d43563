"""What the gateway saw lately: polled, kept for the profiling window, turned into a workload."""

import json
import logging
from collections import deque
from dataclasses import replace

import httpx

from bouted.codec import parse
from bouted.workload.observe import Measured, measured, profile_workload
from bouted.workload.profile import RequestSample, WorkloadProfile

log = logging.getLogger(__name__)

KEPT = 20_000
PAGE = 5000
TIMEOUT_S = 2.0


class Traffic:
    """Pulls request samples from one gateway. A gateway that is away is asked again at the next poll."""

    def __init__(self, gateway_url: str) -> None:
        self._url = f"{gateway_url}/-/samples"
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False)
        self._after = 0
        self._boot = ""
        self._away = False
        self._profile: WorkloadProfile | None = None
        self.arrivals: deque[float] = deque(maxlen=KEPT)
        self.samples: deque[RequestSample] = deque(maxlen=KEPT)
        self.ok = 0
        self.failed = 0

    async def poll(self) -> None:
        """Fetch what is new. A restarted gateway counts from the beginning again."""
        try:
            answer = await self._client.get(self._url, params=self._wanted())
            answer.raise_for_status()
        except httpx.HTTPError as error:
            if not self._away:
                log.warning("gateway does not answer: %s", error or type(error).__name__)
            self._away = True
            return
        if self._away:
            log.info("gateway answers again")
        self._away = False
        self._take(answer.json())

    def _wanted(self) -> dict[str, int | float]:
        latest = self.arrivals[-1] if self.arrivals else 0.0
        return {"after": self._after, "limit": PAGE, "arrivals_after": latest}

    def _take(self, page: dict[str, object]) -> None:
        boot = str(page["boot_id"])
        if self._boot and boot != self._boot:
            self._boot, self._after = boot, 0
            return
        self._boot = boot
        new = parse(tuple[RequestSample, ...], json.dumps(page["samples"]))
        self._after = int(str(page["last_seq"]))
        self.samples.extend(new)
        self.arrivals.extend(parse(tuple[float, ...], json.dumps(page["arrivals"])))
        self.ok += sum(sample.ok for sample in new)
        self.failed += sum(not sample.ok for sample in new)

    def workload(self, declared: WorkloadProfile, now_s: float, window_s: float) -> WorkloadProfile:
        """The load to plan for, as of now; the last one known while the gateway does not answer."""
        if self._profile is None or not self._away:
            self._profile = profile_workload(
                self.samples, now_s=now_s, window_s=window_s, declared=declared, arrivals=self.arrivals
            )
        return self._profile

    def measured(self, now_s: float, window_s: float) -> Measured:
        """How the fleet did in the window; the rate is of arrivals, where there are any."""
        seen = measured(self.samples, now_s=now_s, window_s=window_s)
        if seen.rate_per_s is None or self._profile is None:
            return seen
        return replace(seen, rate_per_s=self._profile.rate_per_s)

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()
