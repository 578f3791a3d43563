"""Asks Google's advice for the spot price of each machine type in each zone, a few calls at a time."""

from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from google.cloud import compute_v1

from bouted.errors import BoutedError, PermissionMissing, Retryable

from .gcp_calls import Absent, Asking, Unreadable
from .gcp_machines import Machine
from .gcp_options import GcpOptions
from .gcp_spot import SpotHistory, nothing_readable, read_history

PERMISSION = "compute.advice.capacityHistory"
AT_ONCE = 6


@dataclass(slots=True)
class Advised:
    """What came of asking: `histories` where there was an answer, `failed` where there was none this time.

    `denied` and `throttled` stop the asking: there is no use in hundreds of the same refusal.
    """

    histories: list[SpotHistory] = field(default_factory=list)
    failed: dict[Machine, str] = field(default_factory=dict)
    denied: PermissionMissing | None = None
    throttled: Retryable | None = None


class SpotAdvice:
    """Histories by machine type and zone, each kept for `advice_every_s`."""

    def __init__(self, client: compute_v1.AdviceClient, options: GcpOptions) -> None:
        self._client = client
        self._options = options
        self._kept: dict[tuple[str, str], SpotHistory] = {}

    def get(self, machines: Iterable[Machine], now: datetime, asking: Asking) -> Advised:
        """For every machine a history, kept or new, or why there is none."""
        advised = Advised()
        due: list[Machine] = []
        for machine in machines:
            kept = self._fresh(machine, now)
            if kept is None:
                due.append(machine)
            else:
                advised.histories.append(kept)
        self._ask_all(due, now, asking, advised)
        for history in advised.histories:
            self._kept[history.machine.zone, history.machine.name] = history
        advised.histories.sort(key=lambda one: (one.machine.zone, one.machine.name))
        return advised

    def ask(self, machine: Machine, now: datetime, asking: Asking) -> SpotHistory:
        """One call. What Google does not know is a history without prices."""
        try:
            said = asking.ask(
                PERMISSION,
                lambda retry, timeout: self._client.capacity_history(
                    _request(machine, asking.project), retry=retry, timeout=timeout
                ),
            )
        except Absent:
            return SpotHistory(at=now, machine=machine)
        except Unreadable as error:
            return nothing_readable(machine, now, error.message)
        return read_history(said, machine, now, self._options.spot_run_h)

    def _fresh(self, machine: Machine, now: datetime) -> SpotHistory | None:
        kept = self._kept.get((machine.zone, machine.name))
        every = timedelta(seconds=self._options.advice_every_s)
        if kept is None or kept.machine != machine or not timedelta() <= now - kept.at < every:
            return None
        return kept

    def _ask_all(self, due: list[Machine], now: datetime, asking: Asking, advised: Advised) -> None:
        pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="gcp-advice")
        try:
            futures = {pool.submit(self.ask, machine, now, asking): machine for machine in due}
            pending = set(futures)
            while pending and not (advised.denied or advised.throttled):
                done, pending = wait(pending, timeout=asking.left_s(), return_when=FIRST_COMPLETED)
                if not done:
                    break
                for future in done:
                    _sort_in(future, futures[future], advised)
            stopped = advised.denied or advised.throttled
            why = stopped.message if stopped else "no time was left to ask"
            advised.failed |= {futures[future]: why for future in pending}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _sort_in(future: "Future[SpotHistory]", machine: Machine, advised: Advised) -> None:
    try:
        advised.histories.append(future.result())
        return
    except PermissionMissing as error:
        advised.denied, why = error, error.message
    except Retryable as error:
        advised.throttled, why = error, error.message
    except BoutedError as error:
        why = error.message
    advised.failed[machine] = why


def _request(machine: Machine, project: str) -> compute_v1.CapacityHistoryAdviceRequest:
    return compute_v1.CapacityHistoryAdviceRequest(
        project=project,
        region=machine.region,
        capacity_history_request_resource=compute_v1.CapacityHistoryRequest(
            types=["PRICE", "PREEMPTION"],
            instance_properties=compute_v1.CapacityHistoryRequestInstanceProperties(
                machine_type=machine.name,
                scheduling=compute_v1.CapacityHistoryRequestInstancePropertiesScheduling(
                    provisioning_model="SPOT"
                ),
            ),
            location_policy=compute_v1.CapacityHistoryRequestLocationPolicy(location=f"zones/{machine.zone}"),
        ),
    )
