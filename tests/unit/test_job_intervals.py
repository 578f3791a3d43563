"""How often the daemon does something follows an edit of the config at once, without a restart."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bouted.daemon.compose import Outside, compose
from bouted.daemon.health import HealthProber
from bouted.daemon.parts import load
from bouted.daemon.service import Service
from bouted.daemon.traffic import Traffic
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.testing.clock import ManualClock
from bouted.testing.deployment import Deployment
from bouted.testing.doomed import NoSearch
from bouted.testing.launcher import MemoryCloud, MemoryLauncher
from bouted.testing.store import fresh_store


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    deployment = Deployment(tmp_path)
    deployment.write_config()
    return deployment


@pytest.fixture
def service(deployment: Deployment) -> Iterator[Service]:
    edit(deployment, "safety: {deadman_hours: 12}")
    loaded, clock = load(deployment.config_path), ManualClock()
    with closing(fresh_store(deployment.folder)) as store:
        token = take_lease(store, DAEMON_LEASE, "test", clock.now(), 3600.0)
        mine = store.fenced(DAEMON_LEASE, token)
        outside = Outside(
            store=mine,
            token=token,
            clock=clock,
            launcher=MemoryLauncher(MemoryCloud(clock)),
            prober=HealthProber(clock),
            traffic=Traffic(deployment.url),
            feeds=(),
            maker=NoSearch.for_daemon(loaded, mine, clock),
        )
        service = compose(loaded, outside)
        yield service
        asyncio.run(service.traffic.close())


def edit(deployment: Deployment, safety: str) -> None:
    text = deployment.config_path.read_text()
    kept = [line for line in text.splitlines() if not line.startswith("safety:")]
    deployment.config_path.write_text("\n".join([*kept, safety, ""]))


def every_s(service: Service) -> dict[str, float]:
    return {job.name: job.every_s() for job in service.jobs()}


def test_a_shorter_lease_is_renewed_more_often_from_the_edit_on(
    deployment: Deployment, service: Service
) -> None:
    (renewal,) = (job for job in service.jobs() if job.name == "renew_deadman")
    assert renewal.every_s() == 600.0
    edit(deployment, "safety: {deadman_hours: 0.1}")
    service.reload()
    assert renewal.every_s() == 60.0


def test_an_edited_sweep_is_taken_up_as_the_event_says(deployment: Deployment, service: Service) -> None:
    (sweep,) = (job for job in service.jobs() if job.name == "sweep")
    assert sweep.every_s() == 300.0
    edit(deployment, "safety: {deadman_hours: 12, sweep_s: 20}")
    service.reload()
    assert sweep.every_s() == 20.0


def test_every_other_job_keeps_its_pace(deployment: Deployment, service: Service) -> None:
    before = every_s(service)
    edit(deployment, "safety: {deadman_hours: 0.1, sweep_s: 20}")
    service.reload()
    changed = {name for name, pace in every_s(service).items() if pace != before[name]}
    assert changed == {"renew_deadman", "sweep"}
