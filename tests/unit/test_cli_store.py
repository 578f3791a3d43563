"""Commands against a store of their own: what they show, what they switch, and what they refuse."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bouted.cli.life import Life, daemon_life
from bouted.cli.main import run
from bouted.events import Event, EventKind, Severity
from bouted.market.offers import Market
from bouted.planner.plan import PlanStatus
from bouted.store.actions import begin_action, finish_action
from bouted.store.board import publish_board
from bouted.store.control import load_control, update_control
from bouted.store.events import add_events
from bouted.store.lease import DAEMON_LEASE, take_lease
from bouted.store.open import Store, open_store, sqlite_url
from bouted.store.plans import save_plan, set_plan_status
from bouted.store.prices import record_offers
from bouted.store.read_board import StoredStatus
from bouted.testing.fleet import an_offer, planned
from bouted.testing.store import a_board, a_plan, fresh_store

NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Deployment:
    """A state folder with a store in it, and the CLI beside it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def store(self) -> "closing[Store]":
        return closing(open_store(sqlite_url(self.folder)))

    def run(self, *args: str) -> tuple[int, str, str]:
        code = run([*args, "--state", str(self.folder)])
        said = self.capsys.readouterr()
        return code, said.out, said.err

    def json(self, *args: str) -> Any:
        code, out, err = self.run(*args, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    def board(self, pid: int = 1, seconds_ago: float = 0.0, verdict: str = "OK") -> None:
        at = datetime.now(UTC) - timedelta(seconds=seconds_ago)
        with self.store() as store:
            publish_board(store, replace(a_board(at, verdict=verdict), pid=pid), at)

    def plan(self, plan_id: str, status: PlanStatus, minutes: float = 0.0) -> None:
        with self.store() as store:
            nodes = planned(an_offer(usd_per_hour="1.25"), small=1)
            plan = a_plan(store, plan_id, created_at=NOW + timedelta(minutes=minutes), nodes=nodes)
            save_plan(store, plan, status)


@pytest.fixture
def here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Deployment:
    fresh_store(tmp_path).close()
    return Deployment(folder=tmp_path, capsys=capsys)


# status


def test_status_with_a_store_but_no_board_says_that_there_is_nothing(here: Deployment) -> None:
    code, out, err = here.run("status")
    assert (code, out) == (1, "")
    assert "no deployment here yet" in err


def test_status_of_a_live_deployment_starts_with_its_verdict(here: Deployment) -> None:
    here.board()
    with here.store() as store:
        take_lease(store, DAEMON_LEASE, "me", datetime.now(UTC), 60)
    code, out, _ = here.run("status")
    assert code == 0
    assert out.startswith("bouted: OK  ")


def test_status_of_a_dead_daemon_says_so_first_and_is_no_error(here: Deployment) -> None:
    here.board(pid=12345, seconds_ago=90)
    code, out, _ = here.run("status")
    assert code == 0
    assert out.startswith("bouted: DAEMON NOT RUNNING  ")
    assert "pid 12345 is gone" in out


def test_status_as_json_is_the_board_and_the_daemons_life(here: Deployment) -> None:
    here.board(seconds_ago=90)
    found = here.json("status")
    assert found["verdict"] == "OK"
    assert found["daemon"] == "gone"
    assert {"plan", "nodes", "replicas", "targets", "routes", "events", "usd_per_hour"} <= found.keys()


def test_the_state_folder_may_be_named_before_or_after_the_command(here: Deployment) -> None:
    here.board()
    assert run(["--state", str(here.folder), "status"]) == 0
    assert run(["status", "--state", str(here.folder)]) == 0


def test_what_is_typed_wins_over_the_environment(here: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    here.board()
    monkeypatch.setenv("BOUTED_STATE", str(here.folder / "elsewhere"))
    assert run(["--state", str(here.folder), "status"]) == 0
    assert run(["status", "--state", str(here.folder)]) == 0
    assert run(["status"]) == 1


def life(*, pid: int, holder: str, leased: bool, written_s_ago: float = 0.0) -> Life:
    board = replace(a_board(NOW - timedelta(seconds=written_s_ago)), pid=pid)
    expires_at = NOW + timedelta(seconds=15 if leased else -15)
    return daemon_life(StoredStatus(board=board, holder=holder, expires_at=expires_at), NOW)


HERE = f"{os.uname().nodename}:/var/lib/bouted"


@pytest.fixture
def a_process() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that could be a bouted, by its command line; it ends when its stdin does."""
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", "bouted", "run"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process


def test_a_daemon_that_was_killed_is_gone_before_its_lease_ends(
    a_process: "subprocess.Popen[bytes]",
) -> None:
    pid = a_process.pid
    assert life(pid=pid, holder=HERE, leased=True) is Life.RUNNING
    a_process.kill()
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert life(pid=pid, holder=HERE, leased=True) is Life.GONE, "dead, and nobody has reaped it"
    a_process.wait()
    assert life(pid=pid, holder=HERE, leased=True) is Life.GONE


def test_another_program_under_the_same_pid_is_no_daemon() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, cwd="/") as process:
        assert life(pid=process.pid, holder=HERE, leased=True) is Life.GONE


@pytest.mark.parametrize(
    ("leased", "written_s_ago", "expected"),
    [(True, 1.0, Life.RUNNING), (True, 90.0, Life.SILENT), (False, 90.0, Life.SILENT)],
    ids=["it writes", "it holds the lease but writes nothing", "its lease has run out"],
)
def test_a_process_that_is_here_runs_or_is_silent(
    leased: bool, written_s_ago: float, expected: Life, a_process: "subprocess.Popen[bytes]"
) -> None:
    assert life(pid=a_process.pid, holder=HERE, leased=leased, written_s_ago=written_s_ago) is expected


@pytest.mark.parametrize(
    ("holder", "leased", "expected"),
    [("elsewhere:/x", True, Life.RUNNING), ("elsewhere:/x", False, Life.GONE), ("", False, Life.GONE)],
    ids=["held on another machine", "expired on another machine", "given back"],
)
def test_elsewhere_the_lease_decides(holder: str, leased: bool, expected: Life) -> None:
    assert life(pid=999_999, holder=holder, leased=leased) is expected


# apply


def test_apply_takes_the_newest_proposed_plan(here: Deployment) -> None:
    here.plan("aaa1", PlanStatus.PROPOSED)
    here.plan("bbb2", PlanStatus.PROPOSED, minutes=1)
    here.plan("ccc3", PlanStatus.HELD, minutes=2)
    code, out, _ = here.run("apply")
    assert code == 0
    assert out.splitlines() == [
        "plan bbb2 accepted: $1.25/h, 1 nodes",
        "no daemon runs; it moves the fleet to it once started: bouted run, or systemctl start bouted",
    ]
    with here.store() as store:
        assert load_control(store).accepted_plan_id == "bbb2"


def test_apply_takes_the_start_of_an_id(here: Deployment) -> None:
    here.plan("aaa1", PlanStatus.PROPOSED)
    code, out, _ = here.run("apply", "aa")
    assert code == 0
    assert out.startswith("plan aaa1 accepted")


def test_apply_while_paused_says_what_it_waits_for(here: Deployment) -> None:
    here.plan("aaa1", PlanStatus.PROPOSED)
    here.run("pause")
    assert here.run("apply")[1].splitlines()[1] == "paused: nothing moves until: bouted resume"


def test_a_plan_that_is_in_force_needs_no_yes(here: Deployment) -> None:
    here.plan("aaa1", PlanStatus.APPLIED)
    assert here.run("apply", "aaa1")[:2] == (0, "plan aaa1 is in force already\n")
    with here.store() as store:
        assert load_control(store).accepted_plan_id is None


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("old0", "plan old0 is superseded: new2 was made after it"),
        ("gone", "plan gone is superseded: new2 was made after it"),
        ("held", "plan held only says why the plan in force stays"),
        ("nope", "no plan 'nope'"),
    ],
)
def test_a_plan_that_the_world_has_left_behind_is_refused(asked: str, why: str, here: Deployment) -> None:
    here.plan("old0", PlanStatus.PROPOSED)
    here.plan("gone", PlanStatus.SUPERSEDED, minutes=1)
    here.plan("held", PlanStatus.HELD, minutes=2)
    here.plan("new2", PlanStatus.PROPOSED, minutes=3)
    code, out, err = here.run("apply", asked)
    assert (code, out) == (1, "")
    assert why in err
    assert "hint: " in err
    with here.store() as store:
        assert load_control(store).accepted_plan_id is None


def test_with_nothing_proposed_since_the_plan_in_force_there_is_nothing_to_apply(here: Deployment) -> None:
    code, _, err = here.run("apply")
    assert (code, err.splitlines()[0]) == (1, "error: no plan waits to be applied")
    here.plan("old0", PlanStatus.PROPOSED)
    here.plan("new1", PlanStatus.APPLIED, minutes=1)
    code, _, err = here.run("apply")
    assert (code, err.splitlines()[0]) == (1, "error: no plan waits: new1, the latest, is in force")
    with here.store() as store:
        set_plan_status(store, "new1", PlanStatus.SUPERSEDED)


# pause and resume


def test_pause_and_resume_work_with_the_daemon_dead(here: Deployment) -> None:
    code, out, _ = here.run("pause")
    assert code == 0
    assert out.startswith("paused: nothing is launched")
    with here.store() as store:
        assert load_control(store).paused
    assert here.run("pause")[1].startswith("paused already")
    code, out, _ = here.run("resume")
    assert code == 0
    assert out.startswith("resumed\nno daemon runs")
    with here.store() as store:
        assert not load_control(store).paused
    assert here.run("resume")[1] == "nothing to resume: neither paused nor down\n"


def test_resume_takes_back_a_down(here: Deployment) -> None:
    with here.store() as store:
        update_control(store, NOW, "t", down_requested=True)
    assert here.run("resume")[0] == 0
    with here.store() as store:
        assert not load_control(store).down_requested


def test_down_with_nobody_to_ask_needs_a_yes(here: Deployment) -> None:
    code, out, err = here.run("down")
    assert (code, out) == (1, "")
    assert err.splitlines()[-1] == "hint: bouted down --yes"
    with here.store() as store:
        assert not load_control(store).down_requested


# history and prices


def test_history_lists_events_oldest_first(here: Deployment) -> None:
    with here.store() as store:
        for minutes, message in ((-3, "second"), (-5, "first"), (-60 * 24 * 8, "long ago")):
            event = Event(
                at=NOW + timedelta(minutes=minutes),
                kind=EventKind.REPLAN,
                severity=Severity.WARNING if message == "second" else Severity.INFO,
                subject="",
                message=message,
            )
            add_events(store, (event,))
    lines = here.run("history")[1].splitlines()
    assert [line.split("  ", 1)[1] for line in lines] == ["first", "WARNING: second"]
    assert len(here.run("history", "--since", "2w")[1].splitlines()) == 3
    found = here.json("history")["events"]
    assert [event["message"] for event in found] == ["first", "second"]
    assert found[1]["severity"] == "warning"


def test_history_lists_plans_and_what_became_of_them(here: Deployment) -> None:
    here.plan("aaa1", PlanStatus.SUPERSEDED, minutes=-9)
    here.plan("bbb2", PlanStatus.APPLIED, minutes=-1)
    lines = here.run("history", "--plans")[1].splitlines()
    assert lines[0].split()[2:6] == ["PLAN", "STATUS", "TRIGGER", "$/H"]
    assert [line.split()[2:4] for line in lines[1:]] == [["aaa1", "superseded"], ["bbb2", "applied"]]
    assert [plan["id"] for plan in here.json("history", "--plans")["plans"]] == ["aaa1", "bbb2"]


def test_history_tells_an_action_that_was_never_finished(here: Deployment) -> None:
    with here.store() as store:
        done = begin_action(store, "p", "launch_node", "n1", NOW - timedelta(minutes=2))
        finish_action(store, done, True, "up", NOW)
        begin_action(store, "p", "stop_node", "n2", NOW - timedelta(minutes=1))
    lines = here.run("history", "--actions")[1].splitlines()
    assert "done" in lines[1]
    assert "not finished" in lines[2]
    assert here.json("history", "--actions")["actions"][1]["finished_at"] is None


def test_an_empty_history_says_so_on_stderr(here: Deployment) -> None:
    assert here.run("history", "--actions") == (0, "", "no actions in that time\n")


def test_prices_are_listed_cheapest_per_gpu_first_and_filtered(here: Deployment) -> None:
    dear = an_offer("aws", gpu="H100-80GB", gpu_count=8, usd_per_hour="40", market=Market.ON_DEMAND)
    cheap = an_offer("lambda", gpu="H100-80GB", gpu_count=4, usd_per_hour="12")
    small = an_offer("gcp", gpu="L4", usd_per_hour="0.7")
    with here.store() as store:
        record_offers(store, (dear, cheap, small), NOW)
    lines = here.run("prices")[1].splitlines()
    assert [line.split()[0] for line in lines] == ["GPU", "H100-80GB", "H100-80GB", "L4"]
    assert "$3.00" in lines[1]
    listed = [
        [offer["provider"] for offer in here.json("prices", *only)["offers"]]
        for only in (
            ("--gpu", "h100"),
            ("--market", "on-demand"),
            ("--provider", "GCP"),
            ("--gpu", "L4", "--market", "owned"),
        )
    ]
    assert listed == [["lambda", "aws"], ["aws"], ["gcp"], []]
    assert here.json("prices", "--provider", "aws")["offers"][0]["usd_per_hour"] == "40"
    assert here.run("prices", "--gpu", "B200") == (0, "", "no offer fits that\n")
