"""The SkyPilot launcher in trouble: SkyPilot in memory, real keepers and real engines, real time."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from bouted.providers import sky_deaf, sky_steps, sky_turn
from bouted.providers.engine_choice import Engines
from bouted.providers.sky_instances import Instance, Instances
from bouted.providers.sky_memory import MemorySky
from bouted.providers.sky_memory_parts import memory_parts
from bouted.providers.sky_record import NodeRecords, Phase
from bouted.providers.sky_wire import SkyError
from bouted.providers.skypilot import SkyLauncher

from bouted.clock import SystemClock
from bouted.errors import Misconfigured, NotConfigured, NotYet, Retryable
from bouted.market.offers import Offer
from bouted.reconcile.launcher import KnownNode, Refused, SeenNode, SeenReplica, Why
from bouted.testing.fleet import START, an_offer
from bouted.testing.orders import a_node_order, a_replica_order
from bouted.testing.processes import until

PACED = {"program": [sys.executable, "-P", "-m", "bouted.providers.paced_engine"], "fetch": False}


@dataclass
class Place:
    """One SkyPilot, and the launchers that were opened on it."""

    root: Path
    sky: MemorySky
    instances: Instances | None = None
    opened: list[SkyLauncher] = field(default_factory=list)

    def open(self) -> SkyLauncher:
        """A launcher, as after a restart of the daemon."""
        engines = Engines.from_config({"vllm": PACED}, "engines")
        parts = memory_parts(
            self.sky,
            self.root / "ours",
            deployment="ours",
            lease_s=3600.0,
            engines=engines,
            instances=self.instances,
        )
        self.opened.append(SkyLauncher(parts))
        return self.opened[-1]

    @property
    def records(self) -> NodeRecords:
        """What is on disk."""
        return NodeRecords(self.root / "ours" / "nodes")


@dataclass
class Left:
    """AWS still has an instance of node-1; Vast's key is gone."""

    ended: list[str] = field(default_factory=list)

    def list(
        self, offers: Iterable[Offer], known: frozenset[tuple[str, str]] = frozenset()
    ) -> tuple[Instance, ...]:
        clouds = {offer.provider for offer in offers}
        if "vast" in clouds:
            raise NotConfigured("vast_api_key is not there")
        if "aws" not in clouds:
            return ()
        left = Instance(
            node="node-1",
            cluster="node-1-0",
            cloud="aws",
            id="i-1",
            started_at=START,
            ended_at=None,
            ending=bool(self.ended),
        )
        return (left,)

    def end(self, instance: Instance) -> None:
        self.ended.append(instance.id)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence means something sooner than in earnest."""
    monkeypatch.setattr(sky_steps, "SILENT_S", 1.0)
    monkeypatch.setattr(sky_steps, "DEAD_S", 2.0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path, MemorySky(root=tmp_path / "clusters", clock=SystemClock()))
    yield made
    for launcher in made.opened:
        launcher.close()
    made.sky.end_all()


def node(launcher: SkyLauncher) -> SeenNode:
    (found,) = launcher.seen().nodes
    return found


def replicas(launcher: SkyLauncher) -> tuple[SeenReplica, ...]:
    return launcher.seen().replicas


def up(launcher: SkyLauncher) -> None:
    launcher.launch(a_node_order())
    until(lambda: node(launcher).up)


def serving(launcher: SkyLauncher) -> SeenReplica:
    up(launcher)
    launcher.start_replica(a_replica_order())
    until(lambda: any(replica.endpoint for replica in replicas(launcher)))
    return replicas(launcher)[0]


def test_a_daemon_that_dies_before_it_asked_asks_after_its_restart(place: Place) -> None:
    place.sky.trouble = "down"
    place.open().launch(a_node_order())
    place.sky.trouble = ""
    after = place.open()
    until(lambda: node(after).up)
    assert place.sky.launches == ["node-1"]


def test_a_daemon_that_dies_while_skypilot_launches_takes_that_launch_up(place: Place) -> None:
    place.sky.boot_s = 1.0
    before = place.open()
    before.launch(a_node_order())
    until(lambda: bool(place.sky.launches))
    record = place.records.read("node-1")
    assert record is not None
    place.records.write(replace(record.to(Phase.INTENT, record.since), tries=0))  # the answer was lost
    after = place.open()
    until(lambda: node(after).up)
    assert place.sky.launches == ["node-1"]
    held = place.records.read("node-1")
    assert held is not None
    assert held.autodown_at is not None, "SkyPilot's own clock runs on it, and has to be moved"


def test_a_node_that_came_up_while_nobody_looked_is_not_launched_again(place: Place) -> None:
    up(place.open())
    record = place.records.read("node-1")
    assert record is not None
    place.records.write(replace(record.to(Phase.INTENT, record.since), address=None))
    place.sky.forget_requests()
    after = place.open()
    until(lambda: node(after).up)
    assert place.sky.launches == ["node-1"]


def test_a_lease_that_is_moved_while_skypilot_is_asked_does_not_lose_the_answer(place: Place) -> None:
    up(place.open())
    before = place.records.read("node-1")
    assert before is not None
    place.records.write(replace(before, hold_until=before.since))
    assert place.records.replace(before, replace(before, request="r"))
    after = place.records.read("node-1")
    assert after is not None
    assert (after.request, after.hold_until) == ("r", before.since)
    assert not place.records.replace(before, replace(before, request="s")), "somebody else went on"


def test_a_server_that_does_nothing_any_more_is_replaced_and_the_launch_goes_on(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sky_deaf, "FAILED_S", 0.5)
    place.sky.boot_s = 5.0
    launcher = place.open()
    launcher.launch(a_node_order())
    until(lambda: bool(place.sky.launches))
    place.sky.deaf = True
    until(lambda: launcher.seen() and not place.sky.deaf)
    until(lambda: node(launcher).up)
    assert place.sky.starts == 2


def test_a_cluster_without_a_record_is_swept_and_can_be_ended(place: Place) -> None:
    launcher = place.open()
    up(launcher)
    place.records.forget("node-1")
    (left,) = launcher.sweep()
    assert (left.name, left.ended_at) == ("node-1", None)
    assert left.started_at is not None
    until(lambda: _stopped(launcher))
    assert place.sky.look((), ()).clusters == ()


def test_an_instance_that_outlived_its_cluster_is_ended_at_the_cloud_itself(place: Place) -> None:
    place.instances = Left()
    launcher = place.open()
    up(launcher)
    until(lambda: _stopped(launcher))
    assert node(launcher).ended_at is not None
    assert place.instances.ended == ["i-1"]


def test_a_launcher_that_lost_its_folder_finds_its_instances_where_rows_say_they_are(
    place: Place,
) -> None:
    place.instances = Left()
    launcher = place.open()
    assert launcher.sweep() == ()
    known = [KnownNode(name=f"node-{cloud}", offer=an_offer(cloud)) for cloud in ("aws", "vast")]
    (left,) = launcher.sweep(known)
    assert (left.name, left.started_at, left.ended_at) == ("node-1", START, None)
    assert not _stopped(launcher)
    assert _stopped(launcher)
    assert place.instances.ended == ["i-1"]


def test_of_two_machines_under_one_name_the_one_that_runs_is_told(place: Place) -> None:
    class Two(Left):
        def list(
            self, offers: Iterable[Offer], known: frozenset[tuple[str, str]] = frozenset()
        ) -> tuple[Instance, ...]:
            runs = super().list(offers, known)
            return (*runs, *(replace(one, id="i-0", ended_at=START, ending=True) for one in runs))

    place.instances = Two()
    (told,) = place.open().sweep([KnownNode(name="node-1", offer=an_offer("aws"))])
    assert (told.instance_id, told.ended_at) == ("i-1", None)


def test_machines_out_of_reach_are_given_up_only_where_others_answer(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sky_steps, "CUT_OFF_S", 2.0)
    launcher, names = place.open(), ("node-1", "node-2")
    for name in names:
        launcher.launch(a_node_order(name))
    until(lambda: [one.up for one in launcher.seen().nodes] == [True, True])
    for name in names:
        place.sky.cut_off(name)
    until(lambda: launcher.seen() and all(_silent_s(launcher, name) > 6.0 for name in names))
    assert [one.up for one in launcher.seen().nodes] == [True, True], "our own way there may be broken"
    place.sky.cut_off("node-2", off=False)
    until(lambda: [one.ended_at is None for one in launcher.seen().nodes] == [False, True])


def test_a_server_that_dies_while_it_launches_is_asked_again_under_the_same_name(place: Place) -> None:
    place.sky.boot_s = 2.0
    launcher = place.open()
    launcher.launch(a_node_order())
    until(lambda: bool(place.sky.launches))
    place.sky.forget_requests()
    place.sky.starts += 1
    place.sky.boot_s = 0.1
    until(lambda: node(launcher).up)
    assert place.sky.launches == ["node-1", "node-1"]
    assert len(place.sky.look((), ()).clusters) == 1


def test_a_preempted_node_loses_its_replicas_at_once_and_itself_once_the_cloud_says_so(place: Place) -> None:
    launcher = place.open()
    serving(launcher)
    place.sky.lose("node-1")
    until(lambda: replicas(launcher) == (), patience_s=2.0)
    assert node(launcher).up
    until(lambda: node(launcher).ended_at is not None)
    assert node(launcher).refused is None


def test_a_keeper_that_dies_is_started_again_and_its_engines_never_stop(place: Place) -> None:
    launcher = place.open()
    before = serving(launcher)
    place.sky.keeper("node-1").signal(signal.SIGKILL)
    until(lambda: replicas(launcher) == (before,) and not launcher._keepers.word("node-1").answers)
    until(lambda: node(launcher).up and launcher._keepers.word("node-1").answers, patience_s=60.0)
    assert [(one.name, one.pid) for one in replicas(launcher)] == [(before.name, before.pid)]


def test_a_server_that_is_silent_ends_nothing_and_leases_are_moved_all_the_same(place: Place) -> None:
    launcher = place.open()
    before = serving(launcher)
    place.sky.trouble = "it hangs"
    launcher.renew(("node-1",), 7200.0)
    assert replicas(launcher) == (before,)
    launcher.seen()
    assert launcher._keepers.heard["node-1"].lease_left_s > 7000


def test_a_turn_that_another_process_does_not_end_is_told(place: Place) -> None:
    launcher = place.open()
    launcher.launch(a_node_order())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sky_turn, "WORTH_TELLING_S", 0.2)
        with place.records.turn():
            who = f"process {os.getpid()} is asking SkyPilot and lets nobody else, for "
            until(lambda: launcher.seen() and launcher.trouble.startswith(who))
    until(lambda: node(launcher).up)
    assert launcher.trouble == ""


def test_what_skypilot_cannot_do_for_a_node_is_logged_once_and_told_while_it_lasts(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    said = "SkyPilot cannot reach raw.githubusercontent.com"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sky_turn, "WORTH_TELLING_S", 0.5)
        place.sky.cannot = Retryable(said, after_s=1.0)
        launcher = place.open()
        launcher.launch(a_node_order())
        until(lambda: launcher.seen() and launcher.trouble.startswith(f"for node-1: {said}, for "))
    place.sky.cannot = None
    until(lambda: node(launcher).up)
    assert launcher.trouble == ""
    assert [record.message for record in caplog.records if said in record.message] == [
        f"SkyPilot, node-1: {said}"
    ]


def test_a_node_that_is_not_wanted_any_more_while_it_is_launched_is_cancelled_and_ended(place: Place) -> None:
    place.sky.boot_s = 30.0
    launcher = place.open()
    launcher.launch(a_node_order())
    until(lambda: bool(place.sky.launches))
    until(lambda: _stopped(launcher))
    assert place.sky.look((), ()).clusters == ()


@pytest.mark.parametrize("log", ["logs", "details"])
def test_a_quota_that_is_exceeded_is_told_with_the_clouds_own_word(place: Place, log: str) -> None:
    error = SkyError(type="ResourcesUnavailableError", message="Failed to acquire resources in us-east-1a")
    place.sky.refused.append(("*", error))
    said = "(MaxSpotInstanceCountExceeded) when calling RunInstances: Max spot\n"
    getattr(place.sky, log)["launch-0" if log == "logs" else "node-1"] = said
    launcher = place.open()
    launcher.launch(a_node_order())
    until(lambda: node(launcher).refused is not None)
    refused = node(launcher).refused
    assert refused is not None
    assert refused.why is Why.QUOTA
    assert "MaxSpotInstanceCountExceeded" in refused.detail


def test_a_launch_that_lost_a_race_for_a_security_group_is_asked_for_again_and_comes_up(place: Place) -> None:
    error = SkyError(type="ResourcesUnavailableError", message="Failed to acquire resources in us-east-1a")
    place.sky.refused.append(("*", error))
    place.sky.logs["launch-0"] = "An error occurred (InvalidPermission.Duplicate) when calling Authorize\n"
    launcher = place.open()
    launcher.launch(a_node_order())
    until(lambda: node(launcher) and bool(place.sky.launches))
    place.sky.boot_s = 2.0
    until(lambda: node(launcher) and len(place.sky.launches) == 2)
    place.sky.refused.clear()
    until(lambda: node(launcher).up)
    assert place.sky.launches == ["node-1", "node-1"]


def test_a_race_that_is_lost_every_time_ends_as_broken_with_the_clouds_word(place: Place) -> None:
    error = SkyError(type="ResourcesUnavailableError", message="Failed to acquire resources in us-east-1a")
    place.sky.refused.append(("*", error))
    said = "AWS handler error: An error occurred (InvalidGroup.Duplicate) when calling CreateSecurityGroup"
    place.sky.logs.update({f"launch-{number}": said for number in range(9)})
    launcher = place.open()
    launcher.launch(a_node_order())
    until(lambda: node(launcher).refused is not None)
    assert node(launcher).refused == Refused(why=Why.BROKEN, detail=said)
    assert len(place.sky.launches) == sky_steps.MOST_TRIES


def test_an_offer_that_skypilot_cannot_rent_is_refused_before_anything_is_asked(place: Place) -> None:
    order = a_node_order()
    order = replace(order, offer=replace(order.offer, provider="nowhere"))
    with pytest.raises(Misconfigured, match="nowhere"):
        place.open().launch(order)
    assert place.sky.launches == []
    assert set(place.open().unlaunchable((order.offer, a_node_order().offer))) == {order.offer.id}


def test_no_secret_is_on_disk_or_in_a_command(place: Place) -> None:
    launcher = place.open()
    serving(launcher)
    (token,) = {keeper.token for keeper in (place.sky.keeper("node-1"),)}
    held = [path for path in place.root.rglob("*") if path.is_file() and token in _text(path)]
    assert held == []
    assert not [pid for pid in _pids() if token in _text(Path(f"/proc/{pid}/cmdline"))]
    assert os.stat(place.root / "ours" / "node.key").st_mode & 0o077 == 0


def _stopped(launcher: SkyLauncher) -> bool:
    with suppress(NotYet):
        launcher.stop_node("node-1")
        return True
    return False


def _silent_s(launcher: SkyLauncher, name: str) -> float:
    return launcher._keepers.word(name).silent_s(launcher._clock.now())


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _pids() -> list[str]:
    return [entry.name for entry in Path("/proc").glob("[0-9]*")]
