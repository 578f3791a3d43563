"""One window of the fleet as service by shape, from gateways' samples or engines' own metrics."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from bouted.perf.engine_window import service_of, window_between
from bouted.perf.scrape import EngineScrape, parse_scrape
from bouted.perf.served import service_by_shape
from bouted.perf.service import Service
from bouted.perf.shapes import ReplicaShape
from bouted.reconcile.fleet import FleetState
from bouted.reconcile.states import ReplicaStatus
from bouted.workload.profile import RequestSample

log = logging.getLogger(__name__)


def gateway_services(
    samples: Sequence[RequestSample], serving: Mapping[str, ReplicaShape], since: datetime, now: datetime
) -> dict[ReplicaShape, list[Service]]:
    """Service by shape, of the requests that finished in the window."""
    start_s, end_s = since.timestamp(), now.timestamp()
    finished = [sample for sample in samples if start_s <= sample.arrived_s + sample.e2e_s < end_s]
    found = service_by_shape(finished, serving, end_s - start_s)
    return {shape: [service] for shape, service in found.items()}


def engine_services(
    before: Mapping[str, EngineScrape],
    after: Mapping[str, EngineScrape],
    serving: Mapping[str, ReplicaShape],
) -> list[tuple[ReplicaShape, Service]]:
    """What engines measured themselves, where both ends of the window were scraped."""
    found = []
    for replica in sorted(serving.keys() & before.keys() & after.keys()):
        window = window_between(before[replica], after[replica])
        service = service_of(window) if window is not None else None
        if service is not None:
            found.append((serving[replica], service))
    return found


def serving_since(fleet: FleetState, instant: datetime) -> dict[str, ReplicaShape]:
    """The shape of each replica that has been ready since then."""
    return {
        replica.name: replica.shape
        for replica in fleet.replicas
        if replica.status is ReplicaStatus.READY and replica.since <= instant
    }


def scrapes_of(metrics: Mapping[str, str], now: datetime) -> dict[str, EngineScrape]:
    """What engines said on /metrics, by replica; what cannot be read is logged and left out."""
    found: dict[str, EngineScrape] = {}
    for replica, text in metrics.items():
        try:
            scrape = parse_scrape(text, now)
        except ValueError as error:
            log.warning("/metrics of %s cannot be read: %s", replica, error)
            continue
        if scrape is not None:
            found[replica] = scrape
    return found
